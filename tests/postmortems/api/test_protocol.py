"""What HTTP promises: addresses, versions, kinds of answers, methods; and that a word written wrong is told."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from kb.api import PROBLEM
from postmortems.models import Incident, User, Visibility
from tests import factory
from tests.postmortems.api.asking import Program
from tests.postmortems.test_writing import on_file

pytestmark = pytest.mark.django_db

JSON = "application/json"


def fields_of(answer: Any) -> list[str]:
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM), answer.content[:300]
    return [error["field"] for error in answer.json()["errors"]]


# --- addresses ---


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/incidents", "/incidents/INC-1", "/intake/generic", "/mcp"])
@pytest.mark.portable
def test_without_its_slash_an_address_sends_on_with_method_and_body(
    alice: User, settings: Settings, method: str, path: str
) -> None:
    settings.DEBUG = True  # where Django would rather fail

    answer = Program(alice).ask(method, f"{path}?a=b", {"title": "Slow"})

    assert (answer.status_code, answer["Location"]) == (308, f"/api/v1{path}/?a=b")
    assert answer["Content-Type"] == PROBLEM and answer.json()["code"] == "moved"
    assert f"/api/v1{path}/?a=b" in answer.json()["detail"]
    assert not Incident.objects.exists()


def test_a_program_that_follows_has_written(alice: User) -> None:
    program = Program(alice)

    answer = program.client.post(
        "/api/v1/incidents", {"title": "Slow"}, content_type=JSON, headers=program.headers, follow=True
    )

    assert (answer.status_code, Incident.objects.get().title) == (201, "Slow")


def test_pages_for_people_and_what_is_nowhere_are_as_before(alice: User) -> None:
    assert factory.signed_in(alice).get("/incidents").status_code == 301
    assert Program(alice).post("/nowhere").status_code == 404


# --- versions ---


def test_versions_are_compared_as_http_says(alice: User) -> None:
    program, incident = Program(alice), factory.incident()
    at = f"/incidents/{incident.ref}/"
    etag = program.get(at)["ETag"]

    def status(match: str) -> int:
        return int(program.patch(at, title="Checkout is slow", match=match).status_code)

    assert [status(match) for match in (f"W/{etag}", '"a"', '""', 'W/"a"')] == [412] * 4
    assert "weak" in program.patch(at, title="Slow", match=f"W/{etag}").json()["detail"]
    for wrong in (etag.strip('"'), "nonsense", ",", '"'):
        assert fields_of(program.patch(at, title="Slow", match=wrong)) == ["If-Match"]
    assert status(f'"a", {etag}') == 200
    assert status("*") == 200


def test_what_is_known_is_not_told_again(alice: User) -> None:
    program, incident = Program(alice), factory.incident()
    address = f"/api/v1/incidents/{incident.ref}/"
    etag = program.client.get(address, headers=program.headers)["ETag"]

    def status(known: str, method: str = "get") -> int:
        ask = getattr(program.client, method)
        return int(ask(address, headers={**program.headers, "If-None-Match": known}).status_code)

    assert [status(known) for known in (etag, f"W/{etag}", f'"a", {etag}', "*")] == [304] * 4
    assert status(etag, "head") == 304
    assert [status(known) for known in ('"a"', "nonsense")] == [200] * 2


@pytest.mark.parametrize("place", ["incidents", "postmortems", "fixes", "actions"])
def test_of_many_who_change_one_version_at_once_exactly_one_does(
    transactional_db: None, tmp_path: Path, settings: Settings, alice: User, place: str
) -> None:
    """Threads on a database in a file, each with its connection, as a server has them."""
    settings.DATA_DIR, settings.SEARCH_URL = tmp_path, "memory:"
    home = factory.postmortem(owner=alice)
    rows = {
        "incidents": factory.incident,
        "fixes": lambda: factory.fix(steps="Drain it."),
        "actions": lambda: factory.action_item(postmortem=home),
        "postmortems": lambda: home,
    }
    at, programs = f"/{place}/{rows[place]().ref}/", [Program(alice) for _ in range(4)]
    etag = programs[0].get(at)["ETag"]
    copy = tmp_path / "threads.sqlite3" if connection.vendor == "sqlite" else None
    if copy:
        with sqlite3.connect(copy) as file:
            connection.connection.backup(file)
        file.close()
    answers: list[Any] = []
    start = threading.Barrier(len(programs))

    def work(number: int) -> None:
        connections["default"] = on_file(copy) if copy else connections["default"]
        try:
            start.wait(timeout=60)
            answers.append(programs[number].patch(at, title=f"Title {number}", match=etag))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(programs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412], [a.content for a in answers]


# --- kinds of answers, methods ---


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "image/*", "nonsense"])
@pytest.mark.portable
def test_who_takes_no_json_is_told_so(alice: User, kind: str) -> None:
    program = Program(alice)

    answer = program.client.get("/api/v1/incidents/", headers={**program.headers, "Accept": kind})

    assert (answer.status_code, answer["Content-Type"], answer.json()["code"]) == (406, PROBLEM, "not_acceptable")


def test_head_is_get_without_its_body_and_options_says_where_to_read(alice: User) -> None:
    program, address = Program(alice), f"/api/v1/incidents/{factory.incident().ref}/"

    get, head = (ask(address, headers=program.headers) for ask in (program.client.get, program.client.head))
    options = program.client.options(address, headers=program.headers)

    assert (head.status_code, head.content, head["ETag"]) == (200, b"", get["ETag"])
    assert options.json() == {"described_by": "http://testserver/api/v1/schema/"}
    assert options["Allow"] == "GET, PATCH, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["intake/generic/", "mcp/", "slack/command/"])
@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
@pytest.mark.portable
def test_doors_that_take_post_alone_say_so_to_programs(method: str, path: str) -> None:
    answer = getattr(Client(), method)(f"/api/v1/{path}")

    assert (answer.status_code, answer["Content-Type"], answer["Allow"]) == (405, PROBLEM, "POST")
    assert answer.json()["code"] == "method_not_allowed"


# --- words written wrong ---


def test_a_field_that_is_not_there_is_refused_by_its_name(alice: User) -> None:
    program, incident = Program(alice), factory.incident()
    row, fix = factory.postmortem(owner=alice), factory.fix()
    at = f"/incidents/{incident.ref}/"

    for answer, fields in (
        (program.post("/incidents/", title="Slow", sevrity="sev1"), ["sevrity"]),
        (program.patch(at, title="Slow", status="closed", ref="INC-9"), ["ref", "status"]),
        (program.post(f"{at}cancel/", reason="A drill.", raeson="x"), ["raeson"]),
        (program.post(f"{at}resolve/", reason="x"), ["reason"]),
        (program.post(f"{at}outcomes/", fix=fix.ref, outcome="worked", minutes=4), ["minutes"]),
        (program.patch(f"/postmortems/{row.ref}/", sections={"moral": "x"}), ["sections.moral"]),
        (program.post("/suggestions/", title="Slow", limt=3), ["limt"]),
        (program.patch("/me/settings/", mail=True), ["mail"]),
    ):
        assert fields_of(answer) == fields
    incident.refresh_from_db()
    assert (incident.title, incident.status) == ("Checkout answers 503", "open")


@pytest.mark.parametrize("name", ["title", "symptoms", "severity", "services", "started_at"])
def test_null_is_refused_where_something_has_to_be(alice: User, name: str) -> None:
    assert fields_of(Program(alice).patch(f"/incidents/{factory.incident().ref}/", **{name: None})) == [name]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/incidents/?tittle=x", "tittle"),
        ("/incidents/?ordering=-id", "ordering"),
        ("/incidents/?severity=sev9", "severity"),
        ("/incidents/?severity=sev1&severity=sev2", "severity"),
        ("/incidents/?services=nowhere", "services"),
        ("/incidents/?page=1&page=2", "page"),
        ("/incidents/?per_page=1000000000", "per_page"),
        ("/actions/?mine=nonsense", "mine"),
        ("/actions/?team=nowhere", "team"),
        ("/tags/?name=x", "name"),
        ("/search/?q=x&sort=severity", "sort"),
        ("/search/?q=x&team=x", "team"),
        ("/search/?q=x&kind=essay", "kind"),
        ("/search/?q=x&service=checkout&service=nowhere", "service"),
        ("/search/?q=x&tag=nowhere", "tag"),
        ("/search/?q=x&year=last", "year"),
    ],
)
def test_a_filter_or_value_that_does_not_exist_is_named(alice: User, path: str, field: str) -> None:
    factory.service("Checkout")

    assert fields_of(Program(alice).get(path)) == [field]


def test_a_service_that_only_hidden_documents_name_does_not_exist(alice: User, charlie: User) -> None:
    incident = factory.incident(visibility=Visibility.RESTRICTED, services=("Vault",))
    incident.members.add(alice)

    member, other = (Program(who).get("/search/", q="x", service="vault") for who in (alice, charlie))
    missing = Program(charlie).get("/search/", q="x", service="nowhere")

    assert member.status_code == 200
    assert fields_of(other) == ["service"]
    assert other.text.replace("vault", "nowhere") == missing.text


@pytest.mark.parametrize(("word", "count"), [("true", 1), ("1", 1), ("on", 1), ("false", 2), ("0", 2), ("", 2)])
def test_a_tick_is_a_word_in_an_address(alice: User, word: str, count: int) -> None:
    home = factory.postmortem()
    factory.action_item(postmortem=home, owner=alice)
    factory.action_item("Other", postmortem=home)

    assert Program(alice).get("/actions/", mine=word).json()["count"] == count
