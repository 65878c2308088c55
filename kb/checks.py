"""System checks: settings that do not go together are found by `manage.py check`, before the first request.

What cannot work at all (no such time zone, a folder that cannot be written to) stops `settings.py` itself.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@register()
def search_engine_is_known(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    from kb.search.backends import SCHEMES

    scheme = urlsplit(settings.SEARCH_URL).scheme
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}:" for name in sorted(SCHEMES))
        return [Error(f"KB_SEARCH_URL={settings.SEARCH_URL!r} names no engine.", hint=f"Known: {known}", id="kb.E002")]
    return []


@register()
def site_url_is_an_origin(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    url = urlsplit(settings.SITE_URL)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path:
        return [
            Error(
                f"KB_URL={settings.SITE_URL!r} is no address.", hint="For example https://kb.example.org", id="kb.E003"
            )
        ]
    return []


@register(Tags.security, deploy=True)
def site_is_served_over_https(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    url = urlsplit(settings.SITE_URL)
    if url.scheme != "https" and url.hostname not in LOOPBACK:
        return [Warning("KB_URL is http: passwords and postmortems travel in the clear.", id="kb.W001")]
    return []


@register(Tags.security, deploy=True)
def limits_are_counted_by_all_workers(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if str(settings.CACHES["default"]["BACKEND"]).endswith((".LocMemCache", ".DummyCache")):
        says = "KB_CACHE_URL: each worker counts failed sign-ins for itself, so that there are several times as many."
        return [Warning(says, hint="Leave it out, or name Redis.", id="kb.W002")]
    return []


@register(Tags.security)
def data_folder_is_private(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Search index and cache are un-pickled when opened: who can write them can run code as the site."""
    folders = [settings.DATA_DIR / name for name in ("index", "cache")]
    return [
        Error(f"{folder} is writable by others.", hint=f"chmod 700 {folder}", id="kb.E004")
        for folder in folders
        if folder.exists() and folder.stat().st_mode & 0o022
    ]
