"""manage.py evaluate_blameless [FILE]: precision and recall of the blameless hints on labelled sentences."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postmortems.blameless import measuring


class Command(BaseCommand):
    help = (
        "Mark the labelled sentences of FILE (without it, our own) and print precision, recall and counts for each "
        "half and for all. With -v 2 also what was missed and what was marked wrongly. "
        "FILE: a line each, dev|heldout TAB blames|innocent TAB sentence; lines that begin with # are comments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, nargs="?", default=measuring.LABELLED)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sentences = measuring.read(options["file"])
        except measuring.Unreadable as error:
            raise CommandError(str(error)) from error
        halves = {split: [one for one in sentences if one.split == split] for split in measuring.SPLITS}
        parts = {name: measuring.measure(part) for name, part in {**halves, "all": sentences}.items() if part}
        if options["json"]:
            self.stdout.write(json.dumps({name: measured.as_json() for name, measured in parts.items()}))
            return
        for name, measured in parts.items():
            figures = "  ".join(f"{key} {value:g}" for key, value in measured.as_json().items())
            self.stdout.write(f"{name:<8} {figures}")
        if options["verbosity"] > 1:
            for name in halves.keys() & parts.keys():
                self._list(name, parts[name])

    def _list(self, name: str, measured: measuring.Measured) -> None:
        for title, wrong in (("missed", measured.misses), ("false alarms", measured.false_alarms)):
            self.stdout.write(f"\n{name}, {title}:")
            self.stdout.write("\n".join(f"  {sentence}" for sentence in wrong) or "  none")
