"""What an alert says, whoever sent it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kb.errors import DomainError

MAX_BYTES = 1_000_000
MAX_ALERTS = 1_000  # in one delivery
TITLE_LENGTH = 300
TEXT_LENGTH = 8_000
LABELS = 60
LABEL_LENGTH = 500


class Malformed(DomainError):
    """The payload is not what its source documents. Says where, and what is wanted there."""


@dataclass(frozen=True)
class IncidentReport:
    """One alert instance, as one delivery tells of it.

    `series`: what fires again later is the same series (fingerprint, id of the alert). `started_at`: tells the
    instances of a series apart; None: the source does not say when it began. `at`: when this was true, to put
    deliveries in order; None: when it came. Times have a zone. `services`: names to look up, the likeliest first.
    """

    series: str
    is_firing: bool
    title: str
    at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    text: str = ""
    error_excerpt: str = ""
    severity: str = ""  # the source's own word, in lower case
    labels: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    url: str = ""  # only ever shown
    event_id: str = ""  # of the delivery, where the source gives one
