"""How well suggestions help: worked out by hand, and for a reader only from what this reader may see."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postmortems.models import Incident, Postmortem, SuggestionOpening, User, Visibility
from postmortems.suggestions.quality import Case, Measures, Share, cases_for, measure, quality_of
from tests import factory

NOON = factory.NOON  # a Sunday
LONG_AGO = NOON - timedelta(days=365)


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


# --- the measures ---


def test_of_no_case_nothing_is_known() -> None:
    assert measure([]) == Measures(0, Share(0, 0), Share(0, 0), Share(0, 0), None, 0)


def test_precision_is_of_the_judged_items_that_stood_among_the_first_three() -> None:
    panels = (("a", "b", "c", "d"), ("e", "f"), ())
    verdicts = {
        "a": ("same_cause", after(1)),
        "b": ("not_similar", after(1)),
        "c": ("same_symptom", after(1)),
        "d": ("same_cause", after(1)),  # was shown fourth only
        "e": ("not_similar", after(1)),
        "z": ("same_cause", after(1)),  # was never shown
    }

    assert measure([Case(NOON, panels=panels, verdicts=verdicts)]).precision == Share(2, 4)


def test_an_incident_had_something_useful_by_verdict_or_by_a_fix_that_helped() -> None:
    cases = [
        Case(NOON, panels=(("a",),), verdicts={"a": ("same_symptom", after(1))}),
        Case(NOON, panels=(("a",),), helped={"a": after(9)}),
        Case(NOON, panels=(("a",),), helped={"b": after(9)}),  # a fix that was not suggested
        Case(NOON, panels=(("a",),), verdicts={"a": ("not_similar", after(1))}),
        Case(NOON, panels=((),)),
    ]

    assert measure(cases).useful == Share(2, 5)


def test_nothing_similar_is_when_no_panel_had_anything() -> None:
    cases = [Case(NOON, panels=((), ())), Case(NOON, panels=((), ("a",))), Case(NOON, panels=(("a",),))]

    assert measure(cases).abstained == Share(1, 3)


def test_the_time_is_to_the_first_sign_of_a_useful_item() -> None:
    panels = (("a", "b"),)
    verdict = {"a": ("same_cause", after(20))}

    def minutes(**known: Any) -> float | None:
        time = Case(NOON, panels=panels, **known).time_to_useful
        return time.total_seconds() / 60 if time is not None else None

    assert minutes(verdicts=verdict) == 20
    assert minutes(verdicts=verdict, opened={"a": after(6), "b": after(1)}) == 6  # b was no use
    assert minutes(verdicts=verdict, opened={"a": after(6)}, helped={"a": after(4)}) == 4
    assert minutes(opened={"a": after(6)}) is None
    assert minutes(verdicts=verdict, opened={"a": after(-3)}) == 0  # opened while it was being declared


def test_the_median_is_of_those_that_have_a_time() -> None:
    cases = [Case(NOON, panels=(("a",),), helped={"a": after(minutes)}) for minutes in (2, 8, 100)]

    assert measure([*cases, Case(NOON, panels=((),))]).median_time == timedelta(minutes=8)
    assert measure([*cases, Case(NOON, panels=((),))]).timed == 3
    assert measure(cases[:2]).median_time == timedelta(minutes=5)


@pytest.mark.parametrize(("part", "of", "percent"), [(0, 0, None), (3, 9, None), (3, 10, 30), (2, 30, 7)])
def test_a_percentage_is_only_given_of_enough(part: int, of: int, percent: int | None) -> None:
    assert Share(part, of).percent == percent


def test_weeks_begin_on_monday_in_the_readers_zone_and_the_newest_comes_first() -> None:
    times = [NOON, NOON + timedelta(hours=11, minutes=30), NOON + timedelta(days=8)]
    cases = [Case(at, panels=((),)) for at in times]

    with timezone.override("UTC"):
        utc = [(row.label, row.measures.incidents) for row in quality_of(cases).by_week]
    with timezone.override("Europe/Berlin"):
        berlin = [(row.label, row.measures.incidents) for row in quality_of(cases).by_week]

    assert utc == [(date(2026, 3, 9), 1), (date(2026, 2, 23), 2)]
    assert berlin == [(date(2026, 3, 9), 1), (date(2026, 3, 2), 1), (date(2026, 2, 23), 1)]


def test_an_incident_counts_for_each_of_its_services() -> None:
    cases = [
        Case(NOON, services=("Checkout", "Auth"), panels=(("a",),), helped={"a": after(1)}),
        Case(NOON, services=("Checkout",), panels=((),)),
        Case(NOON, panels=((),)),
    ]

    rows = {row.label: (row.measures.useful, row.measures.incidents) for row in quality_of(cases).by_service}

    assert list(rows) == ["Checkout", "Auth", "No service named"]
    assert rows["Checkout"] == (Share(1, 2), 2)
    assert quality_of(cases).total.incidents == 3


# --- from rows to cases ---


def world(**details: Any) -> tuple[Incident, Postmortem]:
    """An incident with a run, an opening, a verdict and a fix that worked, all of one postmortem."""
    incident = factory.incident(detected_at=NOON, **details)
    row = factory.postmortem()
    run = factory.suggestion_run(incident, row, at=after(1))
    SuggestionOpening.objects.record(run=run, key=row.search_key, at=after(2))
    factory.verdict(incident, row, "same_cause", at=after(3))
    factory.fix_use(factory.fix(postmortem=row), incident, "partly", at=after(5))
    return incident, row


def test_a_case_is_gathered_from_what_was_recorded(alice: User) -> None:
    _, row = world(services=("Checkout", "Auth"))

    (case,) = cases_for(alice, since=LONG_AGO)

    assert case.noticed_at == NOON and case.services == ("Auth", "Checkout")
    assert case.panels == ((row.search_key,),)
    assert case.verdicts == {row.search_key: ("same_cause", after(3))}
    assert case.opened == {row.search_key: after(2)}
    assert case.helped[row.search_key] == after(5)
    assert case.time_to_useful == timedelta(minutes=2)


def test_a_fix_counts_for_the_incident_that_its_postmortem_tells_of(alice: User) -> None:
    told, now = factory.incident("Told"), factory.incident("Now", detected_at=NOON)
    row = factory.postmortem()
    row.incidents.add(told)
    factory.suggestion_run(now, told)
    factory.fix_use(factory.fix(postmortem=row), now, "worked")

    (case,) = cases_for(alice, since=LONG_AGO)

    assert case.useful == {told.search_key}


@pytest.mark.parametrize("outcome", ["no_effect", "made_worse"])
def test_a_fix_that_did_not_help_is_no_use(alice: User, outcome: str) -> None:
    incident, row = factory.incident(detected_at=NOON), factory.postmortem()
    factory.suggestion_run(incident, row)
    factory.fix_use(factory.fix(postmortem=row), incident, outcome)

    assert measure(cases_for(alice, since=LONG_AGO)).useful == Share(0, 1)


def test_only_incidents_with_a_panel_and_of_the_time_asked_for_are_counted(alice: User) -> None:
    factory.incident("Nobody looked", detected_at=NOON)
    old = factory.incident("Old", detected_at=NOON - timedelta(days=10))
    factory.suggestion_run(old)
    factory.suggestion_run(None, user=alice)

    assert cases_for(alice, since=NOON - timedelta(days=9)) == []
    assert len(cases_for(alice, since=NOON - timedelta(days=10))) == 1


def test_an_incident_without_a_time_of_detection_was_noticed_when_it_was_declared(alice: User) -> None:
    incident = factory.incident(detected_at=None)
    factory.suggestion_run(incident)

    (case,) = cases_for(alice, since=LONG_AGO)

    assert case.noticed_at == incident.created_at


def test_restricted_incidents_change_no_number_for_an_outsider(alice: User, charlie: User) -> None:
    world()
    before = quality_of(cases_for(charlie, since=LONG_AGO))

    secret, _ = world(visibility=Visibility.RESTRICTED, services=("Vault",))
    secret.members.add(alice)

    assert quality_of(cases_for(charlie, since=LONG_AGO)) == before
    assert measure(cases_for(alice, since=LONG_AGO)).incidents == 2


def test_items_that_are_hidden_change_no_number_for_an_outsider(alice: User, charlie: User) -> None:
    incident, _ = world()
    before = quality_of(cases_for(charlie, since=LONG_AGO))
    secret = factory.postmortem("Secret", visibility=Visibility.RESTRICTED)
    secret.members.add(alice)

    run = factory.suggestion_run(incident, secret, user=alice)
    SuggestionOpening.objects.record(run=run, key=secret.search_key, at=NOON)
    factory.verdict(incident, secret, "not_similar")
    factory.fix_use(factory.fix(postmortem=secret), incident, "worked", at=NOON)

    assert quality_of(cases_for(charlie, since=LONG_AGO)) == before
    assert measure(cases_for(alice, since=LONG_AGO)).precision == Share(1, 2)


def test_an_incident_for_which_only_hidden_items_were_shown_is_none_for_an_outsider(alice: User, charlie: User) -> None:
    world()
    before = quality_of(cases_for(charlie, since=LONG_AGO))
    secret = factory.postmortem("Secret", visibility=Visibility.RESTRICTED)
    secret.members.add(alice)

    factory.suggestion_run(factory.incident(detected_at=NOON), secret, user=alice)

    assert quality_of(cases_for(charlie, since=LONG_AGO)) == before
    assert measure(cases_for(alice, since=LONG_AGO)).incidents == 2


def test_a_verdict_on_a_hidden_item_makes_nothing_useful_for_an_outsider(alice: User, charlie: User) -> None:
    incident = factory.incident(detected_at=NOON)
    secret = factory.postmortem("Secret", visibility=Visibility.RESTRICTED)
    secret.members.add(alice)
    factory.suggestion_run(incident, factory.postmortem(), secret, user=alice)

    factory.verdict(incident, secret, "same_cause")

    useful = {who.username: measure(cases_for(who, since=LONG_AGO)).useful.part for who in (alice, charlie)}
    assert useful == {"alice": 1, "charlie": 0}


def test_panels_are_seen_as_far_as_the_reader_may_see_them(alice: User, charlie: User) -> None:
    row, secret = factory.postmortem(), factory.postmortem("Secret", visibility=Visibility.RESTRICTED)
    secret.members.add(alice)
    factory.suggestion_run(factory.incident(detected_at=NOON), secret, row)

    panels = {who.username: cases_for(who, since=LONG_AGO)[0].panels for who in (alice, charlie)}

    assert panels == {"alice": ((secret.search_key, row.search_key),), "charlie": ((row.search_key,),)}


def test_it_takes_as_many_queries_for_many_incidents_as_for_two(alice: User, django_assert_num_queries: Any) -> None:
    for _ in range(2):
        world(services=("Checkout",))
    with django_assert_num_queries(8):
        cases_for(alice, since=LONG_AGO)

    for _ in range(10):
        world(services=("Checkout", "Auth"))

    with django_assert_num_queries(7):
        assert len(cases_for(alice, since=LONG_AGO)) == 12
