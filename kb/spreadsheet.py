"""CSV that a spreadsheet opens without running what a cell says."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse
from django.utils import timezone

# With these a spreadsheet takes a cell for a formula; an apostrophe before it makes it text.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


class _Line:
    """What the csv module writes to: it hands each line on."""

    def write(self, line: str) -> str:
        return line


def as_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A download, sent line by line. `rows` are asked for when the request is over, still in the zone of its reader."""
    writer, zone = csv.writer(_Line()), timezone.get_current_timezone()

    def lines() -> Iterator[str]:
        yield writer.writerow(header)
        with timezone.override(zone):
            for row in rows:
                yield writer.writerow([harmless(value) for value in row])

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)
