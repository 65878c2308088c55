"""The settings under test: production's, with a throw-away data folder and fast password hashing."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("KB_SECRET_KEY", "only-for-tests-" + "x" * 50)
# A folder for each process: those that share the work would share one index.
os.environ["KB_DATA_DIR"] = tempfile.mkdtemp(prefix="kb-tests-")
atexit.register(shutil.rmtree, os.environ["KB_DATA_DIR"], ignore_errors=True)

from kb.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405  (whitenoise warns of a missing folder, and warnings are errors)
