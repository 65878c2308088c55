"""Health: what a load balancer and an operator are told."""

from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.test import Client

from kb.search import engine


def test_healthz_answers_without_a_database_and_without_a_sign_in(client: Client) -> None:
    response = client.get("/healthz")  # no db fixture: any query would fail the test

    assert response.status_code == 200
    assert response.content == b"ok\n"


@pytest.mark.django_db
def test_readyz_says_yes_when_everything_is_there(client: Client) -> None:
    engine.backend().rebuild([])

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "reasons": [], "notes": []}
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_readyz_says_that_the_database_does_not_answer(client: Client) -> None:
    # The database is the world outside: it is taken away where Django meets it.
    with patch.object(connection, "cursor", side_effect=OperationalError("host db.internal is down")):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["reasons"] == ["The database does not answer."]
    assert b"db.internal" not in response.content


@pytest.mark.django_db
def test_readyz_says_that_migrations_are_missing(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'postmortems'")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrate" in response.json()["reasons"][0]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_health_is_only_read(client: Client, method: str) -> None:
    assert getattr(client, method)("/healthz").status_code == 405
