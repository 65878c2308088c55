"""One delivery of alerts: all that it tells of is looked up, judged and written together, however many they are.

A delivery tells what is true at one moment: what begins is taken before what ends. Only of one series the order counts:
told of twice, it is taken in turns.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postmortems.intake import IncidentReport
from postmortems.models import Alert, AlertReceipt, Incident, IntakePolicy, Service, TimelineEntry, User
from postmortems.workflows import triage

CANDIDATES = 8  # names of services that are looked up, of one alert
TANGLES = 40  # marks of Markdown that a text may have before it is shown as it is
Kind = TimelineEntry.Kind


@dataclass(eq=False)
class Received:
    """What became of one report. `did`: opened, reopened, resolved, joined, noted, kept, or nothing new."""

    report: IncidentReport
    policy: IntakePolicy
    alert: Alert | None = None
    did: str = "nothing new"

    @property
    def incident(self) -> Incident | None:
        """Asked for only where it is needed: most deliveries are repeats."""
        return self.alert.incident if self.alert else None

    @property
    def incident_pk(self) -> int | None:
        return self.alert.incident_id if self.alert else None


@dataclass(eq=False)
class _Heard:
    """A report whose alert is known, and whether its state is news."""

    received: Received
    alert: Alert
    is_news: bool

    @property
    def report(self) -> IncidentReport:
        return self.received.report

    @property
    def incident(self) -> Incident:
        """Of an alert that has one."""
        assert self.alert.incident is not None  # noqa: S101  (who asks has looked; this tells mypy so)
        return self.alert.incident


class Delivery:
    def __init__(self, source: str, account: User, at: datetime) -> None:
        self.source, self.account, self.at = source, account, at
        self.alerts = Alert.objects.of(account, source)
        self.policies = list(IntakePolicy.objects.in_order(source))
        self.services: dict[str, Service] = {}
        self.notes: list[TimelineEntry] = []

    def take(self, reports: Sequence[IncidentReport]) -> list[Received]:
        """What became of each."""
        told = [Received(report, self.policy_for(report)) for report in reports]
        repeated = self.repeated(told)
        for turn in _turns(each for each in told if each not in repeated):
            self.take_turn(turn)
        again = [each for each in told if each in repeated]
        for each, alert in zip(again, self.known([each.report for each in again]), strict=True):
            each.alert = alert
        return told

    def policy_for(self, report: IncidentReport) -> IntakePolicy:
        fitting = (rule for rule in self.policies if rule.fits(severity=report.severity, labels=report.labels))
        return next(fitting, None) or IntakePolicy()

    def repeated(self, told: Sequence[Received]) -> set[Received]:
        """Those whose number was taken before, in this delivery or another."""
        numbered = [each for each in told if each.report.event_id]
        first = {each.report.event_id: each for each in reversed(numbered)}
        fresh = AlertReceipt.objects.sign(first, account=self.account, source=self.source, at=self.at)
        return set(numbered) - {first[number] for number in fresh}

    def take_turn(self, told: Sequence[Received]) -> None:
        """Every series of these is another one."""
        heard = self.hear(told)
        Alert.objects.keep(each.alert for each in heard)
        ended = self.follow(heard)
        Alert.objects.keep(each.alert for each in heard)
        self.write_notes()
        self.end(ended)
        self.write_notes()

    # --- which alerts they are ---

    def known(self, reports: Sequence[IncidentReport]) -> list[Alert | None]:
        """The rows of these instances. Without a start there is one row at a time, until it fires much later."""
        starts = {(each.series, each.started_at) for each in reports if each.started_at}
        loose = {each.series for each in reports if not each.started_at}
        by_start = self.alerts.at_starts(starts) if starts else {}
        newest = self.alerts.newest_of(loose) if loose else {}
        return [
            by_start.get((each.series, each.started_at))
            if each.started_at
            else self.same_time(each, newest.get(each.series))
            for each in reports
        ]

    def same_time(self, report: IncidentReport, last: Alert | None) -> Alert | None:
        is_new = last and last.has_fired and report.is_firing and last.ended_long_before(report.at or self.at)
        return None if is_new else last

    def soon(self, moment: datetime) -> datetime:
        """Clocks differ: what lies in the future is now. But for the start of an alert, which it is known by."""
        return min(moment, self.at)

    def hear(self, told: Sequence[Received]) -> list[_Heard]:
        """Their rows, the new ones written, with what is known now."""
        heard, fresh = [], []
        for each, alert in zip(told, self.known([each.report for each in told]), strict=True):
            news = self.news_of(each.report)
            if alert is None:
                fresh.append(alert := self.begun(each.report, news))
                is_news = True
            else:
                is_news = alert.hear(**news)
            each.alert = alert
            heard.append(_Heard(each, alert, is_news))
        Alert.objects.bulk_create(fresh)
        return heard

    def news_of(self, report: IncidentReport) -> dict[str, Any]:
        event_at = self.soon(report.at or self.at)
        end = self.soon(report.ended_at) if report.ended_at else None
        return {"is_firing": report.is_firing, "event_at": event_at, "ended_at": end, "at": self.at}

    def begun(self, report: IncidentReport, news: Mapping[str, Any]) -> Alert:
        return Alert.begun(
            account=self.account,
            source=self.source,
            series=report.series,
            started_at=report.started_at or news["event_at"],
            title=report.title,
            labels=dict(report.labels),
            excerpt="\n".join(filter(None, (report.text, report.error_excerpt))),
            **news,
        )

    # --- what follows from it ---

    def follow(self, heard: Sequence[_Heard]) -> list[_Heard]:
        """What begins. Returns what ends."""
        news = [each for each in heard if each.alert.incident_id and each.is_news]
        first = [each for each in heard if each.alert.incident_id is None]
        for each in first:
            each.received.did = "kept"
        begin = [each for each in first if each.alert.has_fired and not each.alert.opened]
        fresh = [each for each in begin if each.received.policy.action == IntakePolicy.Action.OPEN]
        near = Alert.objects.same_trouble([each.alert for each in fresh]) if fresh else {}
        self.lock([*(each.alert for each in news), *near.values()])
        again = [each for each in news if each.alert.is_firing]
        anew = [each for each in again if each.alert.opened and each.incident.status == Incident.Status.CLOSED]
        joining = [each for each in fresh if self.can_join(near.get(each.alert.pk))]
        self.open([each for each in fresh if each not in joining] + anew)
        revived = [each for each in again if each not in anew]
        for each in revived:
            each.alert.count_flap()
        for each in joining:
            self.join(each, near[each.alert.pk])
        Alert.objects.keep(near.values())
        self.revive([*revived, *(each for each in joining if each.alert.is_firing)])
        self.attach([each for each in begin if each.received.policy.action == IntakePolicy.Action.ATTACH])
        return [each for each in (*news, *fresh) if each not in joining and not each.alert.is_firing]

    def lock(self, alerts: Iterable[Alert]) -> None:
        """Their incidents, as they are now: nobody else takes a step of them until all is written."""
        have = [alert for alert in alerts if alert.incident_id]
        incidents = Incident.objects.locked(alert.incident_id for alert in have if alert.incident_id)
        for alert in have:
            alert.incident = incidents[alert.incident_id or 0]

    def open(self, heard: Sequence[_Heard]) -> None:
        """Their first incidents."""
        self.look_up_services(heard)
        incidents = triage.open_all([self.declared(each) for each in heard], by=None, at=self.at) if heard else []
        for each, incident in zip(heard, incidents, strict=True):
            each.alert.belong_to(incident, opened=True, resolves=each.received.policy.resolves)
            self.note(each, f"Alert: {each.report.title}", kind=Kind.DETECTION, at=incident.started_at)
            each.received.did = "opened"

    def declared(self, each: _Heard) -> triage.Declared:
        alert, report, policy = each.alert, each.report, each.received.policy
        return triage.declared(
            title=report.title,
            symptoms=_symptoms(report.text),
            error_excerpt=report.error_excerpt,
            severity=policy.severity_for(report.severity),
            detection_source="monitor",
            # For an alert its start is the moment of detection: somebody was told then.
            started_at=self.soon(alert.started_at),
            detected_at=self.soon(alert.started_at),
            services=self.services_of(report),
            visibility=policy.visibility,
            shared_with=[policy.team] if policy.team else [],
            source=self.source,
            dedup_key=alert.key_of_incident,
            external_url=report.url,
            at=self.at,
        )

    def attach(self, heard: Sequence[_Heard]) -> None:
        """Each to the newest incident of its service that is open, and that the sender's account may see."""
        firing = [each for each in heard if each.alert.is_firing]
        self.look_up_services(firing)
        found: dict[tuple[Service, ...], Incident | None] = {(): None}
        for each in firing:
            services = tuple(self.services_of(each.report))
            if services not in found:
                open_now = Incident.objects.visible_to(self.account).in_progress()
                found[services] = open_now.filter(services__in=services).newest_first().first()
            if incident := found[services]:
                each.alert.belong_to(incident)
                self.note(each, f"Alert: {each.report.title}", kind=Kind.DETECTION)
                each.received.did = "joined"

    @staticmethod
    def can_join(near: Alert | None) -> bool:
        return bool(near and near.incident and near.incident.status != Incident.Status.CLOSED)

    def join(self, each: _Heard, near: Alert) -> None:
        """The same alert just before or after is of the same trouble."""
        older, newer = sorted((each.alert, near), key=lambda alert: alert.started_at)
        older.end_unseen(at=newer.started_at)
        assert near.incident is not None  # noqa: S101  (`can_join` has looked; this tells mypy so)
        each.alert.belong_to(near.incident, opened=True, resolves=near.resolves, flaps=near.flaps + 1)
        each.received.did = "joined"

    def revive(self, heard: Sequence[_Heard]) -> None:
        """They fire again. What people cancelled or closed they meant."""
        back: dict[int, tuple[Incident, str]] = {}
        for each in heard:
            incident, alert = each.incident, each.alert
            if incident.status == Incident.Status.RESOLVED and alert.opened and incident.pk not in back:
                back[incident.pk] = incident, f"The alert fires again: {alert.title}"
                each.received.did = "reopened"
                continue
            each.received.did = "joined"
            if not alert.is_flapping:
                self.note(each, f"Alert again: {alert.title}")
        if back:
            triage.reopen_all(list(back.values()), by=None, at=self.at)

    def end(self, heard: Sequence[_Heard]) -> None:
        """What these opened is over, where a rule says so, nothing of it fires any more, and nobody has taken over."""
        ended = [each for each in heard if each.alert.ended_at and each.incident.is_in_progress]
        last = {each.incident.pk: each for each in ended}  # of several of one incident the last one may resolve it
        left = set(Incident.objects.filter(pk__in=last).left_to_alerts().values_list("pk", flat=True)) if last else ()
        over: list[tuple[Incident, datetime]] = []
        for each in ended:
            incident, alert = each.incident, each.alert
            if each is last[incident.pk] and incident.pk in left and not alert.is_flapping:
                over.append((incident, max(self.soon(alert.ended_at or self.at), incident.started_at)))
                did = "resolved"
            else:
                self.note_end(each)
                did = "noted"
            each.received.did = each.received.did if each.received.did == "opened" else did
        if over:
            triage.resolve_all(over, by=None, at=self.at)

    def note_end(self, each: _Heard) -> None:
        if each.alert.flaps <= Alert.FLAPPING:
            flaps = " It flaps: the incident stays open until somebody looks." if each.alert.is_flapping else ""
            self.note(each, f"Alert is over: {each.alert.title}.{flaps}")

    def note(self, each: _Heard, text: str, *, at: datetime | None = None, kind: str = Kind.NOTE) -> None:
        self.notes.append(triage.entry_of(each.incident, text, by=None, at=at or self.at, kind=kind))

    def write_notes(self) -> None:
        if self.notes:
            triage.note_all(self.notes)
        self.notes = []

    # --- services ---

    def look_up_services(self, heard: Iterable[_Heard]) -> None:
        """Those that we know by name, slug or alias. A payload never makes one."""
        names = {name for each in heard for name in each.report.services[:CANDIDATES]}
        self.services |= Service.objects.listed().all_named(names - self.services.keys())

    def services_of(self, report: IncidentReport) -> list[Service]:
        found = (self.services.get(name) for name in report.services[:CANDIDATES])
        return list(dict.fromkeys(service for service in found if service))


def _turns(told: Iterable[Received]) -> list[list[Received]]:
    """The first of each series, then the second of each that has one, and so on."""
    by_series: dict[str, int] = defaultdict(int)
    turns: list[list[Received]] = []
    for each in told:
        turn = by_series[each.report.series]
        by_series[each.report.series] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(each)
    return turns


def _symptoms(text: str) -> str:
    """Text of a program as Markdown: as it is, or between fences if it looks like anything but prose."""
    if sum(text.count(mark) for mark in "[]<>!*_`|&") <= TANGLES and "```" not in text:
        return text
    fence = "`" * 3
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
