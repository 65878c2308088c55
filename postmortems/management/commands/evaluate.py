"""manage.py evaluate DIR | --history: how good the suggestions are, on a set with known answers or on our own past."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postmortems import search
from postmortems.search import evaluation
from postmortems.search.evaluation import Ranking
from postmortems.suggestions import history

NO_ANSWERS = (
    "No question has a known answer, so the figures say nothing. Our own past has answers where people gave verdicts "
    "on suggestions, and where postmortems share a problem."
)


class Command(BaseCommand):
    help = (
        "Run the suggestion engine over DIR (corpus.jsonl[.gz], queries.SPLIT.jsonl[.gz], qrels.SPLIT.tsv) in a "
        "throw-away index and print recall, MRR, nDCG and latency. With --history instead of DIR: over our own past "
        "incidents as they were first reported, with earlier documents only, judged by verdicts and shared problems."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, nargs="?")
        parser.add_argument("--history", action="store_true", help="replay our own past incidents")
        parser.add_argument("--split", default="", help="for example dev; without it queries.jsonl and qrels.tsv")
        parser.add_argument("--run", type=Path, metavar="FILE", help="write query-id TAB corpus-id TAB score here")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["folder"]) == options["history"]:
            raise CommandError("Either DIR or --history is wanted.")
        measured, run = _replayed() if options["history"] else _evaluated(options["folder"], options["split"])
        if not measured["queries"]:
            self.stderr.write(NO_ANSWERS)
        if options["run"]:
            lines = [f"{query}\t{key}\t{score:.6f}\n" for query, ranking in run.items() for key, score in ranking]
            options["run"].write_text("".join(lines), encoding="utf-8")
        if options["json"]:
            self.stdout.write(json.dumps(measured))
        else:
            self.stdout.write("\n".join(f"{name:<12}{value:g}" for name, value in measured.items()))


Measured = tuple[Mapping[str, float], Mapping[str, Ranking]]


def _evaluated(folder: Path, split: str) -> Measured:
    try:
        scores, run = evaluation.evaluate(folder, split=split)
    except evaluation.Unreadable as error:
        raise CommandError(str(error)) from error
    return scores.as_json(), run


def _replayed() -> Measured:
    search.prepare_index()
    try:
        replayed = history.replay()
    except history.Degraded as error:
        raise CommandError(str(error)) from error
    return replayed.as_json(), replayed.run
