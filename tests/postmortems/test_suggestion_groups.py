"""Suggestions that know more than text: problems, verdicts, environment, the time of asking, the nearest words."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest

from postmortems import suggestions
from postmortems.models import Incident, Postmortem, Problem, User, Visibility
from postmortems.suggestions import Report, report_of
from tests import factory
from tests.postmortems.conftest import Learn
from tests.postmortems.test_suggestions import NOW, POOL, REPORT, learn_all, outcomes, refs


@pytest.fixture
def others(db: None) -> None:
    """Enough other documents that words differ in how much they say."""
    for n in range(20):
        factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n} of the web shop was late."})


def pools(*problems: Problem | None) -> list[Postmortem]:
    return [
        factory.postmortem(f"Connection pool exhausted, {n}", problem=problem, sections=POOL)
        for n, problem in enumerate(problems)
    ]


class TestGroups:
    def test_look_alikes_of_one_problem_stand_together_where_the_best_of_them_would(
        self, alice: User, others: None, learn: Learn
    ) -> None:
        leak = Problem.objects.create(
            title="Leaked connections", discriminating_check="Look for `idle in transaction`."
        )
        rows = pools(leak, None, leak)
        for row, results in zip(rows, (["worked", "worked"], ["worked"], []), strict=True):
            outcomes(row, *results)
        learn_all(learn)

        found = suggestions.suggest(REPORT, user=alice)

        assert refs(found) == [row.ref for row in rows]
        first, second = found.groups
        assert first.problem == leak
        assert [member.ref for member in first.members] == [rows[0].ref, rows[2].ref]
        assert (second.problem, [member.ref for member in second.members]) == (None, [rows[1].ref])

    def test_an_incident_is_of_the_problem_that_its_postmortem_names(
        self, alice: User, others: None, learn: Learn
    ) -> None:
        leak = Problem.objects.create(title="Leaked connections")
        incident = factory.incident(REPORT.title, symptoms=REPORT.symptoms, status="resolved", resolved_at=NOW)
        later = NOW.date() + timedelta(days=1)  # not known yet when the other one began
        factory.postmortem("What we learned of it", problem=leak, occurred_on=later).incidents.add(incident)
        learn_all(learn)

        (best, *_) = suggestions.suggest(REPORT, user=alice).results

        assert (best.ref, best.problem) == (incident.ref, leak)

    def test_a_problem_is_told_only_through_what_the_reader_may_see(
        self, alice: User, charlie: User, others: None, learn: Learn
    ) -> None:
        secret = Problem.objects.create(title="Keys were read")
        incident = factory.incident(REPORT.title, symptoms=REPORT.symptoms, status="resolved", resolved_at=NOW)
        later = NOW.date() + timedelta(days=1)
        hidden = factory.postmortem("A view", problem=secret, occurred_on=later, visibility=Visibility.RESTRICTED)
        hidden.incidents.add(incident)
        hidden.members.add(alice)
        learn_all(learn)

        told = {who.username: suggestions.suggest(REPORT, user=who).results[0].problem for who in (alice, charlie)}

        assert told == {"alice": secret, "charlie": None}

    def test_json_names_the_problem_and_its_check(self, alice: User, others: None, learn: Learn) -> None:
        pools(Problem.objects.create(title="Leaked connections", discriminating_check="Count them."), None)
        learn_all(learn)

        answer = suggestions.suggest(REPORT, user=alice).as_json(REPORT)

        problems = [result["problem"] for result in answer["results"]]
        assert {"title": "Leaked connections", "discriminating_check": "Count them."} in problems
        assert None in problems


class TestVerdicts:
    def incident(self) -> Incident:
        return factory.incident(REPORT.title, symptoms=REPORT.symptoms, started_at=NOW)

    def test_not_similar_takes_the_pair_away_for_everybody_and_only_the_pair(
        self, alice: User, bob: User, others: None, learn: Learn
    ) -> None:
        wrong, right = pools(None, None)
        mine, other = self.incident(), self.incident()
        learn_all(learn)
        assert {wrong.ref, right.ref} <= set(refs(suggestions.suggest(report_of(mine), user=alice)))

        factory.verdict(mine, wrong, "not_similar", by=alice)

        for who in (alice, bob):
            assert wrong.ref not in refs(suggestions.suggest(report_of(mine), user=who, limit=10))
            assert right.ref in refs(suggestions.suggest(report_of(mine), user=who, limit=10))
            assert wrong.ref in refs(suggestions.suggest(report_of(other), user=who, limit=10))

    def test_with_a_postmortem_goes_the_incident_that_it_tells_of(
        self, alice: User, others: None, learn: Learn
    ) -> None:
        (wrong,) = pools(None)
        told = factory.incident(REPORT.title, symptoms=REPORT.symptoms, status="resolved", resolved_at=factory.NOON)
        wrong.incidents.add(told)
        mine = self.incident()
        learn_all(learn)

        factory.verdict(mine, wrong, "not_similar")

        assert refs(suggestions.suggest(report_of(mine), user=alice, limit=10)) == []

    def test_what_was_said_comes_with_the_suggestion(self, alice: User, others: None, learn: Learn) -> None:
        same, unjudged = pools(None, None)
        mine = self.incident()
        learn_all(learn)

        factory.verdict(mine, same, "same_cause")

        found = suggestions.suggest(report_of(mine), user=alice)
        assert {each.ref: each.verdict for each in found.results} == {same.ref: "same_cause", unjudged.ref: ""}


class TestWhatOnlyTheDatabaseKnows:
    def test_the_same_environment_raises(self, alice: User, others: None, learn: Learn) -> None:
        rows = {name: factory.postmortem("Pool exhausted", environment=name, sections=POOL) for name in ("staging", "")}
        learn_all(learn)

        found = suggestions.suggest(Report(**{**vars(REPORT), "environment": "staging"}), user=alice)

        assert refs(found)[0] == rows["staging"].ref
        assert "Same environment" in {part.name for part in found.results[0].parts}

    def test_of_two_alike_the_newer_comes_first(self, alice: User, others: None, learn: Learn) -> None:
        days = (NOW - timedelta(days=300)).date(), (NOW - timedelta(days=3)).date()
        old, new = (factory.postmortem("Pool exhausted", occurred_on=day, sections=POOL) for day in days)
        learn_all(learn)

        assert refs(suggestions.suggest(REPORT, user=alice))[:2] == [new.ref, old.ref]

    def test_the_record_as_it_stood_is_for_replaying_the_past(self, alice: User, others: None, learn: Learn) -> None:
        (row,) = pools(None)
        fix = factory.fix(postmortem=row)
        factory.fix_use(fix, factory.incident("Unrelated", status="cancelled"), at=NOW - timedelta(days=1))
        factory.fix_use(fix, factory.incident("Unrelated", status="cancelled"), at=NOW + timedelta(days=1))
        learn_all(learn)

        def tried(as_of: datetime | None) -> int:
            return suggestions.suggest(REPORT, user=alice, as_of=as_of).results[0].fixes[0].tried

        assert (tried(None), tried(NOW)) == (2, 1)

    def test_what_made_it_worse_is_listed_below_what_nobody_has_tried(
        self, alice: User, others: None, learn: Learn
    ) -> None:
        (row,) = pools(None)
        often = factory.fix("Flush it", postmortem=row)
        for outcome in ("worked", "worked", "worked", "made_worse"):
            factory.fix_use(often, factory.incident("Unrelated", status="cancelled"), outcome)
        untried = factory.fix("Raise the limit", postmortem=row)
        learn_all(learn)

        best = suggestions.suggest(REPORT, user=alice).results[0]

        assert [fix.ref for fix in best.fixes] == [untried.ref, often.ref]

    def test_no_candidate_is_later_than_the_incident(self, alice: User, others: None, learn: Learn) -> None:
        dice = random.Random(7)
        for n in range(24):
            day = factory.NOON + timedelta(days=dice.randrange(-300, 300))
            if n % 2:
                factory.postmortem("Connection pool exhausted", sections=POOL, occurred_on=day.date())
            else:
                factory.incident(REPORT.title, symptoms=REPORT.symptoms, started_at=day, status="cancelled")
                factory.incident(
                    REPORT.title,
                    symptoms=REPORT.symptoms,
                    started_at=day,
                    status="resolved",
                    resolved_at=day + timedelta(hours=1),
                )
        learn_all(learn)

        for days in (-301, -200, 0, 40, 299):
            start = factory.NOON + timedelta(days=days)
            found = suggestions.suggest(Report(**{**vars(REPORT), "started_at": start}), user=alice, limit=100)
            assert all(known < start for known in times_of(found))
            assert found.results or days == -301


def times_of(found: suggestions.Suggestions) -> Iterator[datetime]:
    for each in found.results:
        if isinstance(each.item, Incident):
            yield each.item.started_at
        elif isinstance(each.item, Postmortem) and each.item.occurred_on:
            yield datetime.combine(each.item.occurred_on, time(), UTC)


class TestTheNearestWords:
    STRANGE = Report(
        title="Soufflé of etcd",
        symptoms="Egg whites lose volume when sugar is folded in; the quorum of peaks is soft and the meringue weeps.",
        started_at=NOW,
    )

    def test_an_abstention_names_the_rarest_words_that_some_document_holds(
        self, alice: User, others: None, learn: Learn
    ) -> None:
        for n in range(3):
            factory.postmortem(f"Disk {n} full", sections={"summary": "The etcd volume was full."})
        factory.postmortem("Split brain", sections={"summary": "No quorum."})
        learn_all(learn)

        found = suggestions.suggest(self.STRANGE, user=alice)

        assert found.abstained
        assert [(near.term, near.documents) for near in found.nearest] == [("quorum", 1), ("etcd", 3), ("volume", 3)]
        assert found.as_json(self.STRANGE)["nearest_terms"][0] == {"term": "quorum", "documents": 1}

    def test_only_documents_that_the_reader_may_see_are_counted(
        self, alice: User, charlie: User, others: None, learn: Learn
    ) -> None:
        factory.postmortem("Disk full", sections={"summary": "The etcd volume was full."})
        secret = factory.postmortem(
            "Secret", sections={"summary": "The etcd quorum."}, visibility=Visibility.RESTRICTED
        )
        secret.members.add(alice)
        learn_all(learn)

        near = {
            who.username: {each.term: each.documents for each in suggestions.suggest(self.STRANGE, user=who).nearest}
            for who in (alice, charlie)
        }

        assert near == {"alice": {"quorum": 1, "etcd": 2, "volume": 1}, "charlie": {"etcd": 1, "volume": 1}}

    def test_who_has_an_answer_gets_no_words(self, alice: User, others: None, learn: Learn) -> None:
        pools(None)
        learn_all(learn)

        assert suggestions.suggest(REPORT, user=alice).nearest == ()
