"""A pytest plugin, `-p tests.only_database`: keeps the tests that depend on the database, for a run on another one.

Left out are those that never touch it, those of SQLite itself, and the `portable` ones: what they try (a form's token,
a page's markup, a refusal before anything is written, a table of roles in Python) goes through the same few queries
again and again, and these are tried by the tests that are kept. In doubt a test is not portable.
"""

import pytest

FIXTURES = {"db", "transactional_db", "live_server"}
LEFT_OUT = ("sqlite", "portable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = [item for item in items if touches_database(item) and not any(map(item.get_closest_marker, LEFT_OUT))]
    config.hook.pytest_deselected(items=list(set(items) - set(kept)))
    items[:] = kept


def touches_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or bool(FIXTURES & set(getattr(item, "fixturenames", ())))
