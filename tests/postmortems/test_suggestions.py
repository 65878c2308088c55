"""Suggestions: the right earlier resolution, for the right eyes, with reasons; or an honest "nothing similar"."""

from datetime import timedelta
from pathlib import Path

import pytest

from postmortems import suggestions
from postmortems.models import ActionItem, Fix, Incident, Postmortem, User, Visibility
from postmortems.suggestions import Report, Suggestions
from tests import factory
from tests.postmortems.conftest import Learn

NOW = factory.NOON + timedelta(days=30)

POOL = {
    "impact": "Checkout answered 503. `FATAL: remaining connection slots are reserved` in the log of postgres.",
    "contributing_factors": "The connection pool of checkout had no upper bound.",
    "what_fixed_it": "Restart the pgbouncer pool, then lower max_client_conn.",
}
CERTIFICATE = {
    "impact": "Mobile clients could not sign in: `x509: certificate has expired or is not yet valid`.",
    "what_fixed_it": "Issue a new certificate and reload the edge proxies.",
}
REGEX = {
    "impact": "CPU of every edge host at 100 percent, requests timed out.",
    "what_fixed_it": "Switch off the firewall rule with the backtracking expression.",
}
REPORT = Report(
    title="Checkout answers 503",
    symptoms="Connection slots of postgres are used up, the pool is full.",
    error_excerpt="2026-03-31T12:00:07Z FATAL: remaining connection slots are reserved pid=4711",
    started_at=NOW,
)


@pytest.fixture
def past(db: None) -> dict[str, Postmortem]:
    """Three earlier postmortems, and enough others that words differ in how much they say."""
    for n in range(30):
        factory.postmortem(f"Deploy {n} rolled back", sections={"summary": f"Release {n} of the web shop was late."})
    return {
        "pool": factory.postmortem("Connection pool exhausted", services=("Checkout",), sections=POOL),
        "certificate": factory.postmortem("Certificate expired", sections=CERTIFICATE),
        "regex": factory.postmortem("Edge CPU at full load", sections=REGEX),
    }


def refs(found: Suggestions) -> list[str]:
    return [suggestion.ref for suggestion in found.results]


def learn_all(learn: Learn) -> None:
    learn(*Postmortem.objects.all(), *Incident.objects.all(), *Fix.objects.all())


def test_the_like_incident_comes_first_with_what_fixed_it(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    learn_all(learn)

    found = suggestions.suggest(REPORT, user=alice)

    assert refs(found)[0] == past["pool"].ref
    assert found.results[0].what_fixed_it.startswith("Restart the pgbouncer pool")
    assert not found.abstained
    assert found.total_candidates == 33


def test_reasons_are_in_the_readers_words_and_name_the_field(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    learn_all(learn)

    best = suggestions.suggest(REPORT, user=alice).results[0]

    terms = {reason.term.lower(): reason.field for reason in best.why}
    assert terms.get("slots") == "symptoms"
    assert all(term in f"{REPORT.title} {REPORT.symptoms} {REPORT.error_excerpt}".lower() for term in terms)


def test_a_synonym_helps_to_find_and_is_never_given_as_the_readers_word(alice: User, learn: Learn) -> None:
    for n in range(10):
        factory.postmortem(f"Quiet day {n}", sections={"summary": "Nothing of note."})
    row = factory.postmortem("Kubernetes upgrade drained every node", sections={"impact": "Kubernetes was gone."})
    learn_all(learn)

    found = suggestions.suggest(Report(title="k8s upgrade", symptoms="drained", started_at=NOW), user=alice)

    assert refs(found) == [row.ref]
    assert {reason.term for reason in found.results[0].why} == {"upgrade", "drained"}


def test_a_log_line_of_the_same_shape_is_shown_as_the_reader_wrote_it(alice: User, learn: Learn) -> None:
    line = "2024-01-07T03:10:44Z ERROR worker-7 failed to acquire lease 0x5f3a from 10.0.4.7:2379"
    for n in range(10):
        factory.postmortem(f"Quiet day {n}", sections={"summary": "Nothing of note."})
    row = factory.postmortem("Lost leases", sections={"impact": f"```\n{line}\n```"})
    learn_all(learn)
    mine = "2026-03-31T12:00:07Z ERROR worker-2 failed to acquire lease 0x99bb from 10.9.1.2:2379"

    found = suggestions.suggest(Report(title="Jobs are stuck", error_excerpt=mine, started_at=NOW), user=alice)

    assert refs(found) == [row.ref]
    assert found.results[0].matched_line == mine


def test_the_parts_add_up_to_the_score(alice: User, past: dict[str, Postmortem], learn: Learn) -> None:
    fix = factory.fix(postmortem=past["pool"])
    factory.fix_use(fix, factory.incident())
    learn_all(learn)

    for suggestion in suggestions.suggest(REPORT, user=alice, limit=10).results:
        assert sum(part.value for part in suggestion.parts) == pytest.approx(suggestion.score)


def test_text_about_something_never_seen_gets_an_honest_nothing(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    learn_all(learn)
    unrelated = Report(
        title="Soufflé collapses in the oven",
        symptoms="Egg whites lose their volume when sugar is folded in before the peaks are stiff.",
        started_at=NOW,
    )

    found = suggestions.suggest(unrelated, user=alice)

    assert found.results == ()
    assert found.abstained
    assert found.total_candidates == 33


def test_an_empty_report_is_neither_an_answer_nor_an_abstention(alice: User, learn: Learn) -> None:
    assert suggestions.suggest(Report(), user=alice) == Suggestions()


def test_the_incident_itself_and_its_postmortem_are_never_suggested(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    incident = factory.incident(REPORT.title, symptoms=REPORT.symptoms, started_at=NOW)
    own = factory.postmortem("About this very incident", sections=POOL, occurred_on=None)
    own.incidents.add(incident)
    learn_all(learn)

    found = suggestions.suggest(suggestions.report_of(incident), user=alice, limit=10)

    assert incident.ref not in refs(found)
    assert own.ref not in refs(found)
    assert refs(found)[0] == past["pool"].ref


def test_only_what_was_known_before_the_incident_is_suggested(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    later = factory.postmortem("Pool exhausted again", sections=POOL, occurred_on=NOW.date() + timedelta(days=1))
    learn_all(learn)

    assert later.ref not in refs(suggestions.suggest(REPORT, user=alice, limit=10))


def test_drafts_are_never_suggested_to_those_who_may_not_see_them(
    alice: User, charlie: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    draft = factory.postmortem("Pool draft", sections=POOL, owner=alice, status=Postmortem.Status.DRAFT)
    learn_all(learn)

    assert draft.ref in refs(suggestions.suggest(REPORT, user=alice))
    outside = suggestions.suggest(REPORT, user=charlie)
    assert draft.ref not in refs(outside)
    assert outside.total_candidates == 33


def test_a_restricted_postmortem_is_not_even_counted_for_an_outsider(
    charlie: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    factory.postmortem("Secret pool", sections=POOL, visibility=Visibility.RESTRICTED)
    learn_all(learn)

    found = suggestions.suggest(REPORT, user=charlie, limit=10)

    assert found.total_candidates == 33
    assert all("Secret" not in suggestion.title for suggestion in found.results)


def test_an_incident_in_progress_that_looks_alike_is_asked_about_first(
    alice: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    twin = factory.incident(
        "Checkout answers 503 again", symptoms=REPORT.symptoms, started_at=NOW + timedelta(minutes=5)
    )
    learn_all(learn)

    found = suggestions.suggest(REPORT, user=alice)

    assert [suggestion.ref for suggestion in found.happening_now] == [twin.ref]
    assert twin.ref not in refs(found)


def test_an_incident_is_told_by_its_postmortem(alice: User, past: dict[str, Postmortem], learn: Learn) -> None:
    incident = factory.incident(
        "Checkout answers 503", symptoms=REPORT.symptoms, status="resolved", resolved_at=factory.NOON
    )
    past["pool"].incidents.add(incident)
    learn_all(learn)

    found = suggestions.suggest(REPORT, user=alice, limit=10)

    assert past["pool"].ref in refs(found)
    assert incident.ref not in refs(found)


def test_the_same_service_raises(alice: User, learn: Learn) -> None:
    here = factory.postmortem("Pool exhausted", services=("Checkout",), sections=POOL)
    elsewhere = factory.postmortem("Pool exhausted", services=("Search",), sections=POOL)
    for n in range(20):
        factory.postmortem(f"Quiet day {n}")
    learn_all(learn)
    for slug, first in (("checkout", here), ("search", elsewhere)):
        report = Report(title=REPORT.title, symptoms=REPORT.symptoms, services=(slug,), started_at=NOW)

        assert refs(suggestions.suggest(report, user=alice))[0] == first.ref


def outcomes(row: Postmortem, *results: str) -> Fix:
    fix = factory.fix("Restart the pool", postmortem=row)
    for result in results:
        factory.fix_use(fix, factory.incident("Unrelated", status="cancelled"), result)
    return fix


def test_a_fix_that_worked_is_lifted_and_one_that_made_it_worse_is_not(alice: User, learn: Learn) -> None:
    rows = {name: factory.postmortem("Pool exhausted", sections=POOL) for name in ("worse", "untried", "worked")}
    outcomes(rows["worse"], "made_worse")
    outcomes(rows["untried"])
    outcomes(rows["worked"], "worked", "worked")
    for n in range(20):
        factory.postmortem(f"Quiet day {n}")
    learn_all(learn)

    found = suggestions.suggest(REPORT, user=alice)

    assert refs(found) == [rows[name].ref for name in ("worked", "untried", "worse")]


def test_the_track_record_counts_only_incidents_the_reader_may_see(
    alice: User, charlie: User, past: dict[str, Postmortem], learn: Learn
) -> None:
    fix = factory.fix(postmortem=past["pool"])
    factory.fix_use(fix, factory.incident("Open"))
    hidden = factory.incident("Hidden", visibility=Visibility.RESTRICTED)
    hidden.members.add(alice)
    factory.fix_use(fix, hidden)
    learn_all(learn)

    tried = {
        user.username: suggestions.suggest(REPORT, user=user).results[0].fixes[0].tried for user in (alice, charlie)
    }

    assert tried == {"alice": 2, "charlie": 1}


def test_open_preventive_actions_come_along(alice: User, past: dict[str, Postmortem], learn: Learn) -> None:
    ActionItem.objects.create(postmortem=past["pool"], title="Bound the pool")
    ActionItem.objects.create(postmortem=past["pool"], title="Alert on slots", state="done")
    learn_all(learn)

    best = suggestions.suggest(REPORT, user=alice).results[0]

    assert [action.title for action in best.open_actions] == ["Bound the pool"]


def test_without_an_index_the_answer_says_so_and_is_no_abstention(
    alice: User, past: dict[str, Postmortem], learn: Learn, data_dir: Path
) -> None:
    learn_all(learn)
    for file in (data_dir / "index").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")

    found = suggestions.suggest(REPORT, user=alice)

    assert found.degraded
    assert not found.abstained


def test_json_has_the_promised_shape(alice: User, past: dict[str, Postmortem], learn: Learn) -> None:
    factory.fix_use(factory.fix(postmortem=past["pool"]), factory.incident())
    learn_all(learn)

    answer = suggestions.suggest(REPORT, user=alice).as_json(REPORT)

    assert {"query", "abstained", "total_candidates", "results"} <= set(answer)
    best = answer["results"][0]
    promised = {"ref", "kind", "title", "url", "score", "occurred_on", "severity", "services", "why", "what_fixed_it"}
    assert {*promised, "fixes", "open_actions"} <= set(best)
    assert set(best["why"][0]) == {"term", "field", "weight"}
    assert set(best["fixes"][0]) == {"ref", "title", "kind", "worked", "tried", "last_outcome_on"}
