"""manage.py index rebuild | verify [--repair] | sync | stats: the search index, as the operator meets it."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postmortems.search import SearchError, upkeep


class Command(BaseCommand):
    help = (
        "Look after the search index. It is disposable: it can be deleted at any moment and is built from the database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        steps.add_parser("rebuild", help="build a new index beside the old one and switch to it")
        verify = steps.add_parser("verify", help="compare the index with the database; exit status 1 on differences")
        verify.add_argument("--repair", action="store_true", help="learn anew what differs, and only that")
        steps.add_parser("sync", help="learn what is pending; build an index if there is none")
        steps.add_parser("stats", help="documents, pending changes, size")
        for step in steps.choices.values():
            step.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['step']}")(options)
        except SearchError as error:
            raise CommandError(str(error)) from error

    def _rebuild(self, options: dict[str, Any]) -> None:
        count = upkeep.rebuild()
        self._say(options, {"documents": count}, f"{count} documents indexed.")

    def _sync(self, options: dict[str, Any]) -> None:
        count = upkeep.sync()
        self._say(options, {"changes": count}, f"{count} changes learned.")

    def _stats(self, options: dict[str, Any]) -> None:
        stats = dict(upkeep.stats())
        self._say(options, stats, "\n".join(f"{name:<14}{value}" for name, value in stats.items()))

    def _verify(self, options: dict[str, Any]) -> None:
        found = upkeep.verify(repair=options["repair"])
        counts = {
            "missing": sorted(found.missing),
            "stale": sorted(found.stale),
            "orphaned": sorted(found.orphaned),
        }
        lines = [f"{name}: {key}" for name, keys in counts.items() for key in keys]
        if not lines:
            self._say(options, counts, "No difference.")
        elif options["repair"]:
            self._say(options, counts, "\n".join([*lines, f"{len(lines)} differences repaired."]))
        else:
            self._say(options, counts, "\n".join(lines))
            raise CommandError(f"{len(lines)} differences. `index verify --repair` mends them.")

    def _say(self, options: dict[str, Any], content: dict[str, Any], words: str) -> None:
        self.stdout.write(json.dumps(content) if options["json"] else words)
