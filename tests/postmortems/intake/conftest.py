"""Alerts are sent by a program's account."""

import pytest

from postmortems.models import User
from tests import factory


@pytest.fixture
def account(db: None) -> User:
    return factory.user("monitoring", roles=(), is_integration=True)
