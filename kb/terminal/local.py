"""The knowledge base of this machine, asked in this process. Sees everything, as the machine's owner does."""

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from kb.archives import CHUNK
from kb.terminal.answers import BadRequest, Trouble

# A question on a terminal is no place for the log.
QUIET = {"KB_LOG_LEVEL": "ERROR", "DJANGO_SETTINGS_MODULE": "kb.settings"}


class Database:
    def __init__(self) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        try:
            django.setup()
        except ImproperlyConfigured as error:
            raise Trouble(str(error)) from error

    def search(self, query: str, limit: int) -> dict[str, Any]:
        return self._call("search", "--limit", str(limit), "--", query)

    def suggest(self, report: Mapping[str, Any], limit: int) -> dict[str, Any]:
        more = [f"--service={slug}" for slug in report["services"]]
        return self._call(
            "suggest", f"--title={report['title']}", *more, "--limit", str(limit), "--", str(report["symptoms"])
        )

    def declare(self, report: Mapping[str, Any]) -> dict[str, Any]:
        more = [f"--service={slug}" for slug in report["services"]]
        texts = [f"--{name.replace('_', '-')}={report[name]}" for name in ("symptoms", "error_excerpt", "severity")]
        return self._call("declare", *texts, *more, "--", str(report["title"]))

    def bring_in(self, paths: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]:
        flags = [f"--{name.replace('_', '-')}" for name in ("dry_run", "force") if options[name]]
        named = [f"--{name}={options[name]}" for name in ("format", "map") if options[name]]
        return self._call("import_postmortems", *flags, *named, "--", *map(str, paths))

    def take_out(self, form: str) -> Iterator[bytes]:
        """By way of a file: what a command writes to standard output goes there, and nowhere else."""
        with TemporaryDirectory(prefix="kb-export-") as folder:
            path = Path(folder) / "export"
            self._run("export", f"--format={form}", "--", str(path), stdout=io.StringIO())
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece

    def _call(self, command: str, *arguments: str) -> dict[str, Any]:
        out = io.StringIO()
        self._run(command, "--json", *arguments, stdout=out)
        answer: dict[str, Any] = json.loads(out.getvalue())
        return answer

    def _run(self, command: str, *arguments: str, stdout: io.StringIO) -> None:
        try:
            call_command(command, *arguments, stdout=stdout, stderr=io.StringIO())
        except CommandError as error:
            if not stdout.getvalue():
                raise BadRequest(str(error)) from error
        except DatabaseError as error:
            where = "KB_SERVER names a server, KB_DATA_DIR the folder of a knowledge base on this machine"
            raise Trouble(f"There is no knowledge base here ({error}). {where}.") from error
