"""The loop: what was shown, opened and judged is kept, once, and never in the way of the page."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from postmortems import suggestions
from postmortems.models import Incident, Postmortem, SuggestionOpening, SuggestionRun, SuggestionVerdict, User
from postmortems.suggestions import Suggestions
from postmortems.workflows import suggesting, triage
from tests import factory
from tests.postmortems.conftest import Learn
from tests.postmortems.test_suggestions import NOW, POOL, REPORT, learn_all

NOTHING = Suggestions(abstained=True, total_candidates=33)


@pytest.fixture
def found(alice: User, learn: Learn) -> Suggestions:
    """An answer with one suggestion."""
    for n in range(20):
        factory.postmortem(f"Deploy {n} rolled back")
    factory.postmortem("Connection pool exhausted", services=("Checkout",), sections=POOL)
    learn_all(learn)
    return suggestions.suggest(REPORT, user=alice)


@contextmanager
def broken_database() -> Iterator[None]:
    """The database refuses to write, as when its disk is full."""

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE")):
            raise DatabaseError("disk I/O error")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse):
        yield


class TestRuns:
    def test_a_run_says_what_was_shown_to_whom_and_why(self, alice: User, found: Suggestions) -> None:
        incident = factory.incident()

        run = suggesting.record_run(found, by=alice, at=NOW, incident=incident)

        assert run is not None
        kept = SuggestionRun.objects.get()
        assert (kept, kept.user, kept.incident, kept.at) == (run, alice, incident, NOW)
        assert (kept.candidates, kept.abstained) == (21, False)
        assert kept.engine.startswith("whoosh ") and kept.took_ms > 0
        (best,) = found.results
        assert kept.keys == [best.item.search_key]
        assert set(kept.shown[0]) == {"key", "score", "confidence", "parts"}
        assert sum(kept.shown[0]["parts"].values()) == pytest.approx(kept.shown[0]["score"], abs=0.001)

    def test_nothing_similar_is_kept_too(self, alice: User) -> None:
        run = suggesting.record_run(NOTHING, by=alice, at=NOW)

        assert run is not None and run.abstained and run.shown == []

    @pytest.mark.parametrize("empty", [Suggestions(), Suggestions(degraded="The index is being rebuilt.")])
    def test_what_nobody_was_shown_is_no_run(self, alice: User, empty: Suggestions) -> None:
        assert suggesting.record_run(empty, by=alice, at=NOW) is None
        assert not SuggestionRun.objects.exists()

    def test_of_an_incident_every_look_is_kept(self, alice: User) -> None:
        incident = factory.incident()

        for _ in range(2):
            suggesting.record_run(NOTHING, by=alice, at=NOW, incident=incident)

        assert SuggestionRun.objects.count() == 2

    def test_while_declaring_the_same_panel_is_kept_once_in_ten_minutes(
        self, alice: User, bob: User, found: Suggestions
    ) -> None:
        def recorded(what: Suggestions, by: User, minutes: int) -> int:
            run = suggesting.record_run(what, by=by, at=NOW + timedelta(minutes=minutes))
            assert run is not None
            return run.pk

        first = recorded(found, alice, 0)

        assert recorded(found, alice, 9) == first
        assert recorded(NOTHING, alice, 9) != first
        assert recorded(found, bob, 9) != first
        assert recorded(found, alice, 10) != first
        assert recorded(found, alice, 30) != first
        assert SuggestionRun.objects.count() == 5


class TestDeclaring:
    def test_what_was_shown_in_the_last_hour_belongs_to_the_incident(self, alice: User, bob: User) -> None:
        elsewhere = factory.incident()
        ours, old, theirs, other = (
            factory.suggestion_run(None, user=alice, at=NOW - timedelta(minutes=59)),
            factory.suggestion_run(None, user=alice, at=NOW - timedelta(minutes=61)),
            factory.suggestion_run(None, user=bob, at=NOW),
            factory.suggestion_run(elsewhere, user=alice, at=NOW),
        )

        incident = triage.open_incident(title="Checkout answers 503", symptoms="", by=alice, at=NOW)

        assert [run.pk for run in incident.suggestion_runs.all()] == [ours.pk]
        for run, home in ((old, None), (theirs, None), (other, elsewhere)):
            run.refresh_from_db()
            assert run.incident == home


class TestOpening:
    def test_the_first_time_counts(self, alice: User) -> None:
        row = factory.postmortem()
        run = factory.suggestion_run(factory.incident(), row, user=alice)

        for minutes in (0, 5):
            suggesting.record_opening(run, row, by=alice, at=NOW + timedelta(minutes=minutes))

        assert [(opening.key, opening.at) for opening in run.openings.all()] == [(row.search_key, NOW)]

    def test_a_link_that_was_passed_on_says_nothing(self, alice: User, bob: User) -> None:
        row = factory.postmortem()

        suggesting.record_opening(factory.suggestion_run(factory.incident(), row, user=alice), row, by=bob, at=NOW)

        assert not SuggestionOpening.objects.exists()


class TestVerdicts:
    def test_said_again_the_newer_word_counts(self, alice: User, bob: User) -> None:
        incident, row = factory.incident(), factory.postmortem()

        suggesting.give_verdict(incident, row, verdict="same_cause", by=alice, at=NOW)
        suggesting.give_verdict(incident, row, verdict="not_similar", by=bob, at=NOW + timedelta(minutes=1))

        verdict = SuggestionVerdict.objects.get()
        assert (verdict.incident, verdict.key, verdict.verdict, verdict.by) == (
            incident,
            row.search_key,
            "not_similar",
            bob,
        )
        assert verdict.at == NOW + timedelta(minutes=1)

    def test_each_incident_and_each_item_has_its_own(self, alice: User) -> None:
        incidents, rows = [factory.incident(), factory.incident()], [factory.postmortem(), factory.postmortem()]

        for incident in incidents:
            for row in rows:
                suggesting.give_verdict(incident, row, verdict="same_symptom", by=alice, at=NOW)

        assert SuggestionVerdict.objects.count() == 4

    def test_an_incident_is_not_similar_to_itself(self, alice: User) -> None:
        incident = factory.incident()

        with pytest.raises(suggesting.NoVerdict):
            suggesting.give_verdict(incident, incident, verdict="same_cause", by=alice, at=NOW)


@pytest.mark.django_db(transaction=True)
class TestABrokenDatabase:
    """Transactional, as pages are: what fails is one statement."""

    def test_a_run_that_cannot_be_kept_is_logged_and_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        alice, incident = factory.user("alice"), factory.incident()

        with broken_database(), caplog.at_level(logging.ERROR):
            run = suggesting.record_run(NOTHING, by=alice, at=NOW, incident=incident)

        assert run is None
        assert "Recording what was suggested" in caplog.text and "disk I/O error" in caplog.text
        assert Incident.objects.get() == incident

    def test_an_opening_that_cannot_be_kept_is_logged_and_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        alice, row = factory.user("alice"), factory.postmortem()
        run = factory.suggestion_run(factory.incident(), row, user=alice)

        with broken_database(), caplog.at_level(logging.ERROR):
            suggesting.record_opening(run, row, by=alice, at=NOW)

        assert "Recording that" in caplog.text
        assert Postmortem.objects.get() == row
