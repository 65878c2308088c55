"""An index of its own for each test, and a way to teach it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from kb.search import engine, outbox, upkeep
from postmortems import search

Learn = Callable[..., None]


@pytest.fixture
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    """A data folder of the test's own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def learn(db: None, data_dir: Path, settings: Settings) -> Any:
    """`learn(row, ...)`: what a commit would set off. Tests run inside a transaction that never commits."""
    settings.SEARCH_URL = "whoosh:"

    def learn(*rows: Any) -> None:
        search.changed(*rows)
        outbox.drain()

    upkeep.ensure()
    yield learn
    engine.backend().close()
