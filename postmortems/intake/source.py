"""What a source is: its name, its parser, and how it signs, if it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from postmortems.intake.base import IncidentReport
from postmortems.intake.reading import Given
from postmortems.intake.signatures import Scheme

Parser = Callable[[Mapping[str, str], Given], list[IncidentReport]]


@dataclass(frozen=True)
class Source:
    """`parse(headers, payload)`; `headers` are looked up whatever their case."""

    slug: str
    name: str
    parse: Parser
    signature: Scheme | None = None
