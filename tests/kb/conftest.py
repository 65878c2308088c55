"""A place for an index, and documents of its own, for the tests that go through the process-wide engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from kb.search import engine, upkeep


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A data folder without an index."""
    settings.DATA_DIR = tmp_path
    settings.SEARCH_URL = "whoosh:"
    settings.SEARCH_SOURCE = "tests.kb.sources.SOURCE"
    yield tmp_path
    engine.backend().close()


@pytest.fixture
def index(place: Path, transactional_db: None) -> None:
    upkeep.rebuild()
