"""Reminders: each person gets exactly the right digests, once, at eight in the morning, of what they may see then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from kb.jobs import queue, schedule
from kb.jobs.working import run_next
from postmortems.models import ActionItem, Digest, Postmortem, ReminderChoice, Rhythm, Team, User, Visibility
from postmortems.workflows import owing, reminding
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

WorkOff = Callable[[], int]
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def person(name: str, zone: str = "UTC", rhythm: str = "", weekday: int = 0, **details: Any) -> User:
    user = factory.user(name, email=f"{name}@example.org", time_zone=zone, date_joined=LONG_AGO, **details)
    if rhythm:
        reminding.choose(user, rhythm=rhythm, weekday=weekday, at=LONG_AGO)
    return user


def promised(title: str, owner: User | None, due: str, **details: Any) -> ActionItem:
    home = details.pop("postmortem", None) or factory.postmortem(f"Home of {title}")
    return factory.action_item(title, owner=owner, due_on=date.fromisoformat(due), postmortem=home, **details)


def restricted(*members: User) -> Postmortem:
    row = factory.postmortem("Keys were stolen", visibility=Visibility.RESTRICTED)
    row.members.add(*members)
    return row


class Travel:
    """The clock goes on hour by hour, and a worker with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work_off: WorkOff, start: str) -> None:
        self.now = datetime.fromisoformat(start).replace(tzinfo=UTC)
        self.work_off = work_off
        self.got: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        monkeypatch.setattr(timezone, "now", lambda: self.now)

    def until(self, end: str) -> None:
        while self.now < datetime.fromisoformat(end).replace(tzinfo=UTC):
            if reminding.remind(at=self.now):
                self.work_off()
            for sent in mail.outbox:
                self.got[sent.to[0].split("@")[0]].append((self.now, f"{sent.subject}\n{sent.body}"))
            mail.outbox.clear()
            self.now += timedelta(hours=1)

    def days(self, name: str, zone: str, holding: str = "") -> list[str]:
        """The days on which they got a mail that holds these words, in their zone, and never but at eight."""
        moments = [at.astimezone(ZoneInfo(zone)) for at, text in self.got[name] if holding in text]
        assert {moment.hour for moment in moments} <= {8}
        return [f"{moment:%m-%d}" for moment in moments]


def test_three_months(monkeypatch: pytest.MonkeyPatch, work_off: WorkOff) -> None:
    """Clocks are put forward on 8 March in New York and on 29 March in Berlin, and back on 5 April in Auckland."""
    ana, bea = person("ana", "Europe/Berlin"), person("bea", "America/New_York", Rhythm.WEEKLY)
    cid, dan = person("cid", "Asia/Kolkata", Rhythm.DAILY), person("dan", "Europe/Berlin", Rhythm.NONE)
    eve, max_ = person("eve", "Europe/Berlin"), person("max", "Pacific/Auckland", roles=("manager",))
    root = person("root", "UTC", roles=("administrator",))
    factory.team("Payments", ana, bea, max_)
    quorum, pool = promised("Require quorum", ana, "2026-03-10"), promised("Watch the pool", bea, "2026-03-12")
    promised("Read the bill", cid, "2026-04-01"), promised("Nobody cares", dan, "2026-03-10")
    secret = restricted(eve)
    promised("Rotate all keys", eve, "2026-03-10", postmortem=secret)
    travel = Travel(monkeypatch, work_off, "2026-02-16T00:00")

    travel.until("2026-03-20T12:00")
    secret.members.remove(eve)
    travel.until("2026-04-02T12:00")
    quorum.complete(at=travel.now)
    travel.until("2026-04-08T18:00")
    pool.complete(at=travel.now)
    travel.until("2026-04-20T12:00")
    quorum.reopen(at=travel.now)
    reminding.choose(dan, rhythm=Rhythm.WEEKLY, weekday=4, at=travel.now)
    travel.until("2026-05-17T00:00")

    berlin = "Europe/Berlin"
    assert travel.days("ana", berlin) == [
        "03-07",
        "03-10",
        "03-17",
        "03-24",
        "03-31",
        "04-21",
        "04-28",
        "05-05",
        "05-12",
    ]
    assert travel.days("bea", "America/New_York") == ["03-09", "03-16", "03-23", "03-30", "04-06"]
    assert travel.days("cid", "Asia/Kolkata") == [
        *("03-29", "04-01", "04-08", "04-15", "04-22", "04-29", "05-06", "05-13")
    ]
    assert travel.days("dan", berlin) == ["04-24", "05-01", "05-08", "05-15"]
    assert travel.days("eve", berlin) == ["03-07", "03-10", "03-17"]
    # The manager: on the day, each week after, and from fourteen days on.
    auckland = "Pacific/Auckland"
    assert travel.days("max", auckland, "Require quorum") == [
        *("03-10", "03-17", "03-24", "03-31", "04-21", "04-28", "05-05", "05-12")
    ]
    assert travel.days("max", auckland, "Watch the pool") == ["03-12", "03-19", "03-26", "04-02"]
    assert len(travel.got["max"]) == 12
    # The administrator: what no manager looks after, once it is fourteen days late.
    assert travel.days("root", "UTC", "Read the bill") == ["04-15", "04-22", "04-29", "05-06", "05-13"]
    assert travel.days("root", "UTC", "Nobody cares")[:2] == ["03-24", "03-31"]
    everything = "".join(text for mails in travel.got.values() for _, text in mails)
    assert "Rotate" not in everything  # of what is restricted a mail says only the ref
    assert "Nobody cares" not in "".join(
        text for name in ("ana", "bea", "cid", "eve", "max") for _, text in travel.got[name]
    )
    assert root.digests.exists()


def test_the_timetable_has_it_each_quarter_of_an_hour(work_off: WorkOff, monkeypatch: pytest.MonkeyPatch) -> None:
    promised("Require quorum", person("ana", "Asia/Kathmandu"), "2026-03-10")
    now = datetime(2026, 3, 10, 1, 50, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    at = None

    while not at:
        schedule.enqueue_due(at=now)
        work_off()
        at = now if mail.outbox else None
        now += timedelta(minutes=5)

    assert f"{at:%H:%M}" == "02:15"  # eight o'clock there


def test_that_a_digest_was_sent_is_known_for_a_while(work_off: WorkOff, monkeypatch: pytest.MonkeyPatch) -> None:
    now, owner = datetime(2026, 6, 1, 7, 0, tzinfo=UTC), person("owner")
    monkeypatch.setattr(timezone, "now", lambda: now)
    for day, late in ((1, timedelta(0)), (2, timedelta(seconds=1))):
        on, at = date(2026, 2, day), now - reminding.KEEP - late
        Digest.objects.claim(user=owner, kind="own", on=on, after=on - timedelta(days=1), at=at)

    reminding.remind_people.enqueue()
    work_off()

    assert [digest.on for digest in Digest.objects.all()] == [date(2026, 2, 1)]


def test_two_workers_make_one_digest_of_a_day(work_off: WorkOff) -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)

    assert (reminding.remind(at=at), reminding.remind(at=at)) == (1, 0)
    assert Digest.objects.claim(user=ana, kind="own", on=at.date(), after=at.date() - timedelta(days=1), at=at) is None
    assert not reminding._prepare(ana, "own", at.date(), Rhythm.DAILY, at)
    assert DBTaskResult.objects.count() == 1


def sent_on(day: str, user: User, *, kind: str = "own", after: str = "") -> str:
    """What one mail says."""
    mail.outbox.clear()
    on = date.fromisoformat(day)
    at = datetime(on.year, on.month, on.day, 8, tzinfo=UTC)
    before = date.fromisoformat(after) if after else on - timedelta(days=1)
    digest = Digest.objects.create(user=user, kind=kind, on=on, after=before, at=at)
    reminding.send(digest, at=at)
    return "".join(f"{sent.subject}\n{sent.body}" for sent in mail.outbox)


def test_the_right_to_see_it_is_asked_when_the_mail_is_sent() -> None:
    ana = person("ana")
    home = restricted(ana)
    item = promised("Rotate all keys", ana, "2026-03-10", postmortem=home)
    assert item.ref in sent_on("2026-03-10", ana)
    Digest.objects.all().delete()

    home.members.remove(ana)

    assert sent_on("2026-03-10", ana) == ""


def test_a_worker_that_was_away_for_days_reminds_once_of_what_came_up() -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    promised("Watch the pool", ana, "2026-03-12")

    said = sent_on("2026-03-13", ana, after="2026-03-09")

    assert "Require quorum" in said and "Watch the pool" in said
    assert "Your action items: 2 late" in said


def test_a_weekly_digest_has_all_that_is_late_and_due_within_the_week() -> None:
    bea = person("bea", rhythm=Rhythm.WEEKLY)
    for title, due in (("Old", "2026-01-02"), ("Soon", "2026-03-16"), ("Far", "2026-03-17")):
        promised(title, bea, due)

    said = sent_on("2026-03-09", bea)

    assert ("Old" in said, "Soon" in said, "Far" in said) == (True, True, False)
    assert "66 days late" in said and "due on Monday, 16 March" in said


def test_late_items_of_other_days_are_only_counted() -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    promised("Watch the pool", ana, "2026-03-02")

    said = sent_on("2026-03-10", ana)

    assert said.startswith("Your action items: 1 due\n")
    assert "Watch the pool" not in said
    assert "1 more is late" in said


def test_what_is_late_for_long_stands_under_its_own_heading_at_the_manager(settings: Settings) -> None:
    max_, ana = person("max", roles=("manager",)), person("ana")
    team = factory.team("Payments", ana, max_)
    promised("Require quorum", ana, "2026-03-01")
    promised("Watch the pool", None, "2026-03-08", postmortem=factory.postmortem(team=team))
    promised("Of another team", person("zoe"), "2026-03-01")

    said = sent_on("2026-03-15", max_, kind="team")

    late, _, less = said.partition("\nLate\n")
    assert "Late for 14 days or more" in late and "Require quorum" in late and "owner: ana" in late
    assert "Watch the pool" in less and "owner: nobody" in less
    assert "Of another team" not in said
    settings.ESCALATE_DAYS = 30
    Digest.objects.all().delete()
    assert "or more" not in sent_on("2026-03-15", max_, kind="team")


def test_what_no_manager_looks_after_goes_to_administrators() -> None:
    root, max_ = person("root", roles=("administrator",)), person("max", roles=("manager",))
    managed, alone = factory.team("Payments", max_), factory.team("Edge")
    promised("Require quorum", None, "2026-03-01", postmortem=factory.postmortem(team=managed))
    promised("Watch the pool", None, "2026-03-01", postmortem=factory.postmortem(team=alone))
    promised("Thirteen days", None, "2026-03-02", postmortem=factory.postmortem(team=alone))

    said = sent_on("2026-03-15", root, kind="team")

    assert said.startswith("Action items that no manager looks after: 1 late\n")
    assert "Watch the pool" in said
    assert "Require quorum" not in said and "Thirteen days" not in said


def test_a_mail_of_what_is_restricted_says_only_the_ref() -> None:
    max_, ana = person("max", roles=("manager",)), person("ana", first_name="Anastasia")
    factory.team("Payments", ana, max_)
    item = promised("Rotate all keys", ana, "2026-03-10", postmortem=restricted(ana, max_))

    said = sent_on("2026-03-10", max_, kind="team")

    html = str(mail.outbox[0].alternatives[0][0])  # type: ignore[attr-defined]
    for text in (said, html):
        assert item.ref in text and "restricted, sign in" in text
        assert "Rotate" not in text and "keys" not in text and "Anastasia" not in text


def test_neither_does_one_of_a_restricted_incident_say_more_beside_what_is_open() -> None:
    ana = person("ana")
    shut = factory.incident("Keys were stolen", visibility=Visibility.RESTRICTED)
    shut.members.add(ana)
    known = {"owner": ana, "due_on": date(2026, 3, 10)}
    factory.action_item("Rotate all keys", incident=shut, **known)
    factory.action_item("Bound the pool", incident=factory.incident(), **known)

    said = sent_on("2026-03-10", ana)

    assert "Rotate" not in said and "restricted, sign in" in said
    assert "Bound the pool" in said


@pytest.mark.parametrize(
    ("rhythm", "at", "day"),
    [
        (Rhythm.DAILY, "2026-03-11T08:00", "03-11"),
        (Rhythm.DAILY, "2026-03-11T07:59", None),
        (Rhythm.WEEKLY, "2026-03-10T07:59", None),  # Tuesday is the day; that of the week before is too long ago
        (Rhythm.WEEKLY, "2026-03-10T08:00", "03-10"),
        (Rhythm.WEEKLY, "2026-03-11T12:00", "03-10"),  # a worker that was away makes up for it
        (Rhythm.WEEKLY, "2026-03-16T12:00", "03-10"),
    ],
)
def test_the_last_digest_whose_hour_has_come(rhythm: str, at: str, day: str | None) -> None:
    ana, other = person("ana", rhythm=rhythm, weekday=1), person("other", rhythm=Rhythm.NONE)

    choice = ReminderChoice.objects.of(ana)
    found = reminding.due_day(ana, choice, at=datetime.fromisoformat(at).replace(tzinfo=UTC))

    assert (found and f"{found:%m-%d}") == day
    assert ReminderChoice.objects.of(other).rhythm == Rhythm.NONE


def test_words_of_people_are_escaped_in_the_html() -> None:
    ana = person("ana")
    promised("<script>alert(1)</script>", ana, "2026-03-10")

    assert "<script>" in sent_on("2026-03-10", ana)  # plain text is plain

    assert "<script>" not in str(mail.outbox[0].alternatives[0][0])  # type: ignore[attr-defined]


def test_a_zone_that_the_system_has_lost_stops_nobodys_reminders() -> None:
    """It was in the list when it was chosen; then the list was updated."""
    lost, other = person("lost", "Atlantis/Poseidonia"), person("other")
    for owner in (lost, other):
        promised(f"Of {owner}", owner, "2026-03-02")

    assert reminding.remind(at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC)) == 2


@pytest.mark.parametrize(
    ("kind", "days"),
    [("own", [-3, 0, 7, 14, 21, 28, 35]), ("team", [0, 7, 10, 14, 17, 21, 24, 28, 31, 35])],
)
def test_on_which_days_an_item_is_spoken_of(settings: Settings, kind: str, days: list[int]) -> None:
    """Days that it is late. At the manager, also from when it is late for long, and each week after that."""
    settings.ESCALATE_DAYS = 10
    wanted = owing._wanted(kind, Rhythm.DAILY, span=1)

    assert [late for late in range(-owing.WEEK, 36) if wanted(late)] == days


def test_the_days_that_a_digest_makes_up_for_are_a_week_at_most() -> None:
    wanted = owing._wanted("own", Rhythm.DAILY, span=30)

    assert [late for late in range(-owing.WEEK, 7) if wanted(late)] == list(range(-3, 7))


def test_what_is_finished_or_has_no_date_is_in_no_digest() -> None:
    ana = person("ana")
    for state in ("done", "verified", "wont_do"):
        promised(f"It is {state}", ana, "2026-03-10", state=state, evidence="A test.", reason="Too dear.")
    factory.action_item("Some day", owner=ana, postmortem=factory.postmortem())
    promised("Of Zoe", person("zoe"), "2026-03-10")

    assert sent_on("2026-03-10", ana) == ""


def test_how_late_it_is_in_words() -> None:
    ana = person("ana", rhythm=Rhythm.WEEKLY)
    for due in ("2026-03-08", "2026-03-09", "2026-03-10", "2026-03-11"):
        promised("Require quorum", ana, due)

    said = sent_on("2026-03-10", ana)

    assert "Your action items: 2 late, 2 due" in said
    for words in ("2 days late", "1 day late", "due today", "due on Wednesday, 11 March"):
        assert said.count(words) == 1


def test_late_items_are_counted_beside_those_that_are_named() -> None:
    ana = person("ana")
    for due in ("2026-03-03", "2026-03-02", "2026-03-09", "2026-03-13"):
        promised(f"Due on {due}", ana, due)

    said = sent_on("2026-03-10", ana)

    assert said.startswith("Your action items: 1 late, 1 due\n")
    assert "Due on 2026-03-03" in said and "Due on 2026-03-13" in said
    assert "2 more are late" in said


def test_a_team_whose_manager_has_left_has_none() -> None:
    root, gone = person("root", roles=("administrator",)), person("gone", roles=("manager",), is_active=False)
    team = factory.team("Payments", gone)
    promised("Require quorum", None, "2026-03-01", postmortem=factory.postmortem(team=team))

    assert "Require quorum" in sent_on("2026-03-15", root, kind="team")


def test_what_is_not_late_for_long_is_no_business_of_administrators() -> None:
    root = person("root", roles=("administrator",))
    promised("A week late", None, "2026-03-08")
    promised("Due today", None, "2026-03-15")
    promised("Done", None, "2026-03-01", state="done")

    assert sent_on("2026-03-15", root, kind="team") == ""


def test_a_manager_is_not_told_twice_of_what_they_owe() -> None:
    max_, ana = person("max", roles=("manager",)), person("ana")
    team = factory.team("Payments", max_, ana)
    for owner in (max_, ana, None):
        promised(f"Of {owner}", owner, "2026-03-10", postmortem=factory.postmortem(team=team))

    own, of_team = sent_on("2026-03-10", max_), sent_on("2026-03-10", max_, kind="team")

    assert ("Of max" in own, "Of ana" in own, "Of None" in own) == (True, False, False)
    assert ("Of max" in of_team, "Of ana" in of_team, "Of None" in of_team) == (False, True, True)


@pytest.mark.parametrize(
    ("rhythm", "before", "after"),
    [
        *((Rhythm.DAILY, [], "2026-03-09"), (Rhythm.WEEKLY, [], "2026-03-03")),
        (Rhythm.DAILY, ["2026-03-07", "2026-03-05"], "2026-03-07"),
        (Rhythm.DAILY, ["2026-02-01"], "2026-03-03"),
        (Rhythm.WEEKLY, ["2026-03-08"], "2026-03-08"),
    ],
)
def test_from_which_day_on_a_digest_tells(rhythm: str, before: list[str], after: str) -> None:
    """Since the last one of its kind, and a week at most."""
    ana, zoe = person("ana"), person("zoe")
    others = [(zoe, "own", "2026-03-06"), (ana, "team", "2026-03-06"), (ana, "own", "2026-03-11")]
    for user, kind, day in [*((ana, "own", day) for day in before), *others]:
        on = date.fromisoformat(day)
        Digest.objects.create(user=user, kind=kind, on=on, after=on - timedelta(days=1), at=LONG_AGO)

    assert reminding.day_before(ana, "own", date(2026, 3, 10), rhythm) == date.fromisoformat(after)


def test_each_job_sends_and_settles_its_own_digest_and_no_other(work_off: WorkOff) -> None:
    for name, items in (("ana", 1), ("zoe", 2)):
        owner = person(name)
        for n in range(items):
            promised(f"{n} of {name}", owner, "2026-03-10")
    reminding.remind(at=datetime(2026, 3, 10, 9, tzinfo=UTC))

    assert run_next("test")

    assert len(mail.outbox) == Digest.objects.exclude(settled_at=None).count() == 1
    work_off()
    assert sorted(sent.to[0] for sent in mail.outbox) == ["ana@example.org", "zoe@example.org"]
    assert dict(Digest.objects.values_list("user__username", "items")) == {"ana": 1, "zoe": 2}


def test_of_two_who_begin_at_once_one_sends_and_what_is_settled_is_begun_by_nobody() -> None:
    ana, zoe = person("ana"), person("zoe")
    on = date(2026, 3, 10)
    known = {"kind": "own", "on": on, "after": on - timedelta(days=1), "at": NOON}
    of_ana, of_zoe = (Digest.objects.create(user=user, **known) for user in (ana, zoe))
    same = Digest.objects.get(pk=of_ana.pk)
    of_zoe.begin()

    assert (of_ana.begin(), same.begin()) == (True, False)
    same.refresh_from_db()
    same.take_back()
    assert list(Digest.objects.order_by("pk").values_list("begun", flat=True)) == [0, 1]
    same.refresh_from_db()
    same.settle(items=3, at=NOON)
    same.settle(items=0, at=NOON + timedelta(hours=1))
    assert not same.begin()
    assert list(Digest.objects.order_by("pk").values_list("settled_at", "items")) == [(NOON, 3), (None, 0)]


def test_who_wants_none_after_their_hour_gets_no_mail() -> None:
    ana = person("ana", rhythm=Rhythm.NONE)
    promised("Require quorum", ana, "2026-03-10")

    assert sent_on("2026-03-10", ana) == ""


def test_a_manager_gets_one_of_their_own_and_one_of_their_team(work_off: WorkOff) -> None:
    max_, ana = person("max", roles=("manager",)), person("ana")
    factory.team("Payments", max_, ana)
    for owner in (max_, ana):
        promised(f"Of {owner}", owner, "2026-03-10")

    assert reminding.remind(at=datetime(2026, 3, 10, 9, tzinfo=UTC)) == 3

    work_off()
    assert sorted((sent.to[0], sent.subject) for sent in mail.outbox) == [
        ("ana@example.org", "Your action items: 1 due"),
        ("max@example.org", "Your action items: 1 due"),
        ("max@example.org", "Your team's action items: 1 due"),
    ]


@pytest.mark.parametrize("details", [{"email": ""}, {"is_active": False}], ids=["no address", "left"])
def test_who_leaves_after_their_hour_gets_no_mail(details: dict[str, Any]) -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    User.objects.filter(pk=ana.pk).update(**details)

    assert sent_on("2026-03-10", User.objects.get(pk=ana.pk)) == ""
    assert Digest.objects.get().items == 0


def test_a_digest_has_one_message_id(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Postmortems <kb@example.net>"
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")

    sent_on("2026-03-10", ana)

    assert mail.outbox[0].extra_headers["Message-ID"] == f"<digest-{Digest.objects.get().pk}-20260310@example.net>"


def test_who_left_or_has_no_address_or_is_a_program_gets_nothing() -> None:
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)
    people = [person("gone", is_active=False), person("bot", is_integration=True), factory.user("mute")]
    for each in people:
        promised("Require quorum", each, "2026-03-10")

    assert reminding.remind(at=at) == 0


def test_a_digest_that_came_before_the_choice_is_not_made_up_for() -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    thursday = datetime(2026, 3, 12, 15, tzinfo=UTC)

    reminding.choose(ana, rhythm=Rhythm.WEEKLY, weekday=2, at=thursday)

    assert reminding.remind(at=thursday) == 0
    assert reminding.remind(at=thursday + timedelta(days=6)) == 1


def test_what_comes_up_after_eight_is_for_the_next_one() -> None:
    ana = person("ana")
    nine = datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert reminding.remind(at=nine) == 0
    promised("Require quorum", ana, "2026-03-10")

    assert reminding.remind(at=nine + timedelta(hours=1)) == 0
    assert reminding.remind(at=nine + timedelta(days=1)) == 1


# --- the mail server ---


class Server(BaseEmailBackend):
    """A mail server with its moods: what it raises for the next mails; None: it takes one."""

    moods: list[Exception | None] = []
    took: list[Any] = []

    def send_messages(self, messages: Any) -> int:
        mood = self.moods.pop(0) if self.moods else None
        if mood:
            raise mood
        self.took.extend(messages)
        return len(messages)


@pytest.fixture
def server(settings: Settings) -> type[Server]:
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    Server.moods, Server.took = [], []
    return Server


def remind_and_work_off(monkeypatch: pytest.MonkeyPatch, work_off: WorkOff, *, times: int) -> None:
    """From nine o'clock on, every two hours."""
    now = datetime(2026, 3, 10, 9, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    reminding.remind(at=now)
    for _ in range(times):
        work_off()
        now += timedelta(hours=2)


def test_a_refused_mail_is_tried_until_it_is_taken(
    server: type[Server], work_off: WorkOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.moods = [SMTPRecipientsRefused({}), ConnectionRefusedError(), SMTPRecipientsRefused({})]
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")

    remind_and_work_off(monkeypatch, work_off, times=6)

    assert len(server.took) == 1
    assert Digest.objects.get().settled_at is not None


def test_a_mail_that_may_have_been_taken_is_sent_once_more_and_no_oftener(
    server: type[Server], work_off: WorkOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.moods = [SMTPServerDisconnected()] * 5
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")

    remind_and_work_off(monkeypatch, work_off, times=20)

    assert len(server.moods) == 3  # asked twice
    assert DBTaskResult.objects.get().status == queue.DEAD
    assert "Unsure" in DBTaskResult.objects.get().exception_class_path


def test_a_refusal_does_not_count_as_a_mail_that_may_have_been_taken(
    server: type[Server], work_off: WorkOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.moods = [SMTPRecipientsRefused({}), SMTPServerDisconnected()]
    promised("Require quorum", person("ana"), "2026-03-10")

    remind_and_work_off(monkeypatch, work_off, times=4)

    assert len(server.took) == 1


def test_a_digest_that_is_sent_is_not_sent_by_a_second_job(work_off: WorkOff) -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    reminding.remind(at=datetime(2026, 3, 10, 9, tzinfo=UTC))
    reminding.send_digest.enqueue(Digest.objects.get().pk)

    assert work_off() == 2

    assert len(mail.outbox) == 1
    assert Digest.objects.get().items == 1


# --- what one chooses ---


def test_one_chooses_on_the_account_page(alice: User) -> None:
    client = factory.signed_in(alice)
    assert "What it would say now" in client.get("/account/").text

    client.post("/reminders/choose/", {"rhythm": "weekly", "weekday": "3"})
    assert (choice := ReminderChoice.objects.get()) and (choice.rhythm, choice.weekday) == ("weekly", 3)
    assert "Not saved" in client.post("/reminders/choose/", {"rhythm": "hourly", "weekday": "9"}, follow=True).text
    assert ReminderChoice.objects.get().rhythm == "weekly"


def test_the_link_in_a_digest_ends_them_without_a_sign_in() -> None:
    ana = person("ana")
    promised("Require quorum", ana, "2026-03-10")
    said = sent_on("2026-03-10", ana)
    (address,) = {line.partition(": ")[2] for line in said.splitlines() if line.startswith("No more of these")}
    headers = mail.outbox[0].extra_headers
    assert headers["List-Unsubscribe"] == f"<{address}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path, client = address[address.index("/reminders/") :], Client(enforce_csrf_checks=True)

    assert "Send me no more reminders" in client.get(path).text
    assert ReminderChoice.objects.of(ana).rhythm == Rhythm.DAILY  # a link that a mail program fetches changes nothing

    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert ReminderChoice.objects.of(ana).rhythm == Rhythm.NONE
    assert client.get(path[:-3] + "x/").status_code == 404
    mails = f"/notifications/mail/off/{path.split('/')[-2]}/"
    assert client.get(mails).status_code == 404  # good for this one thing only


def test_the_preview_says_what_the_digest_would(alice: User, bob: User, team: Team) -> None:
    bob.give_roles("manager")
    today = timezone.localdate().isoformat()
    item = promised("Require quorum", alice, today, postmortem=factory.postmortem(team=team))
    secret = promised("Rotate all keys", alice, today, postmortem=restricted(alice))

    mine = factory.signed_in(alice).get("/reminders/").text
    theirs = factory.signed_in(bob).get("/reminders/").text

    assert item.ref in mine and secret.ref in mine and "Rotate" not in mine
    assert "Your team&#x27;s action items" in theirs and "Require quorum" in theirs and secret.ref not in theirs


def test_the_preview_of_an_administrator_has_what_no_manager_looks_after(admin: User) -> None:
    long_ago = timezone.localdate() - timedelta(days=14)
    promised("Require quorum", None, long_ago.isoformat())

    shown = factory.signed_in(admin).get("/reminders/").text

    assert "Action items that no manager looks after" in shown and "Require quorum" in shown


def test_a_digest_takes_few_queries(django_assert_max_num_queries: Any) -> None:
    ana = person("ana")
    for n in range(30):
        promised(f"Promise {n}", ana, "2026-03-10")

    with django_assert_max_num_queries(6):
        contents = owing.contents_of(ana, kind="own", on=date(2026, 3, 10), after=date(2026, 3, 9), rhythm=Rhythm.DAILY)

    assert contents.count == 30
