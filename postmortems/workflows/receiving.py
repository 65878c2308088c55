"""Alerts come in: however often and in whatever order they are delivered, each makes one incident, or joins one.

An alert is known by its series (what fires) and its start (since when). Of all that is said of one, the newest event
counts, and an end counts more than a beginning of the same moment. So the order of deliveries does not matter: an end
that comes first waits for its beginning, which then opens an incident that is over. Fired again within half an hour
of its end it is the same trouble and opens the same incident again; from the third time on it flaps, and the incident
stays open until somebody looks. Fired again later, or after people closed the incident, it is a new one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from kb.jobs.retrying import job
from postmortems import suggestions
from postmortems.intake import IncidentReport
from postmortems.models import Incident, User
from postmortems.models.intake import one_at_a_time
from postmortems.suggestions import Suggestions
from postmortems.workflows import suggesting
from postmortems.workflows.delivery import Delivery, Received

# Suggestions take up to a tenth of a second each, and the sender waits a second: of more incidents than this a worker
# does it, but for the first, whose suggestion the answer may hold.
WORKED_OUT = 3


@transaction.atomic
def receive(source: str, reports: Iterable[IncidentReport], *, account: User, at: datetime) -> list[Received]:
    """All of a delivery, or nothing of it, so that the sender may send it again."""
    one_at_a_time(account)
    received = Delivery(source, account, at).take(list(reports))
    if rest := _opened(received)[_at_once(received) :]:
        suggest_later.enqueue([incident.pk for incident in rest], account.pk)
    return received


# --- suggestions ---


def suggest_for(received: Sequence[Received], *, account: User, at: datetime) -> dict[int, Suggestions]:
    """Work out, and keep as the panel of each new incident, what resolved its like before: as its account may see.

    What is worked out at once is returned by the number of its incident.
    """
    fresh = _opened(received)[: _at_once(received)]
    return {incident.pk: suggest(incident, account=account, at=at) for incident in fresh}


def _opened(received: Iterable[Received]) -> list[Incident]:
    return [each.incident for each in received if each.did == "opened" and each.incident]


def _at_once(received: Iterable[Received]) -> int:
    return WORKED_OUT if len(_opened(received)) <= WORKED_OUT else 1


@job()
def suggest_later(incidents: list[int], account: int) -> None:
    """What `suggest_for` leaves; done again after an interruption, it goes on where it was."""
    sender = User.objects.filter(pk=account, is_active=True).first()
    if sender is None:
        return
    for incident in Incident.objects.filter(pk__in=incidents, suggestion_runs=None).order_by("pk"):
        suggest(incident, account=sender, at=timezone.now())


def suggest(incident: Incident, *, account: User, at: datetime) -> Suggestions:
    found = suggestions.suggest(suggestions.report_of(incident), user=account)
    suggesting.record_run(found, by=account, at=at, incident=incident)
    return found
