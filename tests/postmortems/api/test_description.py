"""The description of the API: on file, complete, and readable as a page of ours."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client
from jsonschema import Draft202012Validator

from postmortems import intake
from postmortems.api.describing import OPENAPI, described
from postmortems.models import User
from tests import factory
from tests.postmortems.api import snapshot
from tests.postmortems.api.asking import Program
from tests.postmortems.conftest import Learn

DOCS = "/api/v1/docs/"
PAYLOADS = Path(__file__).parent.parent / "intake" / "payloads"


def test_the_description_is_the_one_on_file() -> None:
    """Failed? Look at what changed; meant so, `python -m tests.postmortems.api.snapshot` writes the file anew."""
    before, now = snapshot.FILE.read_text().splitlines(), snapshot.now().splitlines()

    gone, new = [line for line in before if line not in now], [line for line in now if line not in before]
    assert (gone, new) == ([], [])
    assert before == now


@pytest.mark.portable
def test_everybody_may_read_the_description(db: None) -> None:
    answer = Client().get("/api/v1/schema/")

    assert (answer.status_code, answer["Content-Type"]) == (200, OPENAPI)
    assert answer.json()["openapi"].startswith("3.1")


def test_nothing_was_guessed() -> None:
    said = [each for each in run_checks(include_deployment_checks=True) if str(each.id).startswith("drf_spectacular")]

    assert said == []


def test_every_operation_says_what_it_does_what_it_needs_and_how_it_refuses() -> None:
    operations = [each for methods in described()["paths"].values() for each in methods.values()]

    assert len(operations) > 90
    assert len({each["operationId"] for each in operations}) == len(operations)
    for each in operations:
        name = each["operationId"]
        assert len(each["description"]) > len("Scope of a token: `write`."), name
        is_intake = each["tags"] == ["intake"]  # no session, and who may not is not told why
        assert {"400", "401", *([] if is_intake else ["403"])} <= set(each["responses"]), name
        ways = ["token"] if is_intake else ["token", "basic", "session"]
        assert [scheme for way in each["security"] for scheme in way] == ways, name


def test_a_list_within_a_row_promises_no_filter_of_the_list_of_rows() -> None:
    promised = {
        path: {each["name"] for each in methods["get"]["parameters"] if each.get("in") == "query"}
        for path, methods in described()["paths"].items()
        if "{" in path and "get" in methods
    }

    assert {"page", "per_page"} in promised.values()
    assert {path: names for path, names in promised.items() if not names <= {"page", "per_page"}} == {}


def test_what_is_sent_has_examples() -> None:
    sent = [
        each["requestBody"]["content"]["application/json"]
        for methods in described()["paths"].values()
        for name, each in methods.items()
        if each["operationId"] in {"incidents_create", "postmortems_create", "fixes_create", "suggestions_create"}
    ]

    assert len(sent) == 4
    assert [content for content in sent if not content.get("examples")] == []


@pytest.mark.parametrize("source", intake.SOURCES)
def test_alerts_and_their_answers_are_as_described(alice: User, learn: Learn, source: str) -> None:
    """The recorded payloads of each source, against the description."""
    learn()
    path = "/api/v1/intake/generic/" if source == "generic" else "/api/v1/intake/{source}/"
    operation = described()["paths"][path]["post"]
    whole = {"components": described()["components"]}
    sent = operation["requestBody"]["content"]["application/json"]["schema"]
    told = operation["responses"]["200"]["content"]["application/json"]["schema"]

    for file in sorted(PAYLOADS.joinpath(source).iterdir()):
        delivery = json.loads(file.read_text())
        recorded, program = delivery["body"], Program(alice, "ingest", "read")
        address, headers = f"/api/v1/intake/{source}/?suggest=1", {**program.headers, **delivery["headers"]}
        answer = program.client.post(address, recorded, content_type="application/json", headers=headers)

        assert answer.status_code == 200, answer.content
        Draft202012Validator({**whole, **sent}).validate(recorded)
        Draft202012Validator({**whole, **told}).validate(answer.json())
        assert answer.json()["received"] >= 1
    if source != "generic":
        assert source in next(each for each in operation["parameters"] if each["name"] == "source")["schema"]["enum"]


@pytest.mark.portable
def test_the_pages_show_every_operation_without_a_script(alice: User) -> None:
    client = factory.signed_in(alice)
    first = client.get(DOCS).text
    pages = [client.get(address).text for address in re.findall(rf'<h2 id="[\w-]+"><a href="({DOCS}[\w-]+/)">', first)]

    shown = [set(re.findall(r"<code>(/api/v1/[^<]+)</code>", text)) for text in (first, "".join(pages))]
    assert shown == [set(described()["paths"])] * 2
    assert all(
        set(re.findall(r'href="#shape-(\w+)"', page)) <= set(re.findall(r'id="shape-(\w+)"', page)) for page in pages
    )
    assert not re.search(
        r"<script(?! src=\"/static/)|http://(?!127\.0\.0\.1|localhost|testserver)", "".join([first, *pages])
    )
    assert max(len(page.encode()) for page in pages) <= 100_000
    assert not [page for page in (first, *pages) if "`" in page or ".py" in page]
    assert client.get(f"{DOCS}nowhere/").status_code == 404
    assert Client().get(DOCS).status_code == 302


@pytest.mark.parametrize("path", ["/api/v1/schema/", DOCS])
@pytest.mark.portable
def test_the_description_is_only_read(alice: User, path: str) -> None:
    answer: Any = factory.signed_in(alice).post(path)

    assert answer.status_code == 405


@pytest.mark.portable
def test_the_file_is_a_description(db: None) -> None:
    names = [line.split(" ")[1] for line in snapshot.FILE.read_text().splitlines() if line.startswith("POST")]

    assert "/api/v1/incidents/" in names
    assert json.dumps(described(), default=str)
