"""Does what we learned help: incidents in which an earlier fix was found and used, and how soon it was in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from postmortems.insights.durations import Took, chart, five
from postmortems.insights.figures import FEW, Section, Share, Table, figure, spread
from postmortems.insights.scope import Scope, incidents
from postmortems.models import Fix, FixUse, Incident
from postmortems.models.prevention import HELPED
from postmortems.suggestions import quality
from postmortems.suggestions.quality import Case

# What may become of an incident, each a set of its own.
STEPS = {
    "shown": "A suggestion was shown",
    "useful": "A suggestion was useful",
    "used": "An earlier fix was used and helped",
}
IS_ONE: Mapping[str, Callable[[Case], bool]] = {
    "shown": lambda case: not case.abstained,
    "useful": lambda case: bool(case.useful),
    "timed": lambda case: case.time_to_useful is not None,
}


def counted(scope: Scope, user: Any) -> Any:
    """The incidents of the period with `used`: a fix from before it began was used, and helped."""
    earlier = Q(fix__postmortem__occurred_on__lt=OuterRef("started_on"))
    written = Q(fix__postmortem=None, fix__created_at__lt=OuterRef("started_at"))
    uses = FixUse.objects.filter(earlier | written, incident=OuterRef("pk"), outcome__in=HELPED)
    # A postmortem's day is in the site's zone.
    dated = incidents(scope, user).alias(started_on=TruncDate("started_at", tzinfo=timezone.get_default_timezone()))
    return dated.annotate(used=Exists(uses.filter(Fix.objects.visible_where(user, "fix__"))))


def of_step(scope: Scope, user: Any, step: str) -> Any:
    """The incidents of one step, or `timed`: those whose first useful suggestion has a time. KeyError for others."""
    rows = counted(scope, user)
    if step == "used":
        return rows.filter(used=True)
    is_one = IS_ONE[step]
    noticed = dict(quality.with_notice(rows).order_by().values_list("pk", "noticed_at"))
    cases = quality.cases_of(rows, noticed, user)
    return rows.filter(pk__in=[pk for pk, case in cases.items() if is_one(case)])


def section(scope: Scope, user: Any) -> Section:
    rows = quality.with_notice(counted(scope, user)).order_by()
    known = list(rows.values_list("pk", "noticed_at", "used", "severity"))
    facts = {pk: (used, severity) for pk, _, used, severity in known}
    cases = quality.cases_of(rows, {pk: noticed_at for pk, noticed_at, *_ in known}, user)
    counts = {
        "shown": sum(not case.abstained for case in cases.values()),
        "useful": sum(bool(case.useful) for case in cases.values()),
        "used": sum(used for used, _ in facts.values()),
    }
    total = figure(len(facts), "incidents")
    shares = {step: Share(figure(n, "reuse", step=step), total) for step, n in counts.items()}
    took = _times(cases, facts)
    times = spread([each.minutes for each in took])
    shortest, _, half, _, longest = five(times)
    return Section(
        key="reuse",
        title="Earlier fixes, found and used",
        says=(
            "An earlier fix: its postmortem tells of a day before this incident, or it was written down before. Used: "
            "its outcome is “it worked” or “partly”. The time runs from the detection (or the declaration) to when the "
            f"useful suggestion was first opened, judged or tried; each dot is an incident, from {FEW} on a box."
        ),
        table=Table(
            ("Step", "Incidents", "Of all"),
            (
                *((STEPS[step], share.part, _percent(share)) for step, share in shares.items()),
                ("All incidents", total, None),
                (
                    "With a time to the first useful suggestion",
                    figure(times.n, "reuse", step="timed"),
                    _spread(shortest, half, longest),
                ),
            ),
        ),
        chart=chart([("To a useful one", took)]) if took else None,
        headlines=(
            ("An earlier fix was found and used", shares["used"], "incidents"),
            ("A suggestion was useful", shares["useful"], "incidents"),
        ),
        empty="" if facts else "No incident started in this period.",
    )


def _percent(share: Share) -> str | None:
    return None if share.percent is None else f"{share.percent} %"


def _spread(shortest: str, half: str, longest: str) -> str | None:
    return f"{shortest} to {longest}, half within {half}" if shortest else None


def _times(cases: Mapping[int, Case], facts: Mapping[int, tuple[bool, str]]) -> list[Took]:
    rows = []
    for pk, case in cases.items():
        if (time := case.time_to_useful) is not None:
            known = Incident(pk=pk)
            rows.append(Took(time.total_seconds() / 60, known.ref, facts[pk][1], known.get_absolute_url()))
    return rows
