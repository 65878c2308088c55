"""The past replayed: what would have been suggested for each incident as it was first reported, and was it right?

Answers are what people said was the same, what shares a known problem, and earlier incidents of the same postmortem.
Only earlier documents are asked, and the records of fixes as they stood then; the texts of these documents, and how
common a word is, are today's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kb.errors import DomainError
from postmortems import search
from postmortems.models import Incident, Postmortem, SuggestionVerdict
from postmortems.search.documents import moment_of
from postmortems.search.evaluation import Ranking, Scores, scores_of
from postmortems.suggestions.answer import Report
from postmortems.suggestions.asking import RERANKED, own_keys_of, suggest


class Degraded(DomainError):
    """The index cannot be asked: an answer now would be counted as "nothing similar"."""


@dataclass(frozen=True)
class Replay:
    """`answers` and `run` by the search key of an incident. One without a known answer is counted, not asked."""

    incidents: int
    documents: int
    answers: Mapping[str, set[str]]
    run: Mapping[str, Ranking]
    took_ms: tuple[float, ...]

    @property
    def abstained(self) -> int:
        return sum(1 for ranking in self.run.values() if not ranking)

    def scores(self) -> Scores:
        return scores_of(self.run, self.answers, self.documents, sorted(self.took_ms))

    def as_json(self) -> dict[str, float]:
        return {**self.scores().as_json(), "incidents": self.incidents, "abstained": self.abstained}


def replay() -> Replay:
    """Every incident that is over, oldest first. Sees everything, as the machine's owner does."""
    incidents = list(Incident.objects.over().order_by("started_at", "pk").prefetch_related("services", "postmortems"))
    same, told_in = _said_to_be_the_same(), _told_in()
    answers, run, took, documents = {}, {}, [], 0
    for incident in incidents:
        own = {postmortem.search_key for postmortem in incident.postmortems.all()}
        stories = {key: story for key, story in told_in.items() if story not in own}
        if right := _answers(incident, same[incident.pk], stories) - own:
            found = suggest(_first_report(incident), user=search.THE_MACHINE, limit=RERANKED, as_of=incident.started_at)
            if found.degraded:
                raise Degraded(found.degraded)
            answers[incident.search_key] = right
            run[incident.search_key] = _told_once(((each.key, each.score) for each in found.results), stories)
            took.append(found.took_ms)
            documents = max(documents, found.total_candidates)
    return Replay(len(incidents), documents, answers, run, tuple(took))


def _first_report(incident: Incident) -> Report:
    """As it was first saved; rows that are older than that record, as they are now."""
    first: dict[str, Any] = incident.first_report
    services = first.get("services", [service.slug for service in incident.services.all()])
    return Report(
        title=first.get("title", incident.title),
        symptoms=first.get("symptoms", incident.symptoms),
        error_excerpt=first.get("error_excerpt", incident.error_excerpt),
        services=tuple(services),
        environment=incident.environment,
        started_at=incident.started_at,
        own_keys=own_keys_of(incident, (told.pk for told in incident.postmortems.all())),
    )


def _answers(incident: Incident, same: Iterable[str], stories: Mapping[str, str]) -> set[str]:
    """What is right for this incident, of what could be known when it began."""
    own = list(incident.postmortems.all())
    problems = {postmortem.problem_id for postmortem in own} - {None}
    related = [
        postmortem.search_key
        for postmortem in Postmortem.objects.filter(problem__in=problems)
        if (day := moment_of(postmortem.occurred_on)) is None or day < incident.started_at
    ]
    before = Incident.objects.filter(postmortems__in=own, started_at__lt=incident.started_at)
    again = [earlier.search_key for earlier in before]
    return {stories.get(key, key) for key in (*related, *again, *same)}


def _said_to_be_the_same() -> Mapping[int, list[str]]:
    keys: dict[int, list[str]] = defaultdict(list)
    same = SuggestionVerdict.objects.filter(verdict__in=SuggestionVerdict.USEFUL)
    for pk, key in same.values_list("incident", "key"):
        keys[pk].append(key)
    return keys


def _told_in() -> dict[str, str]:
    """An incident's key -> the key of the postmortem that tells of it: either is the same answer."""
    links = Postmortem.incidents.through.objects.order_by("-postmortem")
    return {f"incident:{incident}": f"postmortem:{pk}" for incident, pk in links.values_list("incident", "postmortem")}


def _told_once(ranking: Iterable[tuple[str, float]], stories: Mapping[str, str]) -> Ranking:
    """Each story where its best document stands."""
    best: dict[str, float] = {}
    for key, score in ranking:
        best.setdefault(stories.get(key, key), score)
    return list(best.items())
