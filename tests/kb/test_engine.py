"""One engine a process, named by the settings; a forked child opens its own."""

import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from kb.search import engine
from kb.search.backends.memory import MemoryBackend
from kb.search.backends.whoosh import WhooshBackend
from kb.search.base import Document, Query, Term
from tests.kb import sources


def test_the_settings_name_the_engine_and_its_source(place: Path, settings: Settings) -> None:
    whoosh = engine.backend()
    settings.SEARCH_URL = "memory:"

    assert isinstance(whoosh, WhooshBackend)
    assert isinstance(engine.backend(), MemoryBackend)
    assert engine.source() is sources.SOURCE
    assert engine.backend().schema is sources.SOURCE.schema


def test_there_is_one_engine_for_a_process(place: Path) -> None:
    assert engine.backend() is engine.backend()


def test_another_data_folder_is_another_engine(place: Path, settings: Settings) -> None:
    here = engine.backend()
    settings.DATA_DIR = place / "elsewhere"

    assert engine.backend() is not here


def test_the_index_is_in_the_data_folder_unless_the_url_says_where(place: Path) -> None:
    engine.backend().rebuild([])
    elsewhere = engine.make_backend(f"whoosh://{place}/another/folder", sources.SOURCE.schema)
    elsewhere.rebuild([])

    assert (place / "index" / "current").is_file()
    assert (place / "another" / "folder" / "current").is_file()


def test_a_url_that_names_no_engine_says_which_there_are() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"'solr:' names no engine\. Known: memory:, whoosh:"):
        engine.make_backend("solr:", sources.SOURCE.schema)


def test_a_relative_folder_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="three slashes"):
        engine.make_backend("whoosh://folder", sources.SOURCE.schema)


def test_a_forked_child_opens_its_own_files(place: Path) -> None:
    pool = Document("doc-1", 1, {"text": "pool"}, access=sources.ANYBODY)
    engine.backend().rebuild([pool])
    mine = engine.backend()
    mine.search(Query(sources.ANYBODY, Term("pool")))

    child = os.fork()
    if not child:
        own = engine.backend()
        os._exit(0 if own is not mine and own.search(Query(sources.ANYBODY, Term("pool"))).total == 1 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.backend() is mine
