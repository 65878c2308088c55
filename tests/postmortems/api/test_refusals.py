"""What the API refuses, and how: one shape for every refusal, and never a 500."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from kb import api, api_parser
from kb.api import PROBLEM
from kb.api_parser import JSONParser
from postmortems.api.once import once
from postmortems.models import Incident, KeptAnswer, Postmortem, User
from postmortems.models.kept_answer import GIVEN_UP, KEPT
from tests import factory
from tests.postmortems.api.asking import Program

pytestmark = pytest.mark.django_db

SLOW = {"title": "Checkout is slow"}


def problem_of(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM), answer.content[:300]
    said: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= set(said)
    assert (said["status"], said["code"]) == (status, code)
    return said


# --- every refusal is a problem ---


def test_a_wrong_field_is_named(alice: User) -> None:
    answer = Program(alice).post("/incidents/", title="", severity="huge", services=["checkout", 5])

    errors = {error["field"] for error in problem_of(answer, 400, "invalid")["errors"]}
    assert errors == {"title", "severity", "services.0", "services.1"}


def test_a_field_that_nests_is_named_by_its_path(alice: User) -> None:
    postmortem = factory.postmortem(owner=alice)

    answer = Program(alice).patch(f"/postmortems/{postmortem.ref}/", sections={"moral": "Be careful."})

    assert problem_of(answer, 400, "invalid")["errors"] == [
        {"field": "sections.moral", "detail": "There is no such section."}
    ]


def test_a_refusal_of_the_domain_says_its_reason(alice: User) -> None:
    incident = factory.incident(status="cancelled")

    said = problem_of(Program(alice).post(f"/incidents/{incident.ref}/resolve/"), 409, "not_possible")

    assert "cancelled" in said["detail"]


def test_who_lacks_the_role_is_told_which(admin: User) -> None:
    reader = factory.user("rita", roles=("reader",))

    said = problem_of(Program(reader).post("/incidents/", **SLOW), 403, "permission_denied")

    assert "declare an incident" in said["detail"]
    assert not Incident.objects.exists()


@pytest.mark.parametrize("path", ["/nowhere/", "/incidents/INC-1/nowhere/", "/incidents/12/", "/incidents/PM-1/"])
def test_an_address_that_does_not_exist_is_a_problem_too(alice: User, path: str) -> None:
    assert problem_of(Program(alice).get(path), 404, "not_found")["detail"] == api.NOWHERE


def test_a_method_that_is_not_there(alice: User) -> None:
    problem_of(Program(alice).ask("DELETE", "/incidents/"), 405, "method_not_allowed")


def test_an_unexpected_failure_tells_programs_no_page() -> None:
    request = APIRequestFactory().get("/api/v1/incidents/")

    answer = api.server_error(request)

    assert (answer.status_code, answer["Content-Type"], json.loads(answer.content)["code"]) == (500, PROBLEM, "error")
    assert b"<html" in api.server_error(APIRequestFactory().get("/incidents/")).content


@pytest.mark.parametrize(
    "body",
    [
        *("{", "nonsense", '{"title": NaN}', '{"title": "a\\u0000b"}', '{"title": "\\ud800"}', "[" * 100_000),
        *('{"a":' * 40 + "1" + "}" * 40, '{"limit": 1e400}', '{"limit": ' + "9" * 30 + "}", b"\xff\xfe"),
        '{"limit": ' + "9" * 5000 + "}",
    ],
)
@pytest.mark.parametrize("path", ["/incidents/", "/suggestions/"])
def test_what_is_no_usable_json_is_refused(alice: User, path: str, body: str | bytes) -> None:
    problem_of(Program(alice).ask("POST", path, body), 400, "parse_error")


@pytest.mark.parametrize("body", ["[]", '"title"', "null", "5", '{"title": {"a": 1}}', '{"title": ["Slow"]}'])
def test_json_of_another_shape_is_refused(alice: User, body: str) -> None:
    problem_of(Program(alice).ask("POST", "/incidents/", body), 400, "invalid")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/xml", "nonsense"])
def test_another_content_type_is_refused(alice: User, kind: str) -> None:
    program = Program(alice)

    answer = program.client.post("/api/v1/incidents/", "title=Slow", content_type=kind, headers=program.headers)

    problem_of(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused(alice: User) -> None:
    body = json.dumps({"title": "x" * api_parser.MOST_BYTES})

    problem_of(Program(alice).ask("POST", "/incidents/", body), 413, "too_large")


@pytest.mark.parametrize("query", ["?severity=%00", "?%00=1", "?q=%00", "?services=%00x"])
def test_a_query_string_with_nul_is_refused(alice: User, query: str) -> None:
    for path in ("/incidents/", "/search/"):
        assert Program(alice).get(path + query).status_code == 400


# --- If-Match ---


def test_only_the_version_that_was_read_is_changed(alice: User) -> None:
    incident, program = factory.incident(), Program(alice)
    at = f"/incidents/{incident.ref}/"
    read = program.get(at)["ETag"]

    first = program.patch(at, title="Checkout is slow", match=read)
    second = program.patch(at, title="Checkout is down", match=read)
    step = program.post(f"{at}resolve/", match=read)

    assert first.status_code == 200 and first["ETag"] != read
    problem_of(second, 412, "outdated")
    problem_of(step, 412, "outdated")
    incident.refresh_from_db()
    assert (incident.title, incident.status) == ("Checkout is slow", "open")
    assert program.post(f"{at}resolve/", match=first["ETag"]).json()["status"] == "resolved"
    assert program.post(f"{at}reopen/", match="*", reason="It is back.").status_code == 200


def test_the_text_of_a_postmortem_is_guarded_and_merged(alice: User) -> None:
    row, program = factory.postmortem(owner=alice, sections={"summary": "It was down."}), Program(alice)
    at = f"/postmortems/{row.ref}/"
    read = program.get(at)["ETag"]

    saved = program.patch(at, sections={"impact": "Nobody could pay."}, match=read)
    late = program.put(f"{at}sections/summary/", body="It was up.", match=read)
    merged = program.patch(at, sections={"detection": "A probe."}, base=1)
    clash = program.patch(at, sections={"impact": "Everybody could pay."}, base=1)

    assert saved.status_code == 200, saved.content
    assert (saved.json()["revision"], saved.json()["sections"]["impact"]) == (2, "Nobody could pay.")
    problem_of(late, 412, "outdated")
    assert set(merged.json()["sections"]) == {"summary", "impact", "detection"}
    problem_of(clash, 409, "conflict")


def test_a_fix_is_guarded(alice: User) -> None:
    fix, program = factory.fix(steps="Drain it."), Program(alice)
    at = f"/fixes/{fix.ref}/"
    read = program.get(at)["ETag"]

    first = program.patch(at, steps="Drain it, then wait.", match=read)
    second = program.patch(at, steps="Do not drain it.", match=read)

    assert first.json()["steps"] == "Drain it, then wait."
    problem_of(second, 412, "outdated")


# --- Idempotency-Key ---


def test_the_same_key_creates_once(alice: User) -> None:
    program = Program(alice)

    first = program.post("/incidents/", key="k-1", **SLOW)
    second = program.post("/incidents/", key="k-1", **SLOW)
    other = program.post("/incidents/", key="k-2", **SLOW)

    assert first.status_code == second.status_code == 201
    assert second.json() == first.json() and second["Location"] == first["Location"]
    assert second["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert other.json()["ref"] != first.json()["ref"]
    assert program.client.get(first["Location"], headers=program.headers).json()["ref"] == first.json()["ref"]


def test_the_same_key_with_another_body_or_address_is_refused(alice: User) -> None:
    program = Program(alice)
    program.post("/incidents/", key="k", **SLOW)

    problem_of(program.post("/incidents/", key="k", title="Other"), 422, "idempotency_key_reused")
    problem_of(program.post("/problems/", key="k", **SLOW), 422, "idempotency_key_reused")
    assert Incident.objects.count() == 1


def test_keys_are_ones_own(alice: User, bob: User) -> None:
    first = Program(alice).post("/incidents/", key="k", **SLOW)

    assert Program(bob).post("/incidents/", key="k", **SLOW).json()["ref"] != first.json()["ref"]


def test_what_was_refused_may_be_sent_again_with_its_key(alice: User) -> None:
    program = Program(alice)

    assert program.post("/incidents/", key="k", title="").status_code == 400
    assert program.post("/incidents/", key="k", **SLOW).status_code == 201


def test_a_key_that_is_being_worked_on_waits_and_a_dead_one_does_not(alice: User) -> None:
    program, now = Program(alice), timezone.now()
    program.post("/incidents/", key="k", **SLOW)
    KeptAnswer.objects.update(status=None, at=now)

    answer = program.post("/incidents/", key="k", **SLOW)
    KeptAnswer.objects.update(at=now - GIVEN_UP)
    again = program.post("/incidents/", key="k", **SLOW)

    problem_of(answer, 409, "idempotency_key_in_use")
    assert answer["Retry-After"] == "1"
    assert again.status_code == 201


def test_a_key_is_forgotten_after_a_day(alice: User) -> None:
    program = Program(alice)
    first = program.post("/incidents/", key="k", **SLOW)
    KeptAnswer.objects.update(at=timezone.now() - KEPT - timedelta(seconds=1))

    assert program.post("/incidents/", key="k", **SLOW).json()["ref"] != first.json()["ref"]


@pytest.mark.parametrize("key", ["x" * 201, "é", "a\tb"])
def test_a_key_that_is_no_key_is_refused(alice: User, key: str) -> None:
    problem_of(Program(alice).post("/incidents/", key=key, **SLOW), 400, "invalid")


def test_what_became_hidden_is_not_told_again(alice: User) -> None:
    program = Program(alice)
    first = program.post("/incidents/", key="k", **SLOW)
    row = Incident.objects.get()
    row.admit(visibility="restricted", members=[], teams=[])

    assert program.post("/incidents/", key="k", **SLOW).status_code == 404
    assert first.status_code == 201


def test_remarks_and_outcomes_have_keys_too(alice: User) -> None:
    program, incident, fix = Program(alice), factory.incident(), factory.fix()
    draft = factory.postmortem(owner=alice, status=Postmortem.Status.DRAFT)

    for path, body in (
        (f"/incidents/{incident.ref}/timeline/", {"text": "p95 falls"}),
        (f"/incidents/{incident.ref}/outcomes/", {"fix": fix.ref, "outcome": "worked"}),
        (f"/postmortems/{draft.ref}/comments/", {"body": "Since when?"}),
    ):
        answers = [program.post(path, key=path[-12:], **body) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201], answers[0].content
        assert answers[0].json() == answers[1].json()
    assert (incident.timeline.count(), draft.comments.count()) == (1, 1)


def test_of_two_that_come_at_once_one_creates(alice: User) -> None:
    """The second one comes while the first is being worked on."""
    first = Request(
        APIRequestFactory().post("/api/v1/incidents/", SLOW, headers={"Idempotency-Key": "k"}, format="json"),
        [JSONParser()],
    )
    first.user = alice
    second: list[Any] = []

    def work() -> Response:
        second.append(Program(alice).post("/incidents/", key="k", **SLOW))
        return Response({"ref": "INC-1"}, status=201)

    answer = once(first, work, still_seen=lambda body: True)

    assert answer.status_code == 201
    problem_of(second[0], 409, "idempotency_key_in_use")
    assert not Incident.objects.exists()
