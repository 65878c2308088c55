"""manage.py suggest [TEXT]: which earlier incidents look like this, and what fixed them."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems import search, suggestions
from postmortems.models import Service


class Command(BaseCommand):
    help = (
        "Suggest earlier resolutions for TEXT, a file, or standard input. Sees everything, as the machine's owner does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text", nargs="*", metavar="TEXT")
        parser.add_argument("-f", "--file", type=Path, help="read the text from FILE")
        parser.add_argument("--title", default="")
        parser.add_argument(
            "--service", action="append", default=[], help="a service's name, slug or alias; repeatable"
        )
        parser.add_argument("--limit", type=int, default=3)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        search.prepare_index()
        report = suggestions.Report(
            title=options["title"],
            symptoms=_text(options["text"], options["file"]),
            services=tuple(_service(name) for name in options["service"]),
            started_at=timezone.now(),
        )
        found = suggestions.suggest(report, user=search.THE_MACHINE, limit=max(1, options["limit"]))
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(report)))
        else:
            self._tell(found)

    def _tell(self, found: suggestions.Suggestions) -> None:
        if found.degraded:
            raise CommandError(found.degraded)
        for label, group in (("Happening now", found.happening_now), ("Earlier", found.results)):
            for suggestion in group:
                terms = ", ".join(reason.term for reason in suggestion.why)
                self.stdout.write(
                    f"{label}: {suggestion.ref} {suggestion.title} ({suggestion.confidence} match: {terms})"
                )
                if suggestion.what_fixed_it:
                    self.stdout.write(f"    what fixed it: {suggestion.what_fixed_it}")
        if found.abstained:
            self.stdout.write(f"Nothing similar among {found.total_candidates} documents.")


def _text(words: list[str], file: Path | None) -> str:
    try:
        if file:
            return file.read_text(encoding="utf-8", errors="replace")
        return " ".join(words) if words else sys.stdin.read()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error


def _service(name: str) -> str:
    service = Service.objects.named(name)
    if service is None:
        raise CommandError(f"There is no service {name!r}.")
    return service.slug
