"""How well suggestions help, from what people opened, judged and tried: for one reader, over what this reader may see.

An incident counts when at least one panel for it was recorded. `case_of` rows are plain values; the measures are pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models.functions import Coalesce
from django.utils import timezone

from postmortems.models import FixUse, Incident, SuggestionOpening, SuggestionRun, SuggestionVerdict
from postmortems.search import reading

TOP = 3
HELPED = (FixUse.Outcome.WORKED, FixUse.Outcome.PARTLY)
FEW = 10  # of fewer cases a percentage says more than is known
NO_SERVICE = "No service named"


@dataclass(frozen=True)
class Case:
    """One incident, what was suggested for it, and what came of that."""

    noticed_at: datetime
    services: tuple[str, ...] = ()
    panels: tuple[tuple[str, ...], ...] = ()  # search keys, best first; an empty one said "nothing similar"
    verdicts: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)  # key -> what was said, and when
    opened: Mapping[str, datetime] = field(default_factory=dict)  # key -> when first
    helped: Mapping[str, datetime] = field(default_factory=dict)  # key -> when a fix of it was said to have helped

    @property
    def judged(self) -> list[bool]:
        """Of the items that stood among the first three and were judged: whether each was right."""
        top = {key for panel in self.panels for key in panel[:TOP]}
        return [said in SuggestionVerdict.USEFUL for key, (said, _) in self.verdicts.items() if key in top]

    @property
    def useful(self) -> set[str]:
        """The items that were said to be the same, and the shown ones of which a fix helped."""
        shown = {key for panel in self.panels for key in panel}
        same = {key for key, (said, _) in self.verdicts.items() if said in SuggestionVerdict.USEFUL}
        return same | (shown & self.helped.keys())

    @property
    def abstained(self) -> bool:
        """No panel had anything to offer."""
        return not any(self.panels)

    @property
    def time_to_useful(self) -> timedelta | None:
        """From being noticed to the first sign that something useful was in sight: opened, judged, or tried."""
        signs = [
            *(self.opened[key] for key in self.useful if key in self.opened),
            *(self.verdicts[key][1] for key in self.useful if key in self.verdicts),
            *(self.helped[key] for key in self.useful if key in self.helped),
        ]
        return max(min(signs) - self.noticed_at, timedelta(0)) if signs else None


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    part: int
    of: int

    @property
    def percent(self) -> int | None:
        """None where it would say more than is known."""
        return round(100 * self.part / self.of) if self.of >= FEW else None


@dataclass(frozen=True)
class Measures:
    incidents: int
    precision: Share  # of the judged items among the first three, those that were right
    useful: Share  # of the incidents, those with something useful
    abstained: Share  # of the incidents, those with nothing similar
    median_time: timedelta | None  # to the first useful one
    timed: int  # over so many incidents


@dataclass(frozen=True)
class Row:
    label: str | date
    measures: Measures


@dataclass(frozen=True)
class Quality:
    total: Measures
    by_week: tuple[Row, ...]  # newest first; the label is the week's Monday
    by_service: tuple[Row, ...]  # an incident counts for each of its services


def measure(cases: Sequence[Case]) -> Measures:
    judged = [right for case in cases for right in case.judged]
    times = [time for case in cases if (time := case.time_to_useful) is not None]
    return Measures(
        incidents=len(cases),
        precision=Share(sum(judged), len(judged)),
        useful=Share(sum(1 for case in cases if case.useful), len(cases)),
        abstained=Share(sum(case.abstained for case in cases), len(cases)),
        median_time=timedelta(seconds=median(time.total_seconds() for time in times)) if times else None,
        timed=len(times),
    )


def quality_of(cases: Sequence[Case]) -> Quality:
    weeks = _rows(cases, lambda case: [_monday(case.noticed_at)])
    services = _rows(cases, lambda case: case.services or [NO_SERVICE])
    return Quality(
        total=measure(cases),
        by_week=tuple(sorted(weeks, key=lambda row: str(row.label), reverse=True)),
        by_service=tuple(sorted(services, key=lambda row: (-row.measures.incidents, str(row.label)))),
    )


def _rows(cases: Iterable[Case], labels_of: Callable[[Case], Iterable[Any]]) -> list[Row]:
    grouped: dict[Any, list[Case]] = defaultdict(list)
    for case in cases:
        for label in labels_of(case):
            grouped[label].append(case)
    return [Row(label, measure(group)) for label, group in grouped.items()]


def _monday(at: datetime) -> date:
    """Of the week, in the reader's zone."""
    day = timezone.localdate(at)
    return day - timedelta(days=day.weekday())


def cases_for(user: Any, *, since: datetime) -> list[Case]:
    """The incidents noticed since then that this reader may see, with as much of their suggestions as they may see.

    A panel of which everything is hidden from the reader is left out, as if it had not been.
    """
    asked = Incident.objects.visible_to(user).filter(pk__in=SuggestionRun.objects.values("incident"))
    incidents = with_notice(asked).filter(noticed_at__gte=since)
    services = _services(incidents)
    noticed = dict(incidents.order_by("noticed_at", "pk").values_list("pk", "noticed_at"))
    cases = cases_of(incidents, noticed, user).items()
    return [replace(case, services=services[pk]) for pk, case in cases if case.panels]


def with_notice(incidents: Any) -> Any:
    """Annotates `noticed_at`: from then on a suggestion could help."""
    return incidents.annotate(noticed_at=Coalesce("detected_at", "created_at"))


def cases_of(incidents: Any, noticed: Mapping[int, datetime], user: Any) -> dict[int, Case]:
    """By pk, also of those for which nobody saw a panel. `noticed`: pk -> when, of these incidents, all visible."""
    pks = incidents.order_by().values("pk")
    runs = list(SuggestionRun.objects.filter(incident__in=pks).order_by("at", "pk").only("incident_id", "shown"))
    said = list(SuggestionVerdict.objects.filter(incident__in=pks))
    keys = (*(key for run in runs for key in run.keys), *(row.key for row in said))
    seen = reading.visible_keys(keys, user=user)
    panels, verdicts, opened, helped = _panels(runs, seen), _verdicts(said, seen), _opened(pks), _helped(pks, user)
    return {
        pk: Case(noticed_at, (), tuple(panels[pk]), verdicts[pk], opened[pk], helped[pk])
        for pk, noticed_at in noticed.items()
    }


def _panels(runs: Iterable[SuggestionRun], seen: frozenset[str]) -> dict[int, list[tuple[str, ...]]]:
    panels: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for run in runs:
        keys = tuple(key for key in run.keys if key in seen)
        if (keys or not run.shown) and run.incident_id:
            panels[run.incident_id].append(keys)
    return panels


def _verdicts(said: Iterable[SuggestionVerdict], seen: frozenset[str]) -> dict[int, dict[str, tuple[str, datetime]]]:
    return _by_incident((row.incident_id, row.key, (row.verdict, row.at)) for row in said if row.key in seen)


def _opened(pks: Any) -> dict[int, dict[str, datetime]]:
    rows = SuggestionOpening.objects.filter(run__incident__in=pks).order_by("-at", "-pk")  # the first one stays
    return _by_incident(rows.values_list("run__incident", "key", "at"))


def _helped(pks: Any, user: Any) -> dict[int, dict[str, datetime]]:
    """The fix itself, its postmortem, and the incidents which that tells of: under any of these it may be shown."""
    uses = FixUse.objects.visible_to(user).filter(incident__in=pks, outcome__in=HELPED).order_by("-at", "-pk")
    rows = uses.values_list("incident", "at", "fix", "fix__postmortem", "fix__postmortem__incidents")
    return _by_incident(
        (pk, f"{kind}:{of}", at)
        for pk, at, *homes in rows
        for kind, of in zip(("fix", "postmortem", "incident"), homes, strict=True)
        if of
    )


def _services(incidents: Any) -> dict[int, tuple[str, ...]]:
    names: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for pk, name in incidents.order_by("services__name").values_list("pk", "services__name"):
        names[pk] += (name,) if name else ()
    return names


def _by_incident(rows: Iterable[tuple[Hashable, str, Any]]) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = defaultdict(dict)
    for pk, key, value in rows:
        found[pk][key] = value
    return found
