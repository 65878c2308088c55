"""The settings under test: production's, with a throw-away data folder and fast password hashing."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("KB_SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("KB_DATA_DIR", str(Path(tempfile.gettempdir()) / f"kb-tests-{os.getpid()}"))

from kb.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405  (whitenoise warns of a missing folder, and warnings are errors)
