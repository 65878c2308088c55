"""Are postmortems written in time, read, and of use later. Due dates are the policy's: in the site's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import CharField, Count, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat, TruncDate
from django.utils import timezone

from postmortems.insights.figures import Section, Share, Table, figure
from postmortems.insights.scope import Scope, incidents_at_any_time, postmortems
from postmortems.models import FixUse, Postmortem, PostmortemPolicy, Reading, SuggestionVerdict
from postmortems.models.incident import IncidentQuerySet
from postmortems.models.prevention import HELPED

READABLE = Q(status__in=Postmortem.READABLE)
DUE = {
    "on_time": "Published by its date",
    "late": "Published late",
    "overdue": "Not published, and its date has passed",
    "waiting": "Not published, and there is time left",
}
LIFE = {
    "read": "Read by somebody",
    "unread": "Read by nobody",
    "reused": "Of use later",
    "unused": "Never of use later",
}


def due(scope: Scope, user: Any) -> Any:
    """Those whose date by the policy lies in the period."""
    rows = postmortems(scope, user).filter(due_on__range=(scope.first, scope.last))
    return rows.annotate(published_on=TruncDate("published_at", tzinfo=timezone.get_default_timezone()))


def is_due(how: str, today: date) -> Q:
    """KeyError for what is not in `DUE`."""
    return {
        "on_time": READABLE & Q(published_on__lte=F("due_on")),
        "late": READABLE & Q(published_on__gt=F("due_on")),
        "overdue": ~READABLE & Q(due_on__lt=today),
        "waiting": ~READABLE & Q(due_on__gte=today),
    }[how]


def missing(scope: Scope, user: Any, at: datetime) -> IncidentQuerySet:
    """Incidents whose postmortem the policy wanted by a day of the period, now past: none is there to see."""
    today = timezone.localdate(at)
    rules = list(PostmortemPolicy.objects.all())
    wanted = Q(pk__in=[])
    for rule in rules:
        fits = Q(severity=rule.severity, kind=rule.kind) if rule.kind else Q(severity=rule.severity)
        if not rule.kind:
            fits &= ~Q(kind__in=[each.kind for each in rules if each.kind and each.severity == rule.severity])
        if rule.is_required:
            wanted |= fits & _due_between(rule.days_until_due, scope.first, min(scope.last, today - timedelta(days=1)))
    told = Postmortem.incidents.through.objects.filter(incident=OuterRef("pk"))
    seen = Exists(told.filter(Postmortem.objects.visible_where(user, "postmortem__")))
    return incidents_at_any_time(scope, user).over().filter(wanted).exclude(seen)


def _due_between(days: int, first: date, last: date) -> Q:
    """Resolved so long before these days that its postmortem was due in them."""
    away, zone = timedelta(days=days), timezone.get_default_timezone()
    begin, end = (datetime.combine(day, time(), zone) for day in (first - away, last - away + timedelta(days=1)))
    return Q(resolved_at__gte=begin, resolved_at__lt=end)


def published(scope: Scope, user: Any) -> Any:
    """Those published in the period, with `is_read` and `is_reused`."""
    rows = postmortems(scope, user).filter(READABLE, published_at__gte=scope.begin, published_at__lt=scope.end)
    helped = FixUse.objects.visible_to(user).filter(fix__postmortem=OuterRef("pk"), outcome__in=HELPED)
    own = Postmortem.incidents.through.objects.filter(
        postmortem=OuterRef(OuterRef("pk")), incident=OuterRef("incident")
    )
    key = Concat(Value("postmortem:"), Cast(OuterRef("pk"), CharField()), output_field=CharField())
    said = SuggestionVerdict.objects.visible_to(user).filter(key=key, verdict__in=SuggestionVerdict.USEFUL)
    return rows.annotate(is_read=Reading.objects.exist(), is_reused=Exists(helped.exclude(Exists(own))) | Exists(said))


def of_life(how: str) -> Q:
    """KeyError for what is not in `LIFE`."""
    return {
        "read": Q(is_read=True),
        "unread": Q(is_read=False),
        "reused": Q(is_reused=True),
        "unused": Q(is_reused=False),
    }[how]


def lateness(scope: Scope, user: Any, at: datetime) -> Section:
    today = timezone.localdate(at)
    counts = due(scope, user).aggregate(**{how: Count("pk", filter=is_due(how, today), distinct=True) for how in DUE})
    total = sum(counts.values())
    not_begun = missing(scope, user, at).count()
    in_time = Share(figure(counts["on_time"], "due", how="on_time"), figure(total, "due"))
    return Section(
        key="late",
        title="Written in time",
        says=(
            "Postmortems that were due in the period, by the policy for their severity. Wanted, and not there: the "
            "date has passed, and there is no postmortem that you may see. A draft is seen by its owner and their team."
        ),
        table=Table(
            ("Postmortems due", "How many"),
            (
                *((name, figure(counts[how], "due", how=how)) for how, name in DUE.items()),
                ("All", figure(total, "due")),
                ("Wanted, and not there (incidents)", figure(not_begun, "missing")),
            ),
        ),
        headlines=(
            ("Published by their date", in_time, "postmortems due"),
            ("Wanted, and not there", figure(not_begun, "missing"), "incidents"),
        ),
        empty="" if total or not_begun else "No postmortem was due in this period.",
    )


def life(scope: Scope, user: Any) -> Section:
    counts = published(scope, user).aggregate(
        every=Count("pk", distinct=True), **{how: Count("pk", filter=of_life(how), distinct=True) for how in LIFE}
    )
    total = figure(counts["every"], "published")
    named = {how: figure(counts[how], "published", how=how) for how in LIFE}
    return Section(
        key="life",
        title="Read, and of use later",
        says=(
            "Postmortems published in the period. Read: somebody other than the owner opened it; how many is counted "
            "and not who, since this version runs here. Of use later: one of its fixes helped in another incident, "
            "or it was suggested and judged the same."
        ),
        table=Table(
            ("Published in the period", "Postmortems"),
            (*((name, named[how]) for how, name in LIFE.items()), ("All", total)),
        ),
        headlines=(
            ("Read by nobody", Share(named["unread"], total), "published postmortems"),
            ("Never of use later", Share(named["unused"], total), "published postmortems"),
        ),
        empty="" if total.value else "No postmortem was published in this period.",
    )
