"""What a document says about itself, `Severity: SEV-1`, in front matter or in its text -> fields and tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo

from postmortems.importing.headings import canonical
from postmortems.importing.inline import DASH, one_line
from postmortems.importing.tables import names
from postmortems.importing.times import moment_at_start, moment_in, zone_in

MAX_NAME = 100  # of a tag, a service, a team
MAX_AUTHORS = 500
MAX_URL = 1000
MAX_LISTED = 50

LABELS = {
    "title": "title, incident title, name",
    "uuid": "uuid",
    "url": "url, source url, source, link, report, public report, original url, permalink",
    "start": """start time, start, started at, started, begin, began, began at, start date, incident start, outage
        start, start date time, time of incident, impact start""",
    "end": """end time, end, ended at, ended, resolved at, end date, incident end, outage end, resolution time,
        impact end, end date time, resolved""",
    "date": "date, incident date, date of incident, occurred on, occurred, day, outage date, event date, when",
    "published": "published at, published, source published at, publication date, date published, published on",
    "tags": """tags, tag, categories, category, keywords, keyword, labels, label, topics, company, organization,
        organisation""",
    "services": """services, service, affected services, services affected, impacted services, affected service,
        product, products, system, systems, affected systems, component, components""",
    "severity": "severity, sev, severity level, incident severity, priority, impact level",
    "status": "status, state, document status, postmortem status",
    "visibility": "visibility, access",
    "authors": """authors, author, written by, postmortem author, owner, owners, postmortem owner, document owner,
        incident commander, ic, attendees, participants, responders, reporter""",
    "team": "team, owning team, responsible team",
    "kind": "kind, incident type, incident kind",
    "environment": "environment, env",
    "cause_category": "cause category, root cause category",
}
# Only front matter is believed when it comes to these: in a text they are words.
ONLY_FRONT_MATTER = frozenset({"uuid", "url", "title", "visibility"})
SEVERITIES = {
    "sev1": "sev1, sev 1, sev0, sev 0, s1, s0, p1, p0, 1, critical, severity 1, severity 0, catastrophic, emergency",
    "sev2": "sev2, sev 2, s2, p2, 2, high, major, severity 2",
    "sev3": "sev3, sev 3, s3, p3, 3, medium, moderate, severity 3",
    "sev4": "sev4, sev 4, sev5, sev 5, s4, s5, p4, p5, 4, 5, low, minor, severity 4, severity 5",
}
STATUSES = {
    "draft": """draft, wip, work in progress, in progress, in review, under review, review, pending, todo,
        incomplete, open""",
    "published": """published, final, complete, completed, done, closed, resolved, approved, reviewed, finished,
        public""",
}
VISIBILITIES = {
    "open": "open, public, internal, everyone, all",
    "restricted": "restricted, private, confidential, secret, limited, members",
}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "severity": SEVERITIES,
    "status": STATUSES,
    "visibility": VISIBILITIES,
    "kind": {
        "service": "service, outage, availability, operational",
        "security": "security, security incident, breach",
        "near_miss": "near miss",
        "exercise": "exercise, drill, game day, gameday, test",
    },
    "environment": {
        "production": "production, prod, live",
        "staging": "staging, stage, qa, test, preproduction, pre production",
        "development": "development, dev, local",
        "other": "other",
    },
    "cause_category": {
        name: name
        for name in names(
            "change, configuration, capacity, dependency, network, hardware, data, defect, time, security, other"
        )
    },
}
_FIELD_OF = {canonical(label): name for name, listed in LABELS.items() for label in names(listed)}
_VALUE_OF = {
    name: {canonical(word): value for value, listed in values.items() for word in names(listed)}
    for name, values in CHOICES.items()
}
# Anyone else is named with what they were: `Incident commander: J. Doe`.
_PLAIN_AUTHORS = frozenset(
    canonical(name)
    for name in names("author, written by, attendee, atendee, participant, contributor, people, people involved")
)
_COMMA = re.compile(r"[;\n]|,(?![^()]{0,200}\))")
_WEB = re.compile(r"https?://[^\s<>\"]+\Z", re.IGNORECASE)


def field_of(label: str) -> str:
    """The field a label speaks of; "" if none."""
    return _FIELD_OF.get(canonical(label.replace("_", " ").replace("-", " ")), "")


@dataclass
class Metadata:
    """Fills itself from labels and values. What was said first stays."""

    values: dict[str, str] = field(default_factory=dict)  # title, uuid, url, team and the choices
    tags: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    day: date | None = None
    start: datetime | None = None
    end: datetime | None = None
    published: datetime | None = None
    zone: tzinfo = UTC

    def take(self, label: str, items: list[str]) -> bool:
        """True if the fields now hold all of it; else the caller keeps the text (a part of it may be held as well)."""
        name = field_of(label)
        text = ", ".join(items)
        if name in ("tags", "services"):
            return self._list(name, items)
        if name == "authors":
            return self.add_people(label, text)
        if name in ("start", "end", "published", "date"):
            return self._moment(name, text)
        if name in CHOICES:
            return self._choice(name, text)
        return bool(name) and self._text(name, text)

    def _text(self, name: str, text: str) -> bool:
        limits = {"team": MAX_NAME, "url": MAX_URL, "uuid": 100, "title": 2000}
        text = " ".join(text.split())
        if name in self.values or not text or len(text) > limits[name] or (name == "url" and not _WEB.match(text)):
            return False
        self.values[name] = text
        return True

    def _list(self, name: str, items: list[str]) -> bool:
        found = [part.strip(" .") for item in items for part in _COMMA.split(one_line(item)) if part.strip(" .")]
        prose = name == "services" and any(len(part.split()) > 8 for part in found)
        if prose or len(found) > MAX_LISTED or any(len(part) > MAX_NAME for part in found):
            return False
        held = self.tags if name == "tags" else self.services
        held += [part for part in found if part.casefold() not in {other.casefold() for other in held}]
        return True

    def add_people(self, label: str, text: str) -> bool:
        text = one_line(text if canonical(label) in _PLAIN_AUTHORS else f"{label}: {text}")
        if len(", ".join([*self.authors, text])) > MAX_AUTHORS:
            return False
        if text not in self.authors:
            self.authors.append(text)
        return True

    def _moment(self, name: str, text: str) -> bool:
        text = one_line(text)
        found = moment_in(text)
        if not found:
            return False
        day, at, zone = found
        moment = datetime.combine(day, at, zone or zone_in(text) or self.zone) if at else None
        if name == "published":
            self.published = self.published or moment or datetime(day.year, day.month, day.day, tzinfo=UTC)
        elif name == "end":
            self.end = self.end or moment
        else:
            self.start = self.start or moment
            self.day = self.day or day
        return self._holds_all(text, name == "date" or moment is not None)

    def _holds_all(self, text: str, has_what_it_needs: bool) -> bool:
        moment = moment_at_start(text)
        rest = text[moment.end :].strip(" .()") if moment else text
        return has_what_it_needs and moment is not None and moment.is_exact and not rest

    def _choice(self, name: str, text: str) -> bool:
        """`SEV-1` is all of it; of `Complete, action items in progress` the first word is held and the text kept."""
        values = _VALUE_OF[name]
        whole = values.get(canonical(text))
        first = re.split(rf"[,;(]|\s[{DASH}]\s|:\s", one_line(text), maxsplit=1)[0]
        value = whole or values.get(canonical(first))
        if value and name not in self.values:
            self.values[name] = value
            return bool(whole)
        return False
