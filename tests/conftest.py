"""The cast: Alice owns it, Bob is on her team, Charlie must see nothing, the administrator sees all."""

import pytest
from django.core.cache import cache

from postmortems.models import Team, User
from tests import factory


@pytest.fixture(autouse=True)
def no_attempts_so_far() -> None:
    """The limits of sign-in count across tests otherwise: all come from one address."""
    cache.clear()


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
