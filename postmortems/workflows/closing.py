"""What stands between a resolved incident and its end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import Incident, Postmortem, PostmortemPolicy, Severity


class NotReadyToClose(DomainError):
    """Something is missing, and nobody who may has said why that is all right."""


@dataclass(frozen=True)
class Blocker:
    """`stops`: closing needs an override. Otherwise it is advice."""

    says: str
    stops: bool = True


def blockers_of(incident: Incident) -> list[Blocker]:
    """What is missing, the reader's next step in each."""
    return [*_postmortem(incident), *_milestones(incident), *_commander(incident), *_outcomes(incident)]


def insist_on_override(missing: Iterable[Blocker], *, reason: str, by: Any) -> None:
    """Only managers close over what is missing, and only with a reason."""
    listed = " ".join(blocker.says for blocker in missing)
    if not reason.strip():
        raise NotReadyToClose(f"{listed} To close it nevertheless, a manager says why.")
    roles.require(by, "override")


def _postmortem(incident: Incident) -> Iterable[Blocker]:
    policy = PostmortemPolicy.objects.for_incident(incident)
    if policy and policy.is_required and not incident.postmortems.filter(status__in=Postmortem.READABLE).exists():
        days = policy.days_until_due
        yield Blocker(f"A postmortem is required within {days} days of the end, and none is published yet.")


def _milestones(incident: Incident) -> Iterable[Blocker]:
    if not incident.detected_at:
        yield Blocker("When it was detected is missing: add it to the times.")
    if not incident.mitigated_at:
        yield Blocker("When the harm stopped (mitigated) is not noted.", stops=not incident.resolved_at)


def _commander(incident: Incident) -> Iterable[Blocker]:
    if incident.severity == Severity.SEV1 and incident.commander_id is None:
        yield Blocker("It was of severity 1 and never had a commander.")


def _outcomes(incident: Incident) -> Iterable[Blocker]:
    if not incident.fix_uses.exists():
        yield Blocker(
            "What was tried, and what came of it, is not recorded: the next incident would know.", stops=False
        )
