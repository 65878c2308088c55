"""What administrators do about the work beside the pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from kb.errors import DomainError
from kb.jobs import queue
from postmortems import roles
from postmortems.workflows import auditing


class NoDeadLetter(DomainError):
    """Somebody was faster, or it was never given up."""


@transaction.atomic
def put_back(pk: UUID, *, by: Any, at: datetime) -> None:
    """A job that was given up is tried again."""
    roles.require(by, "administer")
    if not queue.put_back(pk, at=at):
        raise NoDeadLetter("This job does not wait for anybody: it was put back already, or is gone.")
    auditing.record("job.put_back", on=queue.rows().get(pk=pk), by=by, at=at)
