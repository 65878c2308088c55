"""The one engine of this process, and the source it learns from; both are named in the settings."""

import os
import threading

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from kb.search.backends import SCHEMES
from kb.search.base import Schema, SearchBackend, Source

_Key = tuple[str, str, str]
_backends: dict[_Key, SearchBackend] = {}
_lock = threading.Lock()


def source() -> Source:
    """Where documents come from: the domain's object that `settings.SEARCH_SOURCE` names."""
    found: Source = import_string(settings.SEARCH_SOURCE)
    return found


def backend() -> SearchBackend:
    """The engine that `settings.SEARCH_URL` names: one for the process, shared by its threads."""
    key = (settings.SEARCH_URL, str(settings.DATA_DIR), settings.SEARCH_SOURCE)
    with _lock:
        if key not in _backends:
            _backends[key] = make_backend(settings.SEARCH_URL, source().schema)
        return _backends[key]


def make_backend(url: str, schema: Schema) -> SearchBackend:
    """A new engine, for a place and a schema of its own; the caller closes it."""
    scheme = url.partition(":")[0]
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}:" for name in sorted(SCHEMES))
        raise ImproperlyConfigured(f"KB_SEARCH_URL={url!r} names no engine. Known: {known}")
    kind: type[SearchBackend] = import_string(SCHEMES[scheme])
    try:
        return kind.from_url(url, schema, data_dir=settings.DATA_DIR)
    except ValueError as error:
        raise ImproperlyConfigured(f"KB_SEARCH_URL: {error}") from error


def _forget_the_parents() -> None:
    """A forked child shares its parent's open files, and so their reading positions: it opens its own."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it in the moment of the fork
    _backends.clear()


os.register_at_fork(after_in_child=_forget_the_parents)
