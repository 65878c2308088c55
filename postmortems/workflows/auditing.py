"""The audit log's only writer: each workflow says what was done, in its own transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kb import origin
from postmortems.models import AuditEvent


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
    came = origin.current()
    return AuditEvent.objects.create(
        at=at,
        by=by,
        by_name=str(by) if by else "",
        action=action,
        object_key=getattr(on, "search_key", f"{on._meta.model_name}:{on.pk}"),
        object_name=str(on)[:320],
        reason=reason,
        changes={name: list(values) for name, values in (changes or {}).items()},
        channel=came.channel,
        address=came.address,
    )
