"""Alerts come in: however often and in whatever order they are delivered, each makes one incident, or joins one.

An alert is known by its series (what fires) and its start (since when). Of all that is said of one, the newest event
counts, and an end counts more than a beginning of the same moment. So the order of deliveries does not matter: an end
that comes first waits for its beginning, which then opens an incident that is over. Fired again within half an hour
of its end it is the same trouble and opens the same incident again; from the third time on it flaps, and the incident
stays open until somebody looks. Fired again later, or after people closed the incident, it is a new one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from kb.jobs.retrying import job
from postmortems import suggestions
from postmortems.intake import IncidentReport
from postmortems.models import Alert, AlertReceipt, Incident, IntakePolicy, Service, TimelineEntry, User
from postmortems.models.intake import one_at_a_time
from postmortems.suggestions import Suggestions
from postmortems.workflows import suggesting, triage

CANDIDATES = 8  # names of services that are looked up, of one alert
TANGLES = 40  # marks of Markdown that a text may have before it is shown as it is
# Suggestions take up to a tenth of a second each, and the sender waits a second: of more incidents a worker does it.
WORKED_OUT = 3


@dataclass(frozen=True)
class Received:
    """What became of one report. `did`: opened, reopened, resolved, joined, noted, kept, or nothing new."""

    report: IncidentReport
    alert: Alert | None
    did: str
    policy: IntakePolicy

    @property
    def incident(self) -> Incident | None:
        """Asked for only where it is needed: most deliveries are repeats."""
        return self.alert.incident if self.alert else None

    @property
    def incident_pk(self) -> int | None:
        return self.alert.incident_id if self.alert else None


@transaction.atomic
def receive(source: str, reports: Iterable[IncidentReport], *, account: User, at: datetime) -> list[Received]:
    """All of a delivery, or nothing of it, so that the sender may send it again."""
    one_at_a_time(account)
    delivery = _Delivery(source, account, at)
    return [delivery.take(report) for report in reports]


class _Delivery:
    """What the reports of one delivery share."""

    def __init__(self, source: str, account: User, at: datetime) -> None:
        self.source, self.account, self.at = source, account, at
        self.policies = list(IntakePolicy.objects.in_order(source))
        self.services: dict[str, Service | None] = {}

    def take(self, report: IncidentReport) -> Received:
        policy = self.policy_for(report)
        if report.event_id and not AlertReceipt.objects.sign(
            account=self.account, source=self.source, event_id=report.event_id, at=self.at
        ):
            return Received(report, self.known(report), "nothing new", policy)
        alert, is_news = self.hear(report)
        return Received(report, alert, self.follow(alert, report, policy, is_news), policy)

    def policy_for(self, report: IncidentReport) -> IntakePolicy:
        fitting = (rule for rule in self.policies if rule.fits(severity=report.severity, labels=report.labels))
        return next(fitting, None) or IntakePolicy()

    # --- which alert it is ---

    def known(self, report: IncidentReport) -> Alert | None:
        """The row of this instance. A source that gives no start has one row at a time, until it fires much later."""
        rows = Alert.objects.of(self.account, self.source).filter(series=report.series)
        if report.started_at:
            return rows.filter(started_at=self.soon(report.started_at)).first()
        last = rows.order_by("-started_at").first()
        is_new = last and last.has_fired and report.is_firing and last.ended_long_before(report.at or self.at)
        return None if is_new else last

    def soon(self, moment: datetime) -> datetime:
        """Clocks differ: what lies in the future is now."""
        return min(moment, self.at)

    def hear(self, report: IncidentReport) -> tuple[Alert, bool]:
        """The row, with what is known now, and whether its state is news."""
        event_at = self.soon(report.at or self.at)
        end = self.soon(report.ended_at) if report.ended_at else None
        if alert := self.known(report):
            return alert, alert.hear(is_firing=report.is_firing, event_at=event_at, ended_at=end, at=self.at)
        start = self.soon(report.started_at or event_at)
        return Alert.objects.begin(
            account=self.account,
            source=self.source,
            series=report.series,
            started_at=start,
            is_firing=report.is_firing,
            event_at=event_at,
            ended_at=end,
            at=self.at,
            title=report.title,
            labels=dict(report.labels),
            excerpt="\n".join(filter(None, (report.text, report.error_excerpt))),
        ), True

    # --- what follows from it ---

    def follow(self, alert: Alert, report: IncidentReport, policy: IntakePolicy, is_news: bool) -> str:
        if alert.incident_id is None:
            return self.begin(alert, report, policy) if alert.has_fired and not alert.opened else "kept"
        if not is_news:
            return "nothing new"
        return self.fire_again(alert, report, policy) if alert.is_firing else self.end(alert)

    def begin(self, alert: Alert, report: IncidentReport, policy: IntakePolicy) -> str:
        """Its first incident."""
        if policy.action == IntakePolicy.Action.IGNORE:
            return "kept"
        if policy.action == IntakePolicy.Action.ATTACH:
            return self.attach(alert, report) if alert.is_firing else "kept"
        near = alert.neighbour()
        if near and near.incident and near.incident.status != Incident.Status.CLOSED:
            return self.join(alert, near, near.incident)
        return self.open(alert, report, policy)

    def open(self, alert: Alert, report: IncidentReport, policy: IntakePolicy) -> str:
        incident = triage.open_incident(
            title=report.title,
            symptoms=_symptoms(report.text),
            error_excerpt=report.error_excerpt,
            severity=policy.severity_for(report.severity),
            detection_source="monitor",
            # For an alert its start is the moment of detection: somebody was told then.
            started_at=alert.started_at,
            detected_at=alert.started_at,
            services=self.services_of(report),
            visibility=policy.visibility,
            shared_with=[policy.team] if policy.team else [],
            source=self.source,
            dedup_key=alert.key_of_incident,
            external_url=report.url,
            by=None,
            at=self.at,
        )
        alert.belong_to(incident, opened=True, resolves=policy.resolves)
        self.note(incident, f"Alert: {report.title}", kind=TimelineEntry.Kind.DETECTION, at=alert.started_at)
        if not alert.is_firing:
            self.end(alert)
        return "opened"

    def attach(self, alert: Alert, report: IncidentReport) -> str:
        """To the newest incident of its service that is open, and that the sender's account may see."""
        open_now = Incident.objects.visible_to(self.account).in_progress()
        incident = open_now.filter(services__in=self.services_of(report)).newest_first().first()
        if incident is None:
            return "kept"
        alert.belong_to(incident)
        self.note(incident, f"Alert: {report.title}", kind=TimelineEntry.Kind.DETECTION)
        return "joined"

    def join(self, alert: Alert, near: Alert, incident: Incident) -> str:
        """The same alert just before or after is of the same trouble."""
        older, newer = sorted((alert, near), key=lambda each: each.started_at)
        older.end_unseen(at=newer.started_at)
        alert.refresh_from_db()
        alert.belong_to(incident, opened=True, resolves=near.resolves, flaps=near.flaps + 1)
        return self.revive(alert, incident) if alert.is_firing else "joined"

    def fire_again(self, alert: Alert, report: IncidentReport, policy: IntakePolicy) -> str:
        """The same instance, after its end."""
        incident = alert.incident
        assert incident is not None  # noqa: S101  (who asks has looked; this tells mypy so)
        if incident.status == Incident.Status.CLOSED and alert.opened:
            return self.open(alert, report, policy)
        alert.count_flap()
        return self.revive(alert, incident)

    def revive(self, alert: Alert, incident: Incident) -> str:
        """It fires again. What people cancelled or closed they meant."""
        if incident.status == Incident.Status.RESOLVED and alert.opened:
            triage.reopen(incident, reason=f"The alert fires again: {alert.title}", by=None, at=self.at)
            return "reopened"
        if not alert.is_flapping:
            self.note(incident, f"Alert again: {alert.title}")
        return "joined"

    def end(self, alert: Alert) -> str:
        incident, end = alert.incident, alert.ended_at
        if incident is None or end is None or not incident.is_in_progress:
            return "nothing new"
        if self.may_resolve(alert, incident):
            since = max(end, incident.started_at)
            triage.resolve(incident, by=None, at=self.at, ended_at=since)
            return "resolved"
        if alert.flaps <= alert.FLAPPING:
            flaps = " It flaps: the incident stays open until somebody looks." if alert.is_flapping else ""
            self.note(incident, f"Alert is over: {alert.title}.{flaps}")
        return "noted"

    @staticmethod
    def may_resolve(alert: Alert, incident: Incident) -> bool:
        """What an alert opened, where the policy says so, nothing of it fires any more, and nobody has taken over."""
        alerts = incident.alerts.all()
        opened_by_one = any(each.resolves and each.opened for each in alerts)
        return (
            opened_by_one
            and not any(each.is_firing for each in alerts)
            and not alert.is_flapping
            and not incident.has_been_taken_over()
        )

    def note(self, incident: Incident, text: str, *, at: datetime | None = None, **known: Any) -> None:
        triage.note(incident, text, by=None, at=at or self.at, **{"kind": TimelineEntry.Kind.NOTE, **known})

    def services_of(self, report: IncidentReport) -> list[Service]:
        """Those that we know by name, slug or alias. A payload never makes one."""
        for name in report.services[:CANDIDATES]:
            if name not in self.services:
                self.services[name] = Service.objects.listed().named(name)
        found = (self.services[name] for name in report.services[:CANDIDATES])
        return list(dict.fromkeys(service for service in found if service))


def _symptoms(text: str) -> str:
    """Text of a program as Markdown: as it is, or between fences if it looks like anything but prose."""
    if sum(text.count(mark) for mark in "[]<>!*_`|&") <= TANGLES and "```" not in text:
        return text
    fence = "`" * 3
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


# --- suggestions ---


def suggest_for(received: Sequence[Received], *, account: User, at: datetime) -> dict[int, Suggestions]:
    """Work out, and keep as the panel of each new incident, what resolved its like before: as its account may see.

    What is worked out at once is returned by the number of its incident.
    """
    fresh = [each.incident for each in received if each.did == "opened" and each.incident]
    if rest := fresh[WORKED_OUT:]:
        suggest_later.enqueue([incident.pk for incident in rest], account.pk)
    return {incident.pk: suggest(incident, account=account, at=at) for incident in fresh[:WORKED_OUT]}


@job()
def suggest_later(incidents: list[int], account: int) -> None:
    """What `suggest_for` left; done again after an interruption, it goes on where it was."""
    sender = User.objects.filter(pk=account, is_active=True).first()
    if sender is None:
        return
    for incident in Incident.objects.filter(pk__in=incidents, suggestion_runs=None).order_by("pk"):
        suggest(incident, account=sender, at=timezone.now())


def suggest(incident: Incident, *, account: User, at: datetime) -> Suggestions:
    found = suggestions.suggest(suggestions.report_of(incident), user=account)
    suggesting.record_run(found, by=account, at=at, incident=incident)
    return found
