"""The leak matrix for programs: with a token, too, a site with a hidden document answers as one without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from postmortems.models import ApiToken, Scope, SigningKey, SlackAccount, User
from tests import factory
from tests.postmortems import test_slack as slack
from tests.postmortems.conftest import Learn
from tests.postmortems.test_leaks import TROUBLE, Names, Reader, Site

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def key(db: None) -> None:
    key = SigningKey(source="slack", name="Ours")
    key.keep(slack.SECRET)
    SigningKey.objects.bulk_create([key])


class Program:
    """Somebody's token at each door that takes one."""

    def __init__(self, user: User) -> None:
        scopes = [Scope.READ, Scope.FEED, Scope.METRICS]
        self.secret = ApiToken.objects.issue(user=user, name="script", scopes=scopes, at=factory.NOON)[1]

    def get(self, address: str, **query: str) -> str:
        answer = Client().get(address, query, headers={"Authorization": f"Bearer {self.secret}"})
        return f"{answer.status_code} {answer.text}"

    def tool(self, name: str, **arguments: Any) -> str:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        headers = {"Authorization": f"Bearer {self.secret}", "Accept": "application/json, text/event-stream"}
        answer = Client().post("/api/v1/mcp/", json.dumps(message), content_type="application/json", headers=headers)
        return f"{answer.status_code} {answer.text}"


def asked(program: Program, names: Names, words: list[str]) -> Iterator[tuple[str, str]]:
    """What was asked and the answer."""
    some = [TROUBLE, *words[::12], *names.hidden.values()]
    for said in some:
        yield f"search_postmortems {said}", program.tool("search_postmortems", query=said)
        yield f"suggest_resolutions {said}", program.tool("suggest_resolutions", text=said)
        yield f"feed {said}", program.get(f"/feeds/{program.secret}/search.atom", q=said)
        yield f"/kb {said}", json.dumps(slack.typed(said))
    for ref in (names.hidden["PM"], names.shown["PM"]):
        yield f"get_postmortem {ref}", program.tool("get_postmortem", ref=ref)
    yield "list_action_items", program.tool("list_action_items")
    yield "published", program.get(f"/feeds/{program.secret}/postmortems.atom")
    yield "calendar", program.get(f"/actions/calendar/{program.secret}.ics")
    for rows in ("incidents", "postmortems", "fixes", "problems", "actions", "services", "teams", "tags"):
        yield rows, program.get(f"/api/v1/{rows}/")


@pytest.fixture
def site(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> Site:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    site = Site()
    learn(site.incident, site.postmortem, site.fix, *site.more)
    return site


def answers(site: Site, name: str, names: Names, words: list[str]) -> dict[str, str]:
    """Whatever they set off is undone, so that the next one finds the same."""
    who = site.people[name]
    assert who is not None
    with transaction.atomic():
        program = Program(who)
        SlackAccount.objects.create(
            team_id=slack.MEMBER["team_id"], member_id=slack.MEMBER["user_id"], user=who, linked_at=factory.NOON
        )
        normal = Reader(who, names).normal
        found = {what: normal(said.replace("\\", "")) for what, said in asked(program, names, words)}
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("name", ["other team", "former member"])
def test_a_program_is_answered_as_on_a_site_without(site: Site, learn: Learn, name: str) -> None:
    with transaction.atomic():  # only to know what it will be called
        secret = site.hide()
        names, words = Names.of(site, secret), list(secret.words.values())
        transaction.set_rollback(True)
    expected = answers(site, name, names, words)

    secret = site.hide()
    learn(*secret.documents())
    found = answers(site, name, Names.of(site, secret), words)

    assert {what: said for what, said in found.items() if said != expected[what]} == {}


def test_a_member_is_shown_it_by_each_of_these_doors(site: Site, learn: Learn) -> None:
    secret = site.hide()
    learn(*secret.documents())

    found = answers(site, "member", Names.of(site, secret), list(secret.words.values()))

    title = secret.words["Postmortem.title.0"]
    assert title in found[f"get_postmortem {Names.of(site, secret).hidden['PM']}"]
    assert title in found["postmortems"]
    assert title in found["published"]
    assert any(title in said for what, said in found.items() if what.startswith("search_postmortems"))
