"""Schemathesis over our own description: as every role and every scope, what is answered is what was described.

Requests are made up of the description itself, the same ones at each run; refs of real rows are put into half of them,
of open rows and of hidden ones, whose words nobody but administrators may be told.
"""

import io
import itertools
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from postmortems.models import ApiToken, Scope, User
from postmortems.roles import Role
from tests import factory
from tests.postmortems.canaries import TOKEN, word
from tests.postmortems.conftest import Learn
from tests.postmortems.test_leaks import Names, Site

# A whole request, as a server makes it, closes the connection to PostgreSQL that holds the test's rows.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600), pytest.mark.sqlite]
CHECKS = (
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    *(response_schema_conformance, response_headers_conformance),
)


class Persona(NamedTuple):
    """Somebody who asks: an account, and what its token is good for."""

    name: str
    headers: dict[str, str]
    sees_all: bool


def personas() -> list[Persona]:
    """Every role with a token for everything, and tokens for less."""
    found = []
    for role in Role:
        who = factory.user(f"the-{role}", roles=(role,))
        scopes = [("read", "write")] + ([("read",), ("write",)] if role is Role.AUTHOR else [])
        found += [
            Persona(f"{role}: {' '.join(each)}", header(who, *each), role is Role.ADMINISTRATOR) for each in scopes
        ]
    return found


def shut_out() -> list[Persona]:
    """Those whom every operation refuses: one after the other is tried."""
    root = User.objects.get(username="the-administrator")
    others = [Persona(scope, header(root, scope), False) for scope in Scope if scope not in {"read", "write"}]
    return [Persona("stranger", {}, False), *others]


def header(who: User, *scopes: str) -> dict[str, str]:
    secret = ApiToken.objects.issue(user=who, name="test", scopes=scopes, at=timezone.now())[1]
    return {"Authorization": f"Bearer {secret}"}


def operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", get_wsgi_application())
    for found in schema.get_all_operations():
        if not found.ok().path.startswith(
            "/api/v1/intake/"
        ):  # by other scopes: `test_description.py`, and tests of its own
            yield found.ok()


class Filler:
    """Puts the names of real rows where the description only says that there is a name."""

    def __init__(self, names: Names) -> None:
        self.refs = {
            place: itertools.cycle([names.hidden[prefix], names.shown[prefix]])
            for place, prefix in (
                *(("incidents", "INC"), ("postmortems", "PM"), ("fixes", "FIX"), ("problems", "PRB")),
                ("actions", "ACT"),
            )
        }
        self.slugs = itertools.cycle([word("service", "slug"), "checkout"])
        self.count = itertools.count()

    def fill(self, case: Any) -> None:
        place = case.operation.path.split("/")[3]
        given = case.path_parameters or {}
        if "ref" in given and next(self.count) % 4:
            given["ref"] = next(self.refs[place])
        if "slug" in given:
            given["slug"] = next(self.slugs)
        if "token" in given:
            given["token"] = TOKEN
        for name in {"number", "id"} & set(given):
            given[name] = 1


def text_of(content: bytes) -> str:
    """What can be read in an answer; of a zip, in its files and their names."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"\n".join(piece for name in archive.namelist() for piece in (name.encode(), archive.read(name)))
    return content.decode(errors="replace")


def test_every_answer_is_as_described_and_tells_nothing_hidden(learn: Learn) -> None:
    site = Site()
    secret = site.hide()
    learn(site.incident, site.postmortem, site.fix, *secret.documents())
    allowed, others = personas(), itertools.cycle(shut_out())
    filler, words = Filler(Names.of(site, secret)), list(secret.words.values())
    met: dict[str, set[int]] = {}
    wrong: list[str] = []
    turns: list[Persona] = []

    def answer(case: Any) -> None:
        persona = turns.pop()
        filler.fill(case)
        cache.clear()
        with transaction.atomic():
            response = case.call(headers=persona.headers)
            transaction.set_rollback(True)
        met.setdefault(persona.name, set()).add(response.status_code)
        text = text_of(response.content)
        told = [] if persona.sees_all else [each for each in words if each in text]
        if persona.name == "stranger" and response.status_code != 401:
            wrong.append(f"A stranger: {case.operation.label} {response.status_code} {case.headers} {text}")
        if told:
            wrong.append(f"{persona.name}: {case.operation.label} says {told}")
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            said = [str(each) for each in getattr(failure, "exceptions", [failure])]
            wrong.append(f"{persona.name}: {case.operation.label} {response.status_code}: {said}"[:1500])

    tried = 0
    for operation in operations():
        ask = given(operation.as_strategy())(answer)
        turns[:] = [next(others), *allowed]
        settings(
            max_examples=len(turns),
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )(ask)()
        tried += 1

    assert not wrong, f"{len(wrong)} answers:\n" + "\n".join(wrong[:12])
    assert tried > 90
    assert {200, 201, 400, 404} <= met["author: read write"]
    assert met["author: write"] & met["author: read"] >= {403}
    assert met["stranger"] == {401}
    for scope in ("feed", "ingest", "metrics"):
        assert 403 in met[scope] <= {400, 403}, scope  # 400: what cannot be read is told before who asks is judged
