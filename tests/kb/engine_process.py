"""What each process does in the tests of several processes: `python -m tests.kb.engine_process COMMAND...`."""

import json
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

settings.SEARCH_SOURCE = "tests.kb.sources.SOURCE"
django.setup()

from kb.search import engine, outbox, upkeep  # noqa: E402  (models need the set-up)
from kb.search.base import Query  # noqa: E402
from kb.search.models import IndexChange  # noqa: E402
from tests.kb import sources  # noqa: E402


def say(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def prepare() -> None:
    for app in ("sessions", "search"):
        call_command("migrate", app, verbosity=0)
    upkeep.rebuild()


def fill(prefix: str, count: str) -> None:
    """Documents and their outbox rows, not drained."""
    with transaction.atomic():
        for n in range(int(count)):
            sources.write(f"{prefix}-{n}", f"pool exhausted number {n}")
        IndexChange.objects.bulk_create(IndexChange(key=f"{prefix}-{n}") for n in range(int(count)))


def save(prefix: str, count: str) -> None:
    """One commit each; says each that is committed."""
    for n in range(int(count)):
        sources.save(f"{prefix}-{n}", f"pool exhausted number {n} of many")
        say(f"{prefix}-{n}")


def drain() -> None:
    while outbox.pending():
        outbox.drain(wait=0.1)


def tidy(times: str) -> None:
    """Says what it has done, again and again."""
    for _ in range(int(times)):
        say(upkeep.sync())


def rebuild(times: str) -> None:
    """Says first what the index holds."""
    say(found())
    for _ in range(int(times)):
        say(upkeep.rebuild())


def report() -> None:
    """How the index is after the next drain."""
    upkeep.ensure()
    outbox.drain()
    say(
        {
            "differences": upkeep.verify().keys,
            "pending": outbox.pending(),
            "found": found(),
            "documents": engine.backend().stats()["documents"],
        }
    )


def found() -> list[str]:
    page = engine.backend().search(Query(sources.ANYBODY, limit=10_000))
    return sorted(hit.key for hit in page.hits)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {
        "prepare": prepare,
        "fill": fill,
        "save": save,
        "drain": drain,
        "tidy": tidy,
        "rebuild": rebuild,
        "report": report,
    }[command](*arguments)
