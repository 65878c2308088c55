"""What may be typed as `field:value`, and the field of the index that it filters by."""

from collections.abc import Iterable

from kb.search.query import FieldRule
from postmortems.models import CauseCategory, Fix, Incident, Kind, Postmortem, Severity
from postmortems.search.documents import NAMED


def _values(*choices: Iterable[str]) -> dict[str, str]:
    """What may be typed -> what is stored; `in-review` and `in_review` are the same."""
    stored = {value for each in choices for value in each}
    return {typed: value for value in stored for typed in (value, value.replace("_", "-"))}


SEVERITIES = _values(Severity.values) | {value.removeprefix("sev"): value for value in Severity.values}
STATUSES = _values(Postmortem.Status.values, Incident.Status.values, Fix.State.values)

FIELDS = {
    **{name: FieldRule("keyword", f"{name}_name") for name in NAMED},
    "severity": FieldRule("keyword", "severity", SEVERITIES),
    "sev": FieldRule("keyword", "severity", SEVERITIES),
    "status": FieldRule("keyword", "status", STATUSES),
    "author": FieldRule("keyword", "author"),
    "owner": FieldRule("keyword", "owner"),
    "kind": FieldRule("keyword", "kind", _values(["postmortem", "incident", "fix"])),
    "cause": FieldRule("keyword", "cause", _values(CauseCategory.values)),
    "is": FieldRule("keyword", "is", STATUSES | _values(Kind.values, Fix.Kind.values)),
    "has": FieldRule(
        "keyword", "has", _values(["fix", "action", "timeline", "incident", "postmortem", "commands", "undo"])
    ),
    "after": FieldRule("from", "occurred"),
    "before": FieldRule("until", "occurred"),
}
