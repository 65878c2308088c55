"""Webhooks by program: for administrators, with the log of what was sent, and again."""

from typing import Any

import pytest

from postmortems.models import KeptAnswer, User, Webhook, WebhookDelivery
from tests import factory
from tests.postmortems.api.asking import Program

pytestmark = pytest.mark.django_db

WANTED = {"name": "Pager", "url": "https://hooks.example.org/x", "events": ["incident.opened"]}


def done(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content[:500]
    return answer.json() if answer.content else None


@pytest.fixture
def hooks() -> User:
    return factory.user("hooks", roles=("reader",), is_integration=True)


def test_a_webhook_from_its_secret_to_its_end(admin: User, hooks: User) -> None:
    program = Program(admin)

    new = done(program.post("/webhooks/", account="hooks", **WANTED), 201)
    at = f"/webhooks/{new['id']}/"
    read = program.get(at)
    changed = program.patch(at, events=["action.overdue", "incident.opened"], match=read["ETag"])
    late = program.patch(at, name="Other", match=read["ETag"])
    rotated = done(program.post(f"{at}rotate-secret/"))

    assert new["secret"].startswith("whsec_") and rotated["secret"] not in ("", new["secret"])
    assert "secret" not in done(read) and "secret" not in str(done(program.get("/webhooks/")))
    assert done(changed)["events"] == ["action.overdue", "incident.opened"]
    assert (done(changed)["url"], late.status_code) == (WANTED["url"], 412)
    assert done(program.post(f"{at}disable/"))["is_active"] is False
    assert program.post(f"{at}test/").status_code == 409
    assert done(program.post(f"{at}enable/"))["is_active"] is True
    assert program.ask("DELETE", at).status_code == 204
    assert not Webhook.objects.exists()


def test_a_secret_is_told_once_and_kept_nowhere(admin: User, hooks: User) -> None:
    program = Program(admin)

    first, second = (program.post("/webhooks/", key="k", account="hooks", **WANTED) for _ in range(2))

    assert done(second, 201) == {**done(first, 201), "secret": None}
    assert "whsec_" not in str(KeptAnswer.objects.get().body)
    assert Webhook.objects.count() == 1


def test_deliveries_are_listed_and_sent_again(admin: User, hooks: User) -> None:
    program = Program(admin)
    at = f"/webhooks/{done(program.post('/webhooks/', account='hooks', **WANTED), 201)['id']}/"

    done(program.post(f"{at}test/"))
    (delivery,) = done(program.get(f"{at}deliveries/"))["results"]
    again = f"{at}deliveries/{delivery['id']}/redeliver/"
    refused = program.post(again)
    WebhookDelivery.objects.update(state="failed")

    assert (delivery["event"], delivery["state"]) == ("test", "waiting")
    assert done(refused, 409)["code"] == "not_now"
    assert done(program.post(again))["state"] == "waiting"
    assert program.post(f"{at}deliveries/{delivery['id'] + 1}/redeliver/").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "nonsense"}, "url"),
        ({"events": ["test"]}, "events.0"),
        ({"events": []}, "events"),
        ({"account": "alice"}, "account"),
        ({"account": "nobody"}, "account"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused(
    admin: User, alice: User, hooks: User, wrong: dict[str, Any], field: str
) -> None:
    answer = Program(admin).post("/webhooks/", **{"account": "hooks", **WANTED, **wrong})

    assert [error["field"] for error in done(answer, 400)["errors"]] == [field]
    assert not Webhook.objects.exists()


def test_nobody_else_is_told_even_their_names(alice: User, admin: User) -> None:
    program = Program(alice)
    known = {**WANTED, "account": admin}
    row = Webhook.objects.add(secret="whsec_eA==", at=factory.NOON, **known)

    answers = [
        program.get("/webhooks/"),
        program.get(f"/webhooks/{row.pk}/"),
        program.get("/webhooks/999/"),
        program.post(f"/webhooks/{row.pk}/test/"),
        program.ask("DELETE", f"/webhooks/{row.pk}/"),
    ]

    assert {answer.status_code for answer in answers} == {403}
