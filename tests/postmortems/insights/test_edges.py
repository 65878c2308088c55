"""Where a period, a week, an age and a date end: what lies just inside is counted, what lies just outside is not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postmortems.insight_forms import ScopeForm
from postmortems.insights import actions, detection, durations, gaps, learning, recurrence, reuse, weekly
from postmortems.insights.figures import Share, figure, spread
from postmortems.insights.scope import Scope, incidents, incidents_at_any_time, postmortems
from postmortems.models import ActionItem, Fix, KnowledgeGap, PostmortemPolicy, Problem, Service, Team, User, Visibility
from tests import factory
from tests.factory import NOON

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 8)  # a week from Monday to Sunday
WEEK = Scope(FIRST, LAST)
TICK = timedelta(microseconds=1)
BEGIN, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
EDGES = {"before": BEGIN - TICK, "first": BEGIN, "last": END - TICK, "after": END}
NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)  # its Thursday
WITHIN = {"first", "last"}


def titles(rows: Any) -> set[str]:
    return {row.title for row in rows}


class TestThePeriod:
    def test_incidents_count_by_when_they_started(self, alice: User) -> None:
        for name, at in EDGES.items():
            factory.incident(name, started_at=at)

        assert titles(incidents(WEEK, alice)) == WITHIN

    def test_gaps_count_by_when_they_were_asked(self, alice: User) -> None:
        incident = factory.incident(severity="sev1")
        for name, at in EDGES.items():
            KnowledgeGap.objects.record(incident=incident, text=name, by=alice, at=at)

        assert {row.text for row in gaps.gaps(WEEK, alice)} == WITHIN

    def test_postmortems_count_by_when_they_were_published(self, alice: User) -> None:
        for name, at in EDGES.items():
            factory.postmortem(name, status="published", published_at=at)

        assert titles(learning.published(WEEK, alice)) == WITHIN

    def test_promises_count_by_when_their_postmortem_was_published(self, alice: User) -> None:
        for name, at in EDGES.items():
            factory.action_item(name, postmortem=factory.postmortem(status="published", published_at=at))

        assert titles(actions.promised(WEEK, alice)) == WITHIN

    def test_a_problem_shows_itself_when_the_incident_started(self, alice: User) -> None:
        told = factory.postmortem(problem=Problem.objects.create(title="Pools run dry"))
        told.incidents.set([factory.incident(name, started_at=at) for name, at in EDGES.items()])

        found = recurrence.showings(WEEK, alice)

        assert [(each.at, each.is_first) for each in found] == [(EDGES["first"], False), (EDGES["last"], False)]

    def test_postmortems_are_due_on_both_of_its_ends(self, alice: User) -> None:
        for n in range(-1, 8):
            factory.postmortem(f"{n}", due_on=FIRST + timedelta(days=n))

        assert titles(learning.due(WEEK, alice)) == {str(n) for n in range(7)}

    def test_it_is_of_the_zone_of_who_reads(self, alice: User) -> None:
        """Clocks are put forward there on its last day."""
        there = {"first": BEGIN + timedelta(hours=8), "last": END + timedelta(hours=7) - TICK}
        outside = {"before": there["first"] - TICK, "after": there["last"] + TICK}
        for name, at in (there | outside).items():
            factory.incident(name, started_at=at)

        with timezone.override("America/Los_Angeles"):
            assert titles(incidents(WEEK, alice)) == WITHIN

    @pytest.mark.parametrize(("days", "is_weekly"), [(92, True), (93, False)])
    def test_a_quarter_is_counted_by_week_and_what_is_longer_by_month(self, days: int, is_weekly: bool) -> None:
        assert Scope(FIRST, FIRST + timedelta(days=days - 1)).is_weekly == is_weekly

    def test_its_months_go_across_the_year(self) -> None:
        found = Scope(date(2025, 10, 31), date(2026, 2, 1)).buckets()

        assert [f"{bucket:%y-%m-%d}" for bucket in found] == [
            *("25-10-01", "25-11-01", "25-12-01", "26-01-01", "26-02-01")
        ]


class TestOneTeamOrService:
    @pytest.fixture
    def checkout(self, team: Team) -> Service:
        """The team's."""
        Service.objects.filter(pk=factory.service("Checkout").pk).update(owner_team=team)
        factory.service("Proxy")
        return Service.objects.get(slug="checkout")

    @pytest.fixture
    def scopes(self, team: Team, checkout: Service) -> dict[str, Scope]:
        return {
            "all": WEEK,
            "team": Scope(FIRST, LAST, team=team),
            "service": Scope(FIRST, LAST, service=checkout),
            "proxy": Scope(FIRST, LAST, service=Service.objects.get(slug="proxy")),
            "both": Scope(FIRST, LAST, team=team, service=Service.objects.get(slug="proxy")),
        }

    def test_postmortems_are_of_who_wrote_them_and_of_what_they_are_about(
        self, alice: User, team: Team, scopes: dict[str, Scope]
    ) -> None:
        factory.postmortem("written", services=("Proxy",), team=team)
        factory.postmortem("about", services=("Checkout", "Proxy"))
        factory.postmortem("neither", services=("Proxy",), team=factory.team("Edge"))

        assert {name: titles(postmortems(scope, alice)) for name, scope in scopes.items()} == {
            "all": {"written", "about", "neither"},
            "team": {"written", "about"},
            "service": {"about"},
            "proxy": {"written", "about", "neither"},
            "both": {"written", "about"},
        }

    def test_incidents_and_their_gaps_are_of_the_services(self, alice: User, scopes: dict[str, Scope]) -> None:
        for name, services in {"of both": ("Checkout", "Proxy"), "of proxy": ("Proxy",), "of none": ()}.items():
            incident = factory.incident(name, services=services, started_at=BEGIN - timedelta(days=9))
            KnowledgeGap.objects.record(incident=incident, text=name, by=alice, at=NOW)
        expected = {
            "all": {"of both", "of proxy", "of none"},
            "team": {"of both"},
            "service": {"of both"},
            "proxy": {"of both", "of proxy"},
            "both": set(),  # of no service is it said that it is proxy and the team's
        }

        assert {name: titles(incidents_at_any_time(scope, alice)) for name, scope in scopes.items()} == expected
        assert {name: {row.text for row in gaps.gaps(scope, alice)} for name, scope in scopes.items()} == expected

    def test_action_items_are_of_the_team_and_of_where_it_broke(
        self, alice: User, team: Team, scopes: dict[str, Scope]
    ) -> None:
        about, other = factory.postmortem(services=("Checkout",)), factory.incident(services=("Proxy",))
        factory.action_item("of nobody", postmortem=about)
        factory.action_item("of alice", incident=other, owner=alice)
        factory.action_item("of another", incident=other)

        assert {name: titles(actions.items(scope, alice)) for name, scope in scopes.items()} == {
            "all": {"of nobody", "of alice", "of another"},
            "team": {"of alice"},
            "service": {"of nobody"},
            "proxy": {"of alice", "of another"},
            "both": {"of alice"},
        }


class TestWhatComesBack:
    def test_an_import_that_tells_of_no_incident_is_a_time_too(self, alice: User) -> None:
        problem = Problem.objects.create(title="Pools run dry")
        factory.postmortem("first", problem=problem, occurred_on=FIRST - timedelta(days=30))
        again = factory.postmortem("again", problem=problem, occurred_on=LAST)
        factory.postmortem("of no day", problem=problem, occurred_on=None)
        told = factory.postmortem("told", problem=problem, occurred_on=FIRST)
        told.incidents.add(incident := factory.incident(pk=again.pk + 7, started_at=NOW))
        factory.incident("Of the number of the import", pk=again.pk, started_at=NOW)

        found = recurrence.showings(WEEK, alice)

        assert recurrence.rows_of(found) == [again, incident]
        assert [each.is_first for each in found] == [False, False]
        assert list(recurrence.known_incidents(found, WEEK, alice)) == [incident]

    def test_what_is_new_did_not_come_back(self, alice: User) -> None:
        for title, times in (("new", 1), ("b", 2), ("a", 2)):
            told = factory.postmortem(problem=Problem.objects.create(title=title))
            told.incidents.set([factory.incident(title, started_at=NOW + n * TICK) for n in range(times)])
        found = recurrence.showings(WEEK, alice)

        assert [problem.title for problem in recurrence.came_back(found)] == ["a", "b"]
        assert [row.title for row in recurrence.known_incidents(found, WEEK, alice).order_by("title")] == ["a", "b"]

    @pytest.mark.parametrize(("outcome", "times"), [("worked", 1), ("partly", 0), ("no_effect", 0)])
    def test_a_fix_shows_its_problem_where_it_ended_an_incident(self, alice: User, outcome: str, times: int) -> None:
        fix = factory.fix(problem=Problem.objects.create(title="Pools run dry"))
        factory.fix_use(fix, factory.incident(started_at=NOW), outcome)

        assert len(recurrence.showings(WEEK, alice)) == times


class TestDebt:
    def test_only_what_is_open_would_have_prevented_something_and_is_preventive(self, alice: User) -> None:
        problem = Problem.objects.create(title="Pools run dry")
        home = factory.postmortem(problem=problem, status="published", published_at=BEGIN)
        once = factory.postmortem("No problem named", status="published", published_at=BEGIN)
        again = factory.postmortem("Again", problem=problem)
        again.incidents.set([factory.incident(started_at=NOW + n * TICK) for n in range(2)])
        once.incidents.add(factory.incident(started_at=NOW))
        for title, fields in {
            "no date": {},
            "late": {"due_on": date(2026, 3, 4)},
            "today": {"due_on": date(2026, 3, 5)},
            "detects": {"kind": "detect"},
            "done": {"state": "done"},
        }.items():
            factory.action_item(title, postmortem=home, **fields)
        factory.action_item("less", postmortem=once, due_on=FIRST)
        factory.action_item("nothing", postmortem=factory.postmortem("Nothing came after it"))

        table = actions.debt(WEEK, alice, NOW).table

        assert [(str(name), late, str(prevented)) for name, _, _, late, prevented in table.rows] == [
            *(("late", 1, "2"), ("today", None, "2"), ("no date", None, "2"), ("less", 3, "1"))
        ]


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        *((0, "under 1 min"), (0.4, "under 1 min"), (1, "1 min"), (59.4, "59 min"), (59.6, "1 h"), (61, "1 h 1 min")),
        *((1440, "1 day"), (1499, "1 day"), (1500, "1 day 1 h"), (2880, "2 days"), (3000, "2 days 2 h")),
    ],
)
def test_a_length_is_said_in_its_two_biggest_units(minutes: float, said: str) -> None:
    assert durations.in_time(minutes) == said


def test_what_ended_before_it_began_took_no_time(alice: User) -> None:
    factory.incident(started_at=NOW, detected_at=NOW - timedelta(hours=1))

    row = durations.section(WEEK, alice).table.rows[0]

    assert [str(cell) for cell in row] == ["To detect", "1", "under 1 min", "", "under 1 min", "", "under 1 min", "0"]


def test_who_noticed_is_asked_of_those_of_which_it_was_said(alice: User) -> None:
    sources = ("customer", "social_media", "monitor", "partner")
    assert detection.section(WEEK, alice).empty
    for source in sources:
        factory.incident(source, started_at=NOW, detection_source=source)

    headlines = detection.section(WEEK, alice).headlines

    assert [str(number) for _, number, _ in headlines] == ["2 of 4", "0"]
    factory.incident("unsaid", started_at=NOW)
    headlines = detection.section(WEEK, alice).headlines
    assert [str(number) for _, number, _ in headlines] == ["2 of 4", "1"]
    assert titles(detection.detected(incidents(WEEK, alice), "customers")) == {"customer", "social_media"}
    assert titles(detection.detected(incidents(WEEK, alice), "said")) == set(sources)
    assert titles(detection.detected(incidents(WEEK, alice), "not_said")) == {"unsaid"}


class TestGaps:
    def test_the_newest_open_ones_are_listed_and_all_are_counted(self, alice: User) -> None:
        incident = factory.incident(severity="sev1")
        rows = [
            KnowledgeGap.objects.record(incident=incident, text=text, by=alice, at=BEGIN + timedelta(hours=n))
            for n, text in enumerate(("older", "newer", "answered"))
        ]
        KnowledgeGap.objects.filter(pk=rows[2].pk).update(answered_at=NOW)

        section = gaps.section(WEEK, alice)

        assert [str(row[0]) for row in section.table.rows] == ["newer", "older"]
        assert [str(number) for _, number, _ in section.headlines] == ["2 of 3", "1"]


class TestWhatIsAsked:
    TODAY = date(2026, 3, 15)

    def scope(self, **asked: str) -> tuple[list[str], Scope]:
        form = ScopeForm(asked, today=self.TODAY)
        scope = form.scope()
        return sorted(form.errors), scope

    def test_an_empty_field_is_one_that_was_not_asked(self, db: None) -> None:
        usual = Scope(date(2025, 3, 16), self.TODAY)

        assert self.scope() == self.scope(since="", until="", team="", service="") == ([], usual)
        assert self.scope(since="2026-03-01", until="") == ([], Scope(date(2026, 3, 1), self.TODAY))

    def test_one_day_is_a_period_and_ten_years_are_the_longest(self, db: None) -> None:
        usual = Scope(date(2025, 3, 16), self.TODAY)
        day = "2026-03-01"

        assert self.scope(since=day, until=day)[0] == []
        assert self.scope(since=day, until="2026-02-28") == (["until"], usual)
        assert self.scope(since="2016-03-07")[0] == []
        assert self.scope(since="2016-03-06") == (["since"], usual)


class TestAges:
    @pytest.mark.parametrize(
        ("days", "age", "younger"), [(30, "30", "0"), (90, "90", "30"), (180, "180", "90")], ids=["30", "90", "180"]
    )
    def test_an_age_begins_with_its_first_day(self, alice: User, days: int, age: str, younger: str) -> None:
        for name, at in (("there", NOW - timedelta(days=days)), ("not yet", NOW - timedelta(days=days) + TICK)):
            factory.action_item(name, postmortem=factory.postmortem(status="published", published_at=at))
        items = actions.items(WEEK, alice)

        assert titles(actions.of_age(items, age, NOW)) == {"there"}
        assert titles(actions.of_age(items, younger, NOW)) == {"not yet"}

    def test_what_is_due_today_is_not_late(self, alice: User) -> None:
        for n in (-1, 0, 1):
            factory.action_item(f"{n}", postmortem=factory.postmortem(), due_on=NOW.date() + timedelta(days=n))

        assert titles(ActionItem.objects.filter(actions.late(NOW))) == {"-1"}
        assert titles(ActionItem.objects.overdue(on=NOW.date())) == {"-1"}


class TestDueDates:
    def kinds(self, user: User) -> dict[str, set[str]]:
        rows = learning.due(WEEK, user)
        return {how: titles(rows.filter(learning.is_due(how, NOW.date()))) for how in learning.DUE}

    def test_each_postmortem_is_one_of_four(self, alice: User) -> None:
        days = {"yesterday": date(2026, 3, 4), "today": date(2026, 3, 5)}
        for name, day in days.items():
            factory.postmortem(f"draft of {name}", status="draft", owner=alice, due_on=day)
        for name, at in (("in time", END.replace(day=5) - TICK), ("a tick late", END.replace(day=5))):
            factory.postmortem(name, status="published", published_at=at, due_on=days["yesterday"])
        factory.postmortem("kept away", status="archived", published_at=BEGIN, due_on=days["yesterday"])

        assert self.kinds(alice) == {
            "on_time": {"in time", "kept away"},
            "late": {"a tick late"},
            "overdue": {"draft of yesterday"},
            "waiting": {"draft of today"},
        }

    def test_the_day_of_publication_is_that_of_the_site(self, alice: User, settings: Any) -> None:
        settings.TIME_ZONE = "America/Los_Angeles"
        at = datetime(2026, 3, 5, 7, 0, tzinfo=UTC)  # the fourth there
        factory.postmortem("in time", status="published", published_at=at, due_on=date(2026, 3, 4))

        assert self.kinds(alice)["on_time"] == {"in time"}

    def missing(self, user: User, at: datetime = NOW) -> set[str]:
        return titles(learning.missing(WEEK, user, at))

    def resolved(self, title: str, at: datetime, **details: Any) -> Any:
        known = {"severity": "sev1", "status": "resolved", "started_at": at - timedelta(hours=1), "resolved_at": at}
        return factory.incident(title, **{**known, **details})

    @pytest.fixture
    def rules(self) -> None:
        """SEV1 within ten days; of security within twenty; SEV2 only of security."""
        PostmortemPolicy.objects.all().delete()
        for severity, kind, days in (("sev1", "", 10), ("sev1", "security", 20), ("sev2", "security", 10)):
            PostmortemPolicy.objects.create(severity=severity, kind=kind, is_required=True, days_until_due=days)
        PostmortemPolicy.objects.create(severity="sev3", is_required=False, days_until_due=10)

    @pytest.mark.usefixtures("rules")
    def test_one_is_missing_from_the_day_after_its_date(self, alice: User) -> None:
        ten = timedelta(days=10)
        self.resolved("due before the period", BEGIN - ten - TICK)
        self.resolved("due on its first day", BEGIN - ten)
        self.resolved("due yesterday", END.replace(day=5) - ten - TICK)
        self.resolved("due today", END.replace(day=5) - ten)

        assert self.missing(alice) == {"due on its first day", "due yesterday"}
        long_after = END + timedelta(days=30)
        assert self.missing(alice, long_after) == {"due on its first day", "due yesterday", "due today"}

    @pytest.mark.usefixtures("rules")
    def test_after_the_period_no_more_are_missing(self, alice: User) -> None:
        self.resolved("due on its last day", END - timedelta(days=10) - TICK)
        self.resolved("due after it", END - timedelta(days=10))

        assert self.missing(alice, END + timedelta(days=30)) == {"due on its last day"}

    @pytest.mark.usefixtures("rules")
    def test_a_rule_for_its_kind_goes_before_that_for_any(self, alice: User) -> None:
        ten_ago, twenty_ago = (BEGIN - timedelta(days=days) for days in (10, 20))
        self.resolved("service, SEV1", ten_ago)
        self.resolved("security, SEV1, not due then", ten_ago, kind="security")
        self.resolved("security, SEV1", twenty_ago, kind="security")
        self.resolved("service, SEV1, due long before", twenty_ago)
        self.resolved("security, SEV2", ten_ago, kind="security", severity="sev2")
        self.resolved("service, SEV2: no rule", ten_ago, severity="sev2")
        self.resolved("SEV3: not required", ten_ago, severity="sev3")

        assert self.missing(alice) == {"service, SEV1", "security, SEV1", "security, SEV2"}

    @pytest.mark.usefixtures("rules")
    def test_none_is_missing_of_what_goes_on_or_has_one_that_is_seen(self, alice: User, bob: User) -> None:
        at = BEGIN - timedelta(days=10)
        self.resolved("open again", at, status="open")
        told, drafted = self.resolved("told", at), self.resolved("drafted", at)
        factory.postmortem().incidents.add(told)
        factory.postmortem(status="draft", owner=alice).incidents.add(drafted)

        assert self.missing(alice) == set()
        assert self.missing(bob) == {"drafted"}


class TestEarlierFixes:
    @pytest.mark.parametrize(("day", "is_used"), [(4, True), (5, False)])
    def test_a_fix_is_earlier_if_its_postmortem_tells_of_a_day_before(
        self, alice: User, day: int, is_used: bool
    ) -> None:
        fix = factory.fix(postmortem=factory.postmortem(occurred_on=date(2026, 3, day)))
        Fix.objects.filter(pk=fix.pk).update(created_at=BEGIN)  # it is not asked when it was written down
        factory.fix_use(fix, factory.incident(started_at=NOW))

        assert bool(reuse.of_step(WEEK, alice, "used")) == is_used

    @pytest.mark.parametrize(("before", "is_used"), [(TICK, True), (timedelta(0), False)])
    def test_one_without_a_postmortem_if_it_was_written_down_before(
        self, alice: User, before: timedelta, is_used: bool
    ) -> None:
        fix = factory.fix()
        Fix.objects.filter(pk=fix.pk).update(created_at=NOW - before)
        factory.fix_use(fix, factory.incident(started_at=NOW), "partly")

        assert bool(reuse.of_step(WEEK, alice, "used")) == is_used

    @pytest.mark.parametrize(("outcome", "is_used"), [("worked", True), ("partly", True), ("no_effect", False)])
    def test_it_is_of_use_if_it_helped_in_another_incident(self, alice: User, outcome: str, is_used: bool) -> None:
        told = factory.postmortem(published_at=NOW, status="published")
        told.incidents.add(own := factory.incident())
        fix = factory.fix(postmortem=told)
        factory.fix_use(fix, own)
        rows = learning.published(WEEK, alice)
        assert not rows.get().is_reused

        factory.fix_use(fix, factory.incident(), outcome)

        assert rows.get().is_reused == is_used

    def test_what_is_judged_where_one_may_not_look_is_of_no_use(self, alice: User, charlie: User) -> None:
        told = factory.postmortem(published_at=NOW, status="published")
        shut = factory.incident(visibility=Visibility.RESTRICTED)
        shut.members.add(alice)
        factory.verdict(shut, told)

        assert [learning.published(WEEK, who).get().is_reused for who in (alice, charlie)] == [True, False]


class TestFew:
    @pytest.mark.parametrize(("of", "percent"), [(9, None), (10, 30)])
    def test_a_share_of_fewer_than_ten_is_no_percentage(self, of: int, percent: int | None) -> None:
        assert Share(figure(3, "incidents"), figure(of, "incidents")).percent == percent

    @pytest.mark.parametrize(("n", "is_few"), [(19, True), (20, False)])
    def test_twenty_values_are_not_few(self, n: int, is_few: bool) -> None:
        assert spread(range(n)).is_few == is_few

    def test_quartiles_lie_between_neighbours(self) -> None:
        values = spread([40, 10, 30, 20])

        assert [values.quantile(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [10, 17.5, 25, 32.5, 40]


class TestTheWeek:
    def review(self, user: User, at: datetime = NOW) -> weekly.Review:
        return weekly.review(weekly.Week(FIRST), user=user, at=at)

    def test_what_is_late_and_what_is_due_in_it(self, alice: User) -> None:
        home = factory.postmortem()
        for day in (9, 8, 5, 4, 2, 1):
            factory.action_item(f"{day}", postmortem=home, due_on=date(2026, 3, day))
        factory.action_item("done", postmortem=home, due_on=FIRST, state="done")
        factory.action_item("no date", postmortem=home)
        factory.action_item("hidden", postmortem=factory.postmortem(visibility=Visibility.RESTRICTED), due_on=FIRST)

        found = self.review(alice)

        assert [item.title for item in found.late] == ["1", "2", "4"]
        assert [item.title for item in found.due] == ["5", "8"]

    def test_seen_before_it_begins_only_its_own_days_are_due(self, alice: User) -> None:
        home = factory.postmortem()
        for day in (1, 2, 8, 9):
            factory.action_item(f"{day}", postmortem=home, due_on=date(2026, 3, day))

        found = self.review(alice, at=NOW - timedelta(days=7))

        assert ([item.title for item in found.late], [item.title for item in found.due]) == ([], ["2", "8"])

    def test_the_worst_incidents_come_first(self, alice: User) -> None:
        for title, severity, hours in (("c", "sev3", 0), ("b", "sev1", 2), ("a", "sev1", 1)):
            factory.incident(title, severity=severity, started_at=BEGIN + timedelta(hours=hours))

        assert [row.title for row in self.review(alice).incidents] == ["a", "b", "c"]

    def test_what_is_not_published_by_its_date_is_late_the_day_after(self, alice: User, bob: User) -> None:
        for day in (6, 5, 4, 3):
            factory.postmortem(f"{day}", status="draft", owner=alice, due_on=date(2026, 3, day))
        factory.postmortem("there", due_on=FIRST)

        assert [row.title for row in self.review(alice).overdue] == ["3", "4"]
        assert self.review(bob).overdue == []

    def test_what_came_back_most_comes_first(self, alice: User) -> None:
        for title, times in (("once", 2), ("twice", 3), ("new", 1)):
            told = factory.postmortem(problem=Problem.objects.create(title=title))
            told.incidents.set([factory.incident(started_at=BEGIN + timedelta(hours=n)) for n in range(times)])

        found = self.review(alice).came_back

        assert [(each.problem.title, len(each.showings)) for each in found] == [("twice", 2), ("once", 1)]

    def test_who_has_not_decided_yet_is_named(self, alice: User, bob: User) -> None:
        waiting = factory.postmortem(status="in_review", owner=alice, due_on=LAST)
        undated = factory.postmortem("Of no date", status="in_review", owner=alice)
        sooner = factory.postmortem("Sooner", status="in_review", owner=alice, due_on=FIRST)
        factory.postmortem("Back at its author", status="changes_requested", owner=alice)
        waiting.review_requests.create(reviewer=bob, requested_at=NOON)

        assert [(each.postmortem, each.reviewers) for each in self.review(alice).waiting] == [
            *((sooner, ()), (waiting, ("Bob",)), (undated, ()))
        ]

    @pytest.mark.parametrize(
        ("name", "monday"),
        [
            *(("2026-W10", FIRST), ("2020-W53", date(2020, 12, 28)), ("1900-W01", date(1900, 1, 1))),
            *(("2021-W53", None), ("1899-W52", None), ("9990-W02", None), ("2026-W00", None), ("W10", None)),
        ],
    )
    def test_weeks_have_iso_names(self, name: str, monday: date | None) -> None:
        week = weekly.Week.named(name)

        assert (week and week.monday) == monday
        assert week is None or (week.name, week.before.next, week.next.before) == (name, week, week)

    def test_its_neighbours_are_the_weeks_beside_it(self) -> None:
        week = weekly.Week.of(LAST)

        assert (week.before.name, week.name, week.next.name) == ("2026-W09", "2026-W10", "2026-W11")
        assert (week.monday, week.sunday) == (FIRST, LAST)
