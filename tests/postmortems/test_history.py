"""The past replayed: as first reported, with earlier documents only, and with labels that matter."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from postmortems.models import Incident, Postmortem, Problem, User
from postmortems.suggestions import history
from postmortems.workflows import triage
from tests import factory
from tests.postmortems.conftest import Learn
from tests.postmortems.test_suggestions import learn_all

WORDS = (
    *("quorum lease etcd election", "certificate handshake chain expiry", "replica lag vacuum wraparound"),
    *("coredns lookup resolver ndots", "kafka offset poison consumer", "redis eviction stampede keys"),
    *("ingress annotation snippet controller", "pgbouncer slots transaction idle", "ntp drift token skew"),
    *("inode logrotate volume watermark", "bgp prefix leak peering", "cron timezone midnight backfill"),
)
DAY = timedelta(days=1)


def over(words: str, *, days: int = 0, **details: Any) -> Incident:
    start = factory.NOON + days * DAY
    return factory.incident(
        f"Trouble with {words}", symptoms=words, started_at=start, status="resolved", resolved_at=start, **details
    )


def past(words: str, **details: Any) -> Postmortem:
    row = factory.postmortem(words.title(), sections={"impact": f"{words} {words}"}, **details)
    return row


@pytest.fixture
def pairs(learn: Learn) -> list[tuple[Incident, Postmortem]]:
    """Twelve incidents, each about the words of one earlier postmortem, and a verdict that says so."""
    made = [(over(words, days=30), past(words)) for words in WORDS]
    for incident, row in made:
        factory.verdict(incident, row, "same_cause")
    learn_all(learn)
    return made


def evaluated(**options: Any) -> dict[str, float]:
    out = io.StringIO()
    call_command("evaluate", history=True, json=True, stdout=out, **options)
    return dict(json.loads(out.getvalue()))


def test_verdicts_are_answers(pairs: list[tuple[Incident, Postmortem]]) -> None:
    scores = evaluated()

    assert (scores["queries"], scores["incidents"], scores["abstained"]) == (12, 12, 0)
    assert scores["recall@1"] == scores["mrr@10"] == 1.0


def test_with_shuffled_answers_it_falls_to_chance(pairs: list[tuple[Incident, Postmortem]]) -> None:
    replayed = history.replay()
    keys = list(replayed.answers)
    shuffled = {key: replayed.answers[other] for key, other in zip(keys, keys[1:] + keys[:1], strict=True)}

    assert replayed.scores().recall_at_1 == 1.0
    assert replace(replayed, answers=shuffled).scores().recall_at_1 <= 2 / 12


def test_not_similar_is_no_answer_and_takes_nothing_away_from_the_past(learn: Learn) -> None:
    incident, row, other = over(WORDS[0], days=30), past(WORDS[0]), past(WORDS[1])
    for words in WORDS[2:]:
        past(words)
    factory.verdict(incident, row, "not_similar")
    factory.verdict(incident, other, "same_symptom")
    learn_all(learn)

    replayed = history.replay()

    assert replayed.answers == {incident.search_key: {other.search_key}}
    assert [key for key, _ in replayed.run[incident.search_key]] == [row.search_key]


def test_postmortems_that_share_a_problem_are_answers_if_they_were_there(learn: Learn) -> None:
    problem = Problem.objects.create(title="Quorum")
    incident = over(WORDS[0], days=30)
    earlier = past(WORDS[0], problem=problem)
    past(WORDS[0], problem=problem, occurred_on=(factory.NOON + 31 * DAY).date())
    past(WORDS[0], problem=problem).incidents.add(incident)
    learn_all(learn)

    replayed = history.replay()

    assert replayed.answers == {incident.search_key: {earlier.search_key}}


def test_an_earlier_incident_of_the_same_postmortem_is_an_answer(learn: Learn) -> None:
    first, second = over(WORDS[0]), over(WORDS[0], days=30)
    past(WORDS[0]).incidents.add(first, second)
    for words in WORDS[1:]:
        past(words)
    learn_all(learn)

    replayed = history.replay()

    assert replayed.answers == {second.search_key: {first.search_key}}
    assert [key for key, _ in replayed.run[second.search_key]][:1] == [first.search_key]


def test_a_postmortem_and_the_incident_it_tells_of_are_the_same_answer(learn: Learn) -> None:
    told, incident = over(WORDS[0]), over(WORDS[0], days=30)
    row = past(WORDS[0])
    row.incidents.add(told)
    for words in WORDS[1:]:
        past(words)
    factory.verdict(incident, told, "same_cause")
    learn_all(learn)

    replayed = history.replay()

    assert replayed.answers == {incident.search_key: {row.search_key}}
    assert replayed.scores().recall_at_1 == 1.0


@pytest.mark.parametrize("field", ["title", "symptoms", "error_excerpt"])
def test_it_asks_with_the_text_as_first_saved(alice: User, learn: Learn, field: str) -> None:
    for words in WORDS:
        past(words)
    start = factory.NOON + 30 * DAY
    told = {"title": "It is broken", "symptoms": "", "error_excerpt": ""}
    incident = triage.open_incident(**{**told, field: WORDS[0]}, by=alice, at=start)
    triage.edit_incident(incident, services=[], by=alice, at=start, **{**told, field: WORDS[1]})
    triage.resolve(incident, by=alice, at=start + DAY)
    first = Postmortem.objects.get(title=WORDS[0].title())
    factory.verdict(incident, first, "same_cause")
    learn_all(learn)

    assert history.replay().run[incident.search_key][0][0] == first.search_key


def test_an_incident_from_before_first_reports_is_asked_as_it_is_now(learn: Learn) -> None:
    for words in WORDS:
        past(words)
    incident = over(WORDS[3], days=30)
    row = Postmortem.objects.get(title=WORDS[3].title())
    factory.verdict(incident, row, "same_cause")
    learn_all(learn)

    assert incident.first_report == {}
    assert history.replay().scores().recall_at_1 == 1.0


def test_what_came_later_gives_no_hint(learn: Learn) -> None:
    incident = over(WORDS[0], days=30)
    plain, later = past(WORDS[0]), past(WORDS[0])
    for words in WORDS[1:]:
        past(words)
    fix = factory.fix("Restart", postmortem=later)
    factory.fix("Restart", postmortem=plain)
    for n in range(5):
        factory.fix_use(fix, factory.incident(f"Other {n}", status="cancelled"), at=incident.started_at + DAY)
    factory.verdict(incident, later, "same_cause")
    learn_all(learn)

    ranking = [key for key, _ in history.replay().run[incident.search_key]]

    assert ranking == [plain.search_key, later.search_key]  # alike: the tie is broken by the key alone


def test_incidents_in_progress_and_cancelled_ones_are_not_the_past(learn: Learn) -> None:
    factory.incident()
    factory.incident(status="cancelled")
    over(WORDS[0])

    assert history.replay().incidents == 1


def test_without_answers_it_says_that_the_figures_say_nothing(learn: Learn) -> None:
    out, err = io.StringIO(), io.StringIO()

    call_command("evaluate", history=True, json=True, stdout=out, stderr=err)

    assert json.loads(out.getvalue())["queries"] == 0
    assert "the figures say nothing" in err.getvalue()


@pytest.mark.parametrize("wrong", [{}, {"history": True, "folder": "x"}])
def test_one_of_folder_and_history_is_wanted(db: None, wrong: dict[str, Any]) -> None:
    folder = [wrong.pop("folder")] if "folder" in wrong else []

    with pytest.raises(CommandError, match="Either DIR or --history"):
        call_command("evaluate", *folder, **wrong)


def test_without_an_index_it_does_not_count_silence_as_nothing_similar(
    pairs: list[tuple[Incident, Postmortem]], data_dir: Any
) -> None:
    for file in (data_dir / "index").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")

    with pytest.raises(history.Degraded):
        history.replay()
