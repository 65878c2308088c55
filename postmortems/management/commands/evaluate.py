"""manage.py evaluate DIR: how good the suggestions are on a set with known answers."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postmortems.search import evaluation


class Command(BaseCommand):
    help = (
        "Run the suggestion engine over DIR (corpus.jsonl[.gz], queries.SPLIT.jsonl[.gz], qrels.SPLIT.tsv) in a "
        "throw-away index and print recall, MRR, nDCG and latency."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--split", default="", help="for example dev; without it queries.jsonl and qrels.tsv")
        parser.add_argument("--run", type=Path, metavar="FILE", help="write query-id TAB corpus-id TAB score here")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scores, run = evaluation.evaluate(options["folder"], split=options["split"])
        except evaluation.Unreadable as error:
            raise CommandError(str(error)) from error
        if options["run"]:
            lines = [f"{query}\t{key}\t{score:.6f}\n" for query, ranking in run.items() for key, score in ranking]
            options["run"].write_text("".join(lines), encoding="utf-8")
        if options["json"]:
            self.stdout.write(json.dumps(scores.as_json()))
        else:
            self.stdout.write("\n".join(f"{name:<12}{value:g}" for name, value in scores.as_json().items()))
