"""manage.py benchmark: the search engine beside others, on the same documents; with --pages, pages of many rows."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from postmortems.management import pages
from postmortems.search import measuring


class Command(BaseCommand):
    help = (
        "Measure our search engine beside Whoosh as it comes, SQLite FTS5, PostgreSQL, bm25s and tantivy, each in a "
        "process of its own, over documents recombined from the sentences of the sample data. PostgreSQL: a server "
        f"of its own, or the one whose URL {measuring.POSTGRES} names. Takes minutes; nothing else should run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        known = ",".join(measuring.ENGINES)
        parser.add_argument("--sizes", type=_numbers, default=[1000, 10_000], metavar="N,N", help="1000,10000")
        parser.add_argument("--engines", type=_engines, default=measuring.ENGINES, metavar="A,B", help=known)
        parser.add_argument("--queries", type=_positive, default=100, metavar="N", help="of each kind: 100")
        parser.add_argument("--budget", type=float, default=10.0, metavar="SECONDS", help="for each kind: 10")
        parser.add_argument("--seed", type=int, default=1, help="other documents and questions: 1")
        parser.add_argument("--json", action="store_true", help="all figures instead of the table")
        parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here as well")
        parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture of growth here")

        parser.add_argument("--pages", action="store_true", help="the board and list of action items, instead")
        parser.add_argument("--items", type=_positive, default=10_000, metavar="N", help="with --pages: 10000")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pages"]:
            return self.measure_pages(options)
        chosen = {name: options[name] for name in ("sizes", "engines", "queries", "budget", "seed")}
        measured = measuring.measure(**chosen, say=lambda words: self.stderr.write(words, ending="\n"))
        if options["markdown"]:
            options["markdown"].write_text(measured.markdown, encoding="utf-8")
        if options["svg"] and measured.growth:
            options["svg"].write_text(measured.growth, encoding="utf-8")
        self.stdout.write(json.dumps(measured.json) if options["json"] else measured.markdown)

    def measure_pages(self, options: dict[str, Any]) -> None:
        measured = pages.measure(items=options["items"], requests=options["queries"], seed=options["seed"])
        text = pages.as_markdown(measured, items=options["items"])
        if options["markdown"]:
            options["markdown"].write_text(text, encoding="utf-8")
        self.stdout.write(json.dumps(pages.as_json(measured)) if options["json"] else text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _numbers(text: str) -> list[int]:
    return sorted({_positive(part) for part in text.split(",")})


def _engines(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in measuring.ENGINES]:
        raise ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(measuring.ENGINES)}")
    return chosen
