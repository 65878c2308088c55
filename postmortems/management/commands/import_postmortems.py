"""manage.py import_postmortems PATH...: files, folders and zips become postmortems. Safe to run twice."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems import search
from postmortems.importing.formats import NAMES, Wanted
from postmortems.importing.incident_table import mapping_of
from postmortems.models import User
from postmortems.workflows.importing import CONFLICT, IGNORED, SKIPPED, Options, Outcome, Report, import_files


class Command(BaseCommand):
    help = (
        "Import postmortems: Markdown with front matter or without, our own exports, pages of Confluence, issues of "
        "GitHub, GitLab and Jira, tables of incidents. What has not changed is left alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="a file, a folder or a zip")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--force", action="store_true", help="changed files win over edits that were made here")
        parser.add_argument(
            "--status", choices=["published", "draft"], default="published", help="of documents that do not say"
        )
        parser.add_argument("--owner", metavar="USERNAME", help="the owner of new postmortems")
        parser.add_argument("--format", choices=NAMES, default="", help="if it is not to be seen from the file")
        parser.add_argument(
            "--map",
            default="",
            metavar='FIELD=COLUMN,FIELD="COLUMN"',
            help='which column of a table of incidents is what: title=Summary,started_at="Start time"',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for path in options["paths"]:
            if not path.exists():
                raise CommandError(f"{path} does not exist. Nothing was imported.")
        chosen = Options(
            at=timezone.now(),
            owner=_owner(options["owner"]),
            status=options["status"],
            force=options["force"],
            dry_run=options["dry_run"],
            wanted=Wanted(options["format"], _mapping(options["map"])),
        )
        if not chosen.dry_run:
            self._prepare_index()
        report = import_files(options["paths"], chosen, self._progress)
        self._end_progress()
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            self._print(report, dry_run=options["dry_run"])
        if not report.is_clean:
            left = report.count(SKIPPED, CONFLICT)
            raise CommandError(f"{left} of {len(report.outcomes)} files were not imported: see the reasons above.")

    def _prepare_index(self) -> None:
        """What is imported shall be found at once; but an index that is unwell now learns it later."""
        try:
            search.prepare_index()
        except search.SearchError as error:
            self.stderr.write(f"The index is not ready, it will learn what is imported later: {error}")

    def _progress(self, done: int, total: int, outcome: Outcome) -> None:
        """One line that counts, on a terminal only."""
        if self.stderr.isatty():
            self.stderr.write(f"\r{done}/{total} {_printable(outcome.file)[-60:]:<60}", ending="")

    def _end_progress(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r" + " " * 79 + "\r", ending="")

    def _print(self, report: Report, *, dry_run: bool) -> None:
        for outcome in report.outcomes:
            if outcome.state in (SKIPPED, CONFLICT, IGNORED):
                place = f"{outcome.file}:{outcome.line}" if outcome.line else outcome.file
                self.stdout.write(_printable(f"{outcome.state:<9} {place}: {outcome.reason}"))
            elif outcome.state != "unchanged":
                self.stdout.write(_printable(f"{outcome.state:<9} {outcome.ref:<7} {outcome.title}"))
            if outcome.note and outcome.state != "unchanged":
                self.stdout.write(_printable(f"{'':<9} {outcome.file}: {outcome.note}"))
        counts = ", ".join(f"{report.count(state)} {state}" for state in ("created", "updated", "unchanged"))
        skipped = f"{report.count(SKIPPED, CONFLICT)} skipped ({report.count(CONFLICT)} of them conflicts)"
        ignored = f"{report.count(IGNORED)} ignored"
        self.stdout.write(f"{'Would be: ' if dry_run else ''}{counts}, {skipped}, {ignored}")


def _printable(text: str) -> str:
    """Names of files and titles may hold anything, also what a terminal obeys."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _mapping(text: str) -> dict[str, str]:
    try:
        return mapping_of(text)
    except ValueError as error:
        raise CommandError(f"--map: {error}") from error


def _owner(name: str | None) -> User | None:
    if name is None:
        return None
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist as error:
        raise CommandError(f"There is no account {name!r}.") from error
