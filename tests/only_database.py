"""A pytest plugin, `-p tests.only_database`: keeps the tests that touch the database, for a run on another one."""

import pytest

FIXTURES = {"db", "transactional_db", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    touching = [item for item in items if touches_database(item) and not item.get_closest_marker("sqlite")]
    config.hook.pytest_deselected(items=[item for item in items if item not in touching])
    items[:] = touching


def touches_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or bool(FIXTURES & set(getattr(item, "fixturenames", ())))
