"""manage.py search QUERY: the search of the page, on the terminal. Sees everything, as the machine's owner does."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from postmortems import search


class Command(BaseCommand):
    help = "Search postmortems, incidents and fixes, as the search page does, without limits of access."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("query", nargs="+", metavar="QUERY")
        parser.add_argument("--limit", type=int, default=10)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        search.prepare_index()
        found = search.find(" ".join(options["query"]), user=search.THE_MACHINE, per_page=max(1, options["limit"]))
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json()))
            return
        for note in (found.degraded, *found.notes):
            if note:
                self.stdout.write(self.style.WARNING(note))
        for result in found.results:
            self.stdout.write(f"{result.ref:<8} {result.occurred_on or '':<10}  {result.title}")
            if result.what_fixed_it:
                self.stdout.write(f"{'':20}{result.what_fixed_it}")
        self.stdout.write(f"{found.total} found")
        if found.did_you_mean:
            self.stdout.write(f"Did you mean: {found.did_you_mean}")
