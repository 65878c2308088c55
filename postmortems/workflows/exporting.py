"""Taking a copy of what one may see: as a stream, and written down who did."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from postmortems import roles, search
from postmortems.exporting.files import FORMATS
from postmortems.models import User
from postmortems.workflows import auditing


def export(form: str, *, by: User | None, at: datetime) -> Iterator[bytes]:
    """The bytes of the file, a few at a time; `form` is one of `FORMATS`. None: the machine's owner, who sees all."""
    roles.require(by, "read")
    _, _, make = FORMATS[form]
    if by is not None:
        auditing.record("export.make", on=by, by=by, at=at, changes={"format": ("", form)})
    reader: Any = by or search.THE_MACHINE
    return make(reader)
