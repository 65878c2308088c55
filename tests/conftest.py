"""The cast: Alice owns it, Bob is on her team, Charlie must see nothing, the administrator sees all."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from kb.jobs.working import run_next
from postmortems.models import Team, User
from tests import factory
from tests.migrated import Tables


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays: it is not searched for garbage again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def no_attempts_so_far() -> None:
    """The limits of sign-in count across tests otherwise: all come from one address."""
    cache.clear()


@pytest.fixture(scope="session")
def kept_tables() -> Tables | None:
    return Tables() if connection.vendor == "sqlite" else None


@pytest.fixture(scope="session")
def django_db_setup(kept_tables: Tables | None, django_db_setup: None, django_db_blocker: Any) -> None:
    """After a test that commits, tables are emptied by DELETE on SQLite, which the audit log refuses."""
    if kept_tables:
        kept_tables.migrated()
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER audit_event_is_never_deleted")


@pytest.fixture
def alice(db: None) -> User:
    return factory.user("alice", first_name="Alice")


@pytest.fixture
def bob(db: None) -> User:
    return factory.user("bob", first_name="Bob")


@pytest.fixture
def charlie(db: None) -> User:
    return factory.user("charlie", first_name="Charlie")


@pytest.fixture
def admin(db: None) -> User:
    return factory.user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def team(alice: User, bob: User) -> Team:
    """Alice's and Bob's."""
    return factory.team("Payments", alice, bob)


@pytest.fixture
def work_off(db: None) -> Callable[[], int]:
    """Does the jobs that are due, as a worker would, until none is left; how many there were."""

    def work() -> int:
        done = 0
        while run_next("test"):
            done += 1
        return done

    return work
