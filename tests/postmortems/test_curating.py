"""The library of fixes: states, freshness, two who edit at once, and who may see what comes from where."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from postmortems import suggestions
from postmortems.models import AuditEvent, Fix, FixUse, User
from postmortems.models.fix import NotThatFix, Overtaken
from postmortems.roles import NotAllowed
from postmortems.workflows import curating, triage
from tests import factory
from tests.postmortems.conftest import Learn

AT = factory.NOON
TODAY = AT.date()
Step = Callable[..., None]
STEPS: dict[str, tuple[Step, dict[str, str], set[str], str]] = {
    "verify": (curating.verify_fix, {}, {"draft", "stale"}, "verified"),
    "retire": (curating.retire_fix, {"reason": "Gone."}, {"draft", "verified", "stale"}, "retired"),
    "take_back": (curating.take_back_fix, {}, {"retired"}, "draft"),
}


@pytest.fixture
def rita(db: None) -> User:
    return factory.user("rita", roles=("reader",))


@pytest.mark.parametrize("state", Fix.State.values)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_taken_from_its_states_and_refused_from_all_others(alice: User, name: str, state: str) -> None:
    step, more, starts, leads_to = STEPS[name]
    fix = factory.fix(state=state, commands="restart")

    if state in starts:
        step(fix, by=alice, at=AT, **more)
    else:
        with pytest.raises(NotThatFix):
            step(fix, by=alice, at=AT, **more)

    fix.refresh_from_db()
    assert fix.state == (leads_to if state in starts else state)
    changes = [event.changes for event in AuditEvent.objects.filter(action=f"fix.{name}")]
    assert changes == ([{"state": [state, leads_to]}] if state in starts else [])


@pytest.mark.parametrize("name", STEPS)
def test_who_only_writes_does_not_verify_or_retire(db: None, name: str) -> None:
    step, more, starts, _ = STEPS[name]
    fix = factory.fix(state=min(starts), commands="restart")

    with pytest.raises(NotAllowed):
        step(fix, by=factory.user("arno", roles=("author",)), at=AT, **more)


def test_what_has_no_steps_cannot_be_verified(alice: User) -> None:
    with pytest.raises(NotThatFix, match="nothing to verify"):
        curating.verify_fix(factory.fix(), by=alice, at=AT)


def test_retiring_wants_a_reason(alice: User) -> None:
    with pytest.raises(NotThatFix, match="Say why"):
        curating.retire_fix(factory.fix(), reason=" ", by=alice, at=AT)


@pytest.mark.parametrize("way", ["confirm", "verify", "try"])
def test_the_day_of_a_confirmation_is_the_sites_whoever_confirms(alice: User, settings: Settings, way: str) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    fix, at = factory.fix(commands="restart"), datetime(2026, 3, 1, 20, 0, tzinfo=UTC)  # the 2nd in Tokyo

    with timezone.override("America/New_York"):
        if way == "confirm":
            curating.confirm_fix(fix, by=alice, at=at)
        elif way == "verify":
            curating.verify_fix(fix, by=alice, at=at)
        else:
            triage.record_outcome(factory.incident(), fix, outcome="worked", by=alice, at=at)

    assert fix.last_confirmed == date(2026, 3, 2)


class TestFreshness:
    def of(self, fix: Fix, on: date = TODAY) -> str:
        return Fix.objects.with_freshness(on).get(pk=fix.pk).freshness

    @pytest.mark.parametrize(
        ("confirmed", "months", "on", "freshness"),
        [
            (None, 6, "2026-03-01", "to_confirm"),
            ("2026-03-01", 6, "2026-08-31", "fresh"),
            ("2026-03-01", 6, "2026-09-01", "to_confirm"),
            ("2025-12-15", 1, "2026-01-14", "fresh"),
            ("2025-12-15", 1, "2026-01-15", "to_confirm"),
            ("2024-03-01", 24, "2026-02-28", "fresh"),
            ("2024-03-01", 24, "2026-03-01", "to_confirm"),
        ],
    )
    def test_a_confirmation_holds_its_months(
        self, db: None, confirmed: str | None, months: int, on: str, freshness: str
    ) -> None:
        day = date.fromisoformat(confirmed) if confirmed else None
        fix = factory.fix(last_confirmed=day, confirm_every_months=months)

        assert self.of(fix, date.fromisoformat(on)) == freshness

    def test_a_fix_is_stale_when_all_its_services_are_gone(self, db: None) -> None:
        fix = factory.fix(services=("Checkout", "Basket"), last_confirmed=TODAY)
        seen = [self.of(fix)]
        for service in fix.services.all():
            type(service).objects.filter(pk=service.pk).update(retired_at=AT)
            seen.append(self.of(fix))

        assert seen == ["fresh", "fresh", "stale"]

    def test_what_is_marked_stale_is_stale_and_what_is_retired_is_neither(self, db: None) -> None:
        assert self.of(factory.fix(state="stale", last_confirmed=TODAY)) == "stale"
        assert self.of(factory.fix(state="retired", last_confirmed=TODAY)) == ""

    def test_still_valid_makes_it_fresh_and_is_audited(self, alice: User) -> None:
        fix = factory.fix(state="stale", last_confirmed=TODAY - timedelta(days=400))

        curating.confirm_fix(fix, by=alice, at=AT)

        assert (self.of(fix), fix.state, fix.confirmed_by) == ("fresh", "verified", alice)
        assert AuditEvent.objects.get().changes == {"last_confirmed": ["2025-01-25", "2026-03-01"]}

    def test_a_reader_confirms_nothing(self, rita: User) -> None:
        with pytest.raises(NotAllowed):
            curating.confirm_fix(factory.fix(), by=rita, at=AT)


class TestWriting:
    def write(self, fix: Fix, by: User, at: datetime = AT, **fields: Any) -> None:
        seen = fields.pop("seen", fix.fingerprint())
        curating.edit_fix(fix, seen=seen, services=[], problem=None, by=by, at=at, **fields)

    def test_the_audit_log_keeps_what_stood_there(self, alice: User) -> None:
        fix = factory.fix(steps="Restart it.")

        self.write(fix, alice, steps="Drain, then restart it.")

        assert AuditEvent.objects.get().changes == {"steps": ["Restart it.", "Drain, then restart it."]}
        assert Fix.objects.get().steps_html == "<p>Drain, then restart it.</p>"

    def test_of_two_who_edit_at_once_the_second_is_told_and_nothing_is_overwritten(
        self, alice: User, bob: User
    ) -> None:
        fix = factory.fix(steps="Restart it.")
        seen = fix.fingerprint()
        self.write(fix, alice, steps="Drain it.")

        with pytest.raises(Overtaken):
            self.write(Fix.objects.get(), bob, seen=seen, steps="Kill it.")

        assert Fix.objects.get().steps == "Drain it."

    def test_an_outcome_meanwhile_is_no_edit(self, alice: User) -> None:
        fix = factory.fix(steps="Restart it.", commands="x")
        seen = fix.fingerprint()
        curating.confirm_fix(fix, by=alice, at=AT)

        self.write(fix, alice, seen=seen, steps="Drain it.")

        assert Fix.objects.get().steps == "Drain it."

    @pytest.mark.parametrize(("field", "state"), [("steps", "draft"), ("commands", "draft"), ("risk", "verified")])
    def test_other_steps_have_not_been_verified(self, alice: User, field: str, state: str) -> None:
        fix = factory.fix(state="verified", steps="Restart it.")

        self.write(fix, alice, **{field: "Something else"})

        assert Fix.objects.get().state == state

    def test_what_an_import_guessed_is_somebodys_once_they_wrote_it(self, alice: User) -> None:
        fix = factory.fix(postmortem=factory.postmortem(), steps="Restart it.")
        assert fix.is_guessed

        self.write(fix, alice, steps="Drain it.")

        assert not Fix.objects.get().is_guessed


class TestWhereItComesFrom:
    def create(self, by: User, **details: Any) -> Fix:
        return curating.create_fix(
            title="Drain it", commands="drain", services=[], problem=None, by=by, at=AT, **details
        )

    def test_what_fixed_an_incident_worked_there(self, alice: User) -> None:
        incident = factory.incident()

        fix = self.create(alice, incident=incident)

        assert (fix.state, fix.created_by) == ("draft", alice)
        use = FixUse.objects.get()
        assert (use.fix, use.incident, use.outcome) == (fix, incident, "worked")

    def test_of_a_restricted_incident_it_is_seen_by_those_who_see_that(
        self, alice: User, bob: User, charlie: User, team: Any
    ) -> None:
        incident = factory.incident(visibility="restricted")
        incident.members.add(alice)
        incident.shared_with.add(team)

        fix = self.create(alice, incident=incident)

        seen = [Fix.objects.visible_to(who).contains(fix) for who in (alice, bob, charlie)]
        assert seen == [True, True, False]

    def test_of_a_restricted_postmortem_it_is_seen_where_that_is(self, alice: User, charlie: User) -> None:
        postmortem = factory.postmortem(visibility="restricted", owner=alice)

        fix = self.create(alice, postmortem=postmortem)

        assert Fix.objects.visible_to(alice).contains(fix)
        assert not Fix.objects.visible_to(charlie).contains(fix)


def test_a_retired_fix_is_suggested_to_nobody_until_it_is_taken_back(alice: User, learn: Learn) -> None:
    for n in range(20):
        learn(factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n} was late."}))
    said = "Connection slots of postgres are used up, pgbouncer refuses clients"
    row = factory.postmortem("Connection pool exhausted", sections={"summary": said})
    fix = factory.fix(postmortem=row, commands="RECONNECT")
    learn(row)

    def offered() -> list[str]:
        report = suggestions.Report(title="Pool exhausted", symptoms=said, started_at=timezone.now())
        (found,) = suggestions.suggest(report, user=alice).results
        return [each.freshness for each in found.fixes]

    before = offered()
    curating.retire_fix(fix, reason="Gone.", by=alice, at=AT)
    retired = offered()
    curating.take_back_fix(fix, by=alice, at=AT)

    assert (before, retired, offered()) == (["to_confirm"], [], ["to_confirm"])
