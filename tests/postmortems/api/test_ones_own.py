"""What is one's own, by program: notifications, what one watches, settings, tokens, kept lists; and the glossary."""

from typing import Any

import pytest

from postmortems.models import (
    ActionItem,
    ApiToken,
    AuditEvent,
    GlossaryEntry,
    Notification,
    ReminderChoice,
    SavedFilter,
    User,
    Visibility,
    Watch,
)
from tests import factory
from tests.postmortems.api.asking import Program

pytestmark = pytest.mark.django_db


def done(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content[:500]
    return answer.json() if answer.content else None


def errors_of(answer: Any) -> list[str]:
    return [error["field"] for error in done(answer, 400)["errors"]]


# --- notifications, watches, settings ---


def told(who: User, text: str = "INC-1 is over", **about: Any) -> Notification:
    return Notification.objects.create(user=who, action="incident.resolve", text=text, at=factory.NOON, **about)


def test_notifications_are_read_one_by_one_and_all_at_once(alice: User, bob: User) -> None:
    program, incident = Program(alice), factory.incident()
    rows = [told(alice, incident=incident), told(alice), told(alice)]
    others = told(bob)

    first = done(program.get("/notifications/"))["results"][-1]
    one = done(program.post(f"/notifications/{rows[0].pk}/read/"))
    unread = done(program.get("/notifications/", state="unread"))["count"]
    rest = done(program.post("/notifications/read-all/"))

    assert (first["id"], first["incident"], first["read_at"]) == (rows[0].pk, incident.ref, None)
    assert one["read_at"] and unread == 2 and rest == {"read": 2}
    assert done(program.get("/notifications/", state="unread"))["count"] == 0
    assert program.post(f"/notifications/{others.pk}/read/").status_code == 404
    others.refresh_from_db()
    assert others.read_at is None
    assert errors_of(program.get("/notifications/", state="x")) == ["state"]


def test_what_one_may_no_longer_see_is_not_told(alice: User) -> None:
    incident = factory.incident(visibility=Visibility.RESTRICTED)
    row = told(alice, incident=incident)
    Watch.objects.create(user=alice, incident=incident, since=factory.NOON)

    assert done(Program(alice).get("/notifications/"))["count"] == 0
    assert done(Program(alice).get("/watches/"))["count"] == 0
    assert Program(alice).get(f"/notifications/{row.pk}/").status_code == 404


def test_a_service_is_watched_like_an_incident(alice: User) -> None:
    program, incident = Program(alice), factory.incident()
    factory.service("Checkout")

    done(program.post("/services/checkout/watch/"))
    done(program.post(f"/incidents/{incident.ref}/watch/"))
    listed = done(program.get("/watches/"))["results"]
    done(program.post("/services/checkout/unwatch/"))

    assert [(row["incident"], row["service"]) for row in listed] == [(incident.ref, None), (None, "checkout")]
    assert done(program.get("/watches/"))["count"] == 1


def test_settings_are_changed_one_by_one(alice: User) -> None:
    program, at = Program(alice), "/me/settings/"

    before = done(program.get(at))
    done(program.patch(at, wants_mail=False))
    after = done(program.patch(at, reminders="weekly", weekday=4, time_zone="Europe/Berlin"))

    assert (before["wants_mail"], before["reminders"]) == (True, "daily")
    assert after == {"wants_mail": False, "reminders": "weekly", "weekday": 4, "time_zone": "Europe/Berlin"}
    assert ReminderChoice.objects.of(alice).weekday == 4
    assert errors_of(program.patch(at, time_zone="Mars/Base", reminders="hourly", weekday=7)) == [
        *("time_zone", "reminders", "weekday"),
    ]
    assert Program(alice, "read").patch(at, wants_mail=True).status_code == 403


# --- tokens ---


def test_tokens_are_listed_and_revoked_and_none_is_made(alice: User, bob: User) -> None:
    program, old, others = Program(alice), Program(alice, "read"), Program(bob)
    mine = ApiToken.objects.get(user=alice, scopes=["read"])
    his = ApiToken.objects.get(user=bob)

    listed = done(program.get("/tokens/"))["results"]
    gone = program.ask("DELETE", f"/tokens/{mine.pk}/")

    assert [(row["user"], row["scopes"], row["is_this"]) for row in listed] == [
        *(("alice", ["read"], False), ("alice", ["read", "write"], True)),
    ]
    assert not {"secret", "secret_hash"} & set(listed[0])
    assert gone.status_code == 204 and old.get("/me/").status_code == 401
    assert program.ask("DELETE", f"/tokens/{his.pk}/").status_code == 404
    assert others.get("/me/").status_code == 200
    assert program.post("/tokens/", name="More", scopes=["write"]).status_code == 405
    assert AuditEvent.objects.get(action="token.revoke").by == alice


def test_an_administrator_revokes_the_token_of_a_program(admin: User, alice: User) -> None:
    Program(alice)
    theirs = ApiToken.objects.get(user=alice)

    assert Program(admin).ask("DELETE", f"/tokens/{theirs.pk}/").status_code == 204


# --- lists that are kept ---


def test_a_list_is_kept_and_removed(alice: User, bob: User) -> None:
    program = Program(alice)

    new = done(program.post("/saved-filters/", name="Late", query="due=late&state=", is_shared=True), 201)
    at = f"/saved-filters/{new['id']}/"

    assert (new["query"], new["owner"]) == ("state=&due=late", "alice")
    assert done(Program(bob).get("/saved-filters/"))["count"] == 1
    assert Program(bob).ask("DELETE", at).status_code == 404
    assert program.ask("DELETE", at).status_code == 204
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("query", ["nonsense=1", "due=never", "services=nowhere", "due=late&x=1"])
def test_a_list_of_filters_that_do_not_exist_is_refused(alice: User, query: str) -> None:
    answer = Program(alice).post("/saved-filters/", name="Late", query=query)

    assert errors_of(answer) == ["query"]
    assert not SavedFilter.objects.exists()


def test_a_name_is_taken_once_and_a_reader_shares_nothing(alice: User) -> None:
    program, reader = Program(alice), Program(factory.user("rita", roles=("reader",)))

    done(program.post("/saved-filters/", name="Late", query=""), 201)

    assert errors_of(program.post("/saved-filters/", name="Late", query="")) == ["name"]
    assert reader.post("/saved-filters/", name="Late", query="", is_shared=True).status_code == 403
    assert reader.post("/saved-filters/", name="Late", query="").status_code == 201


# --- words that mean the same ---


def test_a_group_of_words_is_added_changed_and_removed(alice: User) -> None:
    program = Program(alice)

    new = done(program.post("/glossary/", terms=["k9s", "kanine"]), 201)
    at = f"/glossary/{new['id']}/"
    read = program.get(at)["ETag"]
    changed = program.patch(at, terms=["k9s", "kanine", "dog"], match=read)
    late = program.ask("DELETE", at, match=read)
    gone = program.ask("DELETE", at, match=changed["ETag"])

    assert done(changed)["terms"] == ["k9s", "kanine", "dog"]
    assert (late.status_code, gone.status_code) == (412, 204)
    assert not GlossaryEntry.objects.filter(pk=new["id"]).exists()
    assert [event.action for event in AuditEvent.objects.order_by("pk")] == [
        *("glossary.add", "glossary.edit", "glossary.remove"),
    ]


@pytest.mark.parametrize("terms", [["k9s"], [], ["k9s", "K9S"], ["k8s", "dog"], ["a\nb", "c"], ["k9s", "the"], "k9s"])
def test_what_is_no_group_is_refused(alice: User, terms: Any) -> None:
    answer = Program(alice).post("/glossary/", terms=terms)

    assert {name.partition(".")[0] for name in errors_of(answer)} == {"terms"}


def test_a_reader_reads_the_glossary_only() -> None:
    program = Program(factory.user("rita", roles=("reader",)))

    assert done(program.get("/glossary/"))["count"] > 10
    assert program.post("/glossary/", terms=["k9s", "kanine"]).status_code == 403


# --- what was missing beside it ---


def test_what_was_said_of_suggestions_is_read(alice: User, bob: User) -> None:
    incident, shown = factory.incident(), factory.postmortem()
    hidden = factory.postmortem(visibility=Visibility.RESTRICTED)
    at = f"/incidents/{incident.ref}/verdicts/"
    for row in (hidden, shown):
        factory.verdict(incident, row)

    assert [row["item"] for row in done(Program(alice).get(at))] == [shown.ref]
    said = done(Program(bob).post(at, item=shown.ref, verdict="not_similar"))
    assert done(Program(alice).get(at)) == [said]


def test_whose_name_it_is_is_said_for_all_their_items(alice: User, bob: User) -> None:
    home = factory.postmortem()
    items = [factory.action_item(f"Alert {n}", postmortem=home, owner_text="Bob S.") for n in range(2)]
    program = Program(alice)

    answer = done(program.post(f"/actions/{items[0].ref}/identify/", user="bob"))

    assert answer["owner"] == "bob"
    assert {item.owner for item in ActionItem.objects.all()} == {bob}
    assert program.post(f"/actions/{items[0].ref}/identify/", user="bob").status_code == 400
