"""The audit log's only writer: each workflow says what was done, in its own transaction."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from kb import origin
from postmortems.models import AuditEvent, User
from postmortems.models.audit import key_of


class Entry(NamedTuple):
    """What was done to one row. `changes`: field -> before, after."""

    on: Any
    reason: str = ""
    changes: Mapping[str, tuple[Any, Any]] = {}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What `record` takes as changes: the fields that are not what they were."""
    return {name: (before[name], after[name]) for name in after if before[name] != after[name]}


def record(
    action: str,
    *,
    on: Any,
    by: Any,
    at: datetime,
    reason: str = "",
    changes: Mapping[str, tuple[Any, Any]] | None = None,
) -> AuditEvent:
    """`action`: `postmortem.publish`. `by`: None for the program itself. `changes`: field -> before, after."""
    return record_all(action, [Entry(on, reason, changes or {})], by=by, at=at)[0]


def record_edit(
    action: str,
    *,
    on: Any,
    by: Any,
    at: datetime,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str = "",
) -> dict[str, tuple[Any, Any]]:
    """What differs, written down and returned; who saved a form and changed nothing has done nothing."""
    changes = differences(before, after)
    if changes:
        record(action, on=on, by=by, at=at, reason=reason, changes=changes)
    return changes


def record_all(action: str, entries: Iterable[Entry], *, by: Any, at: datetime) -> list[AuditEvent]:
    """The same step of many rows."""
    came = origin.current()
    return AuditEvent.objects.bulk_create(
        AuditEvent(
            at=at,
            by=by,
            by_name=str(by) if by else "",
            action=action,
            object_key=key_of(entry.on),
            object_name=str(entry.on)[:320],
            reason=entry.reason,
            changes={name: list(values) for name, values in entry.changes.items()},
            channel=came.channel,
            address=came.address,
        )
        for entry in entries
    )


def record_failed_sign_in(name: str, *, at: datetime) -> None:
    """Of somebody whom we know by this name or address. What others typed is not kept: it may be a password."""
    known = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name)).first() if name else None
    came = origin.current()
    AuditEvent.objects.create(
        at=at,
        action="account.sign_in_failed",
        object_key=f"user:{known.pk}" if known else "",
        object_name=str(known) if known else "Unknown name",
        channel=came.channel,
        address=came.address,
    )
