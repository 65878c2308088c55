"""`/kb` in Slack: who signs, who asks, and what only they are shown."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from postmortems.api.slack_blocks import escaped
from postmortems.intake.signatures import hmac_hex
from postmortems.models import AuditEvent, Postmortem, SigningKey, SlackAccount, SuggestionRun, User, Visibility
from postmortems.workflows import slack
from tests import factory
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
MEMBER = {"team_id": "T1DC2JH3J", "user_id": "U2CERLKJA"}
# As Slack prints it in its documentation of signatures.
PUBLISHED = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
PUBLISHED_HEADERS = {
    "X-Slack-Request-Timestamp": "1531420618",
    "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
}


@pytest.fixture(autouse=True)
def key(db: None) -> SigningKey:
    key = SigningKey(source="slack", name="Ours")
    key.keep(SECRET)
    return SigningKey.objects.bulk_create([key])[0]


def headers_for(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac_hex(secret, b"v0:", stamp.encode(), b":", body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def send(body: bytes, headers: dict[str, str]) -> Any:
    return Client().post(
        "/api/v1/slack/command/", body, content_type="application/x-www-form-urlencoded", headers=headers
    )


def typed(text: str, **form: str) -> Any:
    """What Slack shows to who typed it."""
    body = urlencode({**MEMBER, "command": "/kb", "trigger_id": str(time.monotonic_ns()), "text": text, **form})
    answer = send(body.encode(), headers_for(body.encode()))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["response_type"] == "ephemeral"
    return said


def link(user: User) -> Any:
    return typed(f"link {slack.code_for(user)}")


# --- who signs ---


def test_the_vector_that_slack_publishes_verifies() -> None:
    at = datetime.fromtimestamp(1531420618, UTC)

    assert slack.SIGNATURE.signed_with(SECRET, PUBLISHED_HEADERS, PUBLISHED, at=at)
    assert not slack.SIGNATURE.signed_with(SECRET, PUBLISHED_HEADERS, PUBLISHED + b"x", at=at)
    assert not slack.SIGNATURE.signed_with(SECRET[::-1], PUBLISHED_HEADERS, PUBLISHED, at=at)


def test_what_is_older_than_five_minutes_is_refused() -> None:
    assert send(PUBLISHED, PUBLISHED_HEADERS).status_code == 401


@pytest.mark.parametrize("away", [-301, 301])
def test_a_time_that_is_not_ours_is_refused(alice: User, away: int) -> None:
    body = urlencode({**MEMBER, "text": f"link {slack.code_for(alice)}"}).encode()

    assert send(body, headers_for(body, at=time.time() + away + (1 if away > 0 else -1))).status_code == 401
    assert not SlackAccount.objects.exists()


def test_without_a_good_signature_nothing_is_written(alice: User, key: SigningKey) -> None:
    body = urlencode({**MEMBER, "text": f"link {slack.code_for(alice)}"}).encode()
    good = headers_for(body)
    stamp, digest = good["X-Slack-Request-Timestamp"], good["X-Slack-Signature"]

    for wrong in (
        {},
        {"X-Slack-Signature": digest},
        {"X-Slack-Request-Timestamp": stamp},
        {**good, "X-Slack-Request-Timestamp": f"{stamp}0"},
        {**good, "X-Slack-Signature": digest.removeprefix("v0=")},
        {**good, "X-Slack-Signature": "v0="},
        {**good, "X-Slack-Signature": digest.replace("v0=", "v1=")},
        headers_for(body, secret="another"),
        headers_for(body + b"x"),
    ):
        assert send(body, wrong).status_code == 401
    SigningKey.objects.filter(pk=key.pk).update(revoked_at=factory.NOON)
    assert send(body, good).status_code == 401

    key.refresh_from_db()
    assert not SlackAccount.objects.exists() and key.last_used_at is None


def test_a_request_that_is_sent_again_is_refused() -> None:
    body = urlencode({**MEMBER, "text": "help"}).encode()
    headers = headers_for(body)

    assert send(body, headers).status_code == 200
    assert send(body, headers).status_code == 401
    beside = {**headers, "X-Slack-Signature": f"v0=00,{headers['X-Slack-Signature']}"}
    assert send(body, beside).status_code == 401


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join([b"a=b"] * 80)])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    assert send(body, headers_for(body)).status_code == 400


def test_too_long_a_body_is_not_read() -> None:
    body = b"text=" + b"x" * 100_001

    assert send(body, headers_for(body)).status_code == 413


# --- who asks ---


@pytest.mark.parametrize("text", ["", "help", "database timeouts", "link", "link nonsense"])
def test_who_is_not_linked_is_only_told_how_to(learn: Learn, text: str) -> None:
    factory.postmortem("Database timeouts of checkout")

    said = typed(text)

    assert "account" in said["text"]
    assert "blocks" not in said and "checkout" not in json.dumps(said)


def test_a_code_from_the_account_page_links_an_account_once(alice: User) -> None:
    page = factory.signed_in(alice).post("/account/slack/").text
    code = page.partition("/kb link ")[2].partition('"')[0]

    assert "alice" in typed(f"link {code}")["text"]

    assert SlackAccount.objects.get().user == alice
    assert AuditEvent.objects.filter(action="account.link_slack", by=alice).exists()
    assert "not known" in typed(f"link {code}", user_id="U2")["text"]
    assert SlackAccount.objects.count() == 1


def test_a_member_who_links_again_is_who_they_say_last(alice: User, bob: User) -> None:
    link(alice)
    link(bob)

    assert SlackAccount.objects.get().user == bob


def test_a_closed_account_is_not_linked_and_not_answered(learn: Learn, alice: User) -> None:
    link(alice)
    alice.let_in(False)

    assert "Link your account first" in typed("database timeouts")["text"]
    assert "closed" in link(alice)["text"]


def test_one_unlinks_ones_own_only(alice: User, bob: User) -> None:
    link(alice)
    address = f"/account/slack/{SlackAccount.objects.get().pk}/unlink/"

    assert factory.signed_in(bob).post(address).status_code == 404
    assert "U2CERLKJA" not in factory.signed_in(bob).get("/account/slack/").text
    assert "U2CERLKJA" in factory.signed_in(alice).get("/account/slack/").text
    assert factory.signed_in(alice).post(address).status_code == 302

    assert "Link your account first" in typed("database timeouts")["text"]


def test_who_is_not_named_is_told_so() -> None:
    assert "did not say" in typed("database", user_id="")["text"]


# --- what they are shown ---


@pytest.fixture
def known(learn: Learn) -> Postmortem:
    postmortem = factory.postmortem(
        "Database <b> connection & timeouts",
        sections={"summary": "Connection timeouts of the database.", "what_fixed_it": "Recycled 1 < 2 pools & waited."},
    )
    factory.fix_use(fix := factory.fix("Recycle the pool", postmortem=postmortem), factory.incident("Mail late"))
    others = [factory.postmortem(f"Certificate {n} expired", sections={"summary": "TLS."}) for n in range(9)]
    learn(postmortem, fix, *others)
    return postmortem


def test_what_fixed_it_is_shown_with_reasons_and_record(known: Postmortem, alice: User) -> None:
    link(alice)

    said = typed("database connection timeouts")

    text = said["blocks"][0]["text"]["text"]
    assert f"/postmortems/{known.ref}" in text
    assert "Because of: `" in text
    assert "What fixed it: Recycled 1 &lt; 2 pools &amp; waited." in text
    assert "worked 1 of 1" in text
    assert SuggestionRun.objects.get().user == alice


def test_no_text_of_a_document_is_markup(known: Postmortem, alice: User) -> None:
    link(alice)

    said = json.dumps(typed("database connection timeouts"), ensure_ascii=False)

    assert "<b>" not in said and "&lt;b&gt;" in said
    assert escaped("<!channel> & <@U1>\n*") == "&lt;!channel&gt; &amp; &lt;@U1&gt; *"
    assert "<!channel>" not in json.dumps(typed("<!channel> nothing like it"))


def test_nothing_similar_is_said_plainly(known: Postmortem, alice: User) -> None:
    link(alice)

    assert "Nothing similar to" in typed("zebra giraffe okapi")["text"]


def test_what_one_may_not_see_is_not_shown(known: Postmortem, alice: User, charlie: User) -> None:
    Postmortem.objects.filter(pk=known.pk).update(visibility=Visibility.RESTRICTED)
    known.members.add(alice)
    link(charlie)
    unseen = json.dumps(typed("database connection timeouts"))
    link(alice)
    seen = json.dumps(typed("database connection timeouts"))

    assert known.ref not in unseen and "Recycle" not in unseen
    assert known.ref in seen
