"""Suggestions and search by program: the same answers, the same eyes."""

import json
from typing import Any

import pytest

from postmortems.models import Postmortem, User, Visibility
from tests import factory
from tests.postmortems.conftest import Learn

SUGGESTIONS = "/api/v1/suggestions/"
SEARCH = "/api/v1/search/"
POOL = {"impact": "FATAL: connection slots are reserved", "what_fixed_it": "Restart the pool."}
TEXT = {"title": "Checkout fails", "symptoms": "connection slots are reserved"}


@pytest.fixture
def pool(learn: Learn) -> Postmortem:
    for n in range(20):
        factory.postmortem(f"Quiet day {n}")
    row = factory.postmortem("Connection pool exhausted", services=("Checkout",), sections=POOL)
    learn(*Postmortem.objects.all())
    return row


def ask(who: User, **body: Any) -> Any:
    return factory.signed_in(who).post(SUGGESTIONS, json.dumps(body), content_type="application/json")


def test_a_suggestion_says_what_fixed_it(alice: User, pool: Postmortem) -> None:
    answer = ask(alice, **TEXT)

    assert answer.status_code == 200
    assert answer.json()["results"][0]["ref"] == pool.ref
    assert answer.json()["results"][0]["what_fixed_it"] == "Restart the pool."


def test_search_takes_facets_and_pages(alice: User, pool: Postmortem) -> None:
    client = factory.signed_in(alice)

    found = client.get(SEARCH, {"q": "", "service": "checkout"}).json()
    paged = client.get(SEARCH, {"q": "quiet", "per_page": 5, "page": 4}).json()

    assert [result["ref"] for result in found["results"]] == [pool.ref]
    assert (paged["total"], len(paged["results"])) == (20, 5)


def test_an_outsider_gets_no_trace_of_a_restricted_postmortem(charlie: User, pool: Postmortem, learn: Learn) -> None:
    Postmortem.objects.filter(pk=pool.pk).update(visibility=Visibility.RESTRICTED)
    learn(pool)

    answer = ask(charlie, **TEXT)
    found = factory.signed_in(charlie).get(SEARCH, {"q": "connection slots"}).json()

    assert answer.json()["results"] == []
    assert answer.json()["total_candidates"] == 20
    assert (found["total"], found["results"]) == (0, [])
    assert "checkout" not in json.dumps(found)


def test_strangers_are_refused(client: Any, pool: Postmortem) -> None:
    assert client.post(SUGGESTIONS, TEXT, content_type="application/json").status_code == 401
    assert client.get(SEARCH).status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Say what is seen"),
        ({"title": "   "}, "Say what is seen"),
        ({"title": "x" * 301}, "300"),
        ({"title": "Slow", "services": ["nowhere"]}, "nowhere"),
        ({"title": "Slow", "limit": 0}, "limit"),
        ({"title": ["Slow"]}, "title"),
    ],
)
def test_bad_input_is_a_400_that_says_why(alice: User, pool: Postmortem, body: dict[str, Any], said: str) -> None:
    answer = ask(alice, **body)

    assert answer.status_code == 400
    assert said in answer.content.decode()


@pytest.mark.parametrize("query", [{"q": "x" * 513}, {"page": "0"}, {"sort": "shoe size"}, {"per_page": "1000"}])
def test_a_bad_search_is_a_400(alice: User, pool: Postmortem, query: dict[str, str]) -> None:
    assert factory.signed_in(alice).get(SEARCH, query).status_code == 400


def test_a_broken_body_is_a_400(alice: User, pool: Postmortem) -> None:
    client = factory.signed_in(alice)

    assert client.post(SUGGESTIONS, "{", content_type="application/json").status_code == 400
