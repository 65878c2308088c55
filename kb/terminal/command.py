"""What was typed -> a question to the server or to this machine's database -> words or JSON, and how it ended."""

import importlib
import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol

from kb.terminal import printing
from kb.terminal.answers import BadRequest, Trouble
from kb.terminal.config import chosen
from kb.terminal.remote import Server

FOUND, NOTHING, USAGE, TROUBLE = 0, 1, 2, 3
MAX_TEXT = 100_000  # characters of a log; its end says most
MAX_TITLE = 300
EXPORTS = ("markdown", "jsonl", "csv")
SEVERITIES = ("sev1", "sev2", "sev3", "sev4")
EPILOG = """\
Which server: --server, else KB_SERVER, else `server` in ~/.config/kb/config.toml. None: the database of this machine.
The token: KB_TOKEN, else `token` in that file (made on your account page).

Ends with 0: found or done, 1: nothing similar or no results, 2: not understood or refused, 3: the server cannot be
reached or does not know you.

  kb suggest < error.log
  kb search connection pool timeout
  kb incident new --title "Checkout answers 503" --severity sev2 --service checkout
  kb export copy.zip
"""


class Unwritten(Exception):
    """There is an answer, and no way to give it."""


class Place(Protocol):
    """Where the knowledge base is. Each answers with the JSON of the API; raises `BadRequest` and `Trouble`."""

    def search(self, query: str, limit: int) -> dict[str, Any]: ...

    def suggest(self, report: Mapping[str, Any], limit: int) -> dict[str, Any]: ...

    def declare(self, report: Mapping[str, Any]) -> dict[str, Any]: ...

    def bring_in(self, paths: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]: ...

    def take_out(self, form: str) -> Iterator[bytes]: ...


def main() -> None:
    ended = run(sys.argv[1:])
    _let_go()
    sys.exit(ended)


def _let_go() -> None:
    """What could not be written Python would try again when it ends, with a complaint and an exit code of its own."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: Sequence[str]) -> int:
    """How it ended: one of the numbers above."""
    try:
        typed = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse says why by itself
        return int(end.code or 0)
    try:
        act: Callable[[Place, Namespace], int] = typed.act
        return act(_place(typed), typed)
    except BadRequest as refusal:
        return _complain(refusal, USAGE)
    except Trouble as trouble:
        return _complain(trouble, TROUBLE)
    except BrokenPipeError:  # `kb search x | head`
        return FOUND
    except Unwritten as trouble:
        return _complain(trouble, TROUBLE)
    except KeyboardInterrupt:
        return 130


def _complain(what: Exception, code: int) -> int:
    sys.stderr.write(f"kb: {printing.plain(str(what))}\n")
    return code


def _place(typed: Namespace) -> Place:
    found = chosen(typed.server, is_local=typed.local)
    for warning in found.warnings:
        sys.stderr.write(f"kb: {warning}\n")
    if found.server:
        return Server(found.server, found.token)
    # Only now: to ask a server, half a second of loading Django is not wanted.
    local: Place = importlib.import_module("kb.terminal.local").Database()
    return local


# --- what can be typed ---


def _parser() -> ArgumentParser:
    parser = ArgumentParser("kb", description="What fixed it last time.", epilog=EPILOG)
    parser.formatter_class = RawDescriptionHelpFormatter
    common = ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print the answer as JSON")
    common.add_argument("--server", metavar="URL", help="the knowledge base to ask: https://kb.example.org")
    common.add_argument("--local", action="store_true", help="the database of this machine, whatever is configured")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    search = commands.add_parser("search", parents=[common], help="find postmortems, incidents and fixes")
    search.add_argument("words", nargs="+", metavar="WORDS")
    search.add_argument("--limit", type=_count, default=10)
    search.set_defaults(act=_search)

    suggest = commands.add_parser("suggest", parents=[common], help="what fixed this before: kb suggest < error.log")
    suggest.add_argument("text", nargs="*", metavar="TEXT", help="what is seen; none: standard input")
    suggest.add_argument("-f", "--file", type=Path)
    suggest.add_argument("--title", default="")
    suggest.add_argument("--service", action="append", default=[], metavar="SLUG")
    suggest.add_argument("--limit", type=_count, default=3)
    suggest.set_defaults(act=_suggest)

    incident = commands.add_parser("incident", help="declare an incident: kb incident new --title ...")
    new = incident.add_subparsers(required=True, metavar="new").add_parser("new", parents=[common])
    new.add_argument("--title", required=True)
    new.add_argument("--severity", choices=SEVERITIES, default="sev3")
    new.add_argument("--service", action="append", default=[], metavar="SLUG")
    new.add_argument("--symptoms", default="", help="what is seen")
    new.add_argument("-f", "--file", type=Path, help="an error log; -: standard input")
    new.set_defaults(act=_declare)

    bring = commands.add_parser("import", parents=[common], help="files, folders and zips become postmortems")
    bring.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    bring.add_argument("--dry-run", action="store_true")
    bring.add_argument("--force", action="store_true", help="changed files win over edits that were made there")
    bring.add_argument("--format", default="", help="if it is not to be seen from the file")
    bring.add_argument("--map", default="", metavar="FIELD=COLUMN,...", help="columns of a table of incidents")
    bring.set_defaults(act=_import)

    take = commands.add_parser("export", parents=[common], help="everything you may see, as a file")
    take.add_argument("file", type=Path, metavar="FILE", help="a new file; -: standard output")
    take.add_argument("--format", choices=EXPORTS, default="markdown", help="markdown and csv are zips")
    take.add_argument("--replace", action="store_true", help="write over FILE if it is there")
    take.set_defaults(act=_export)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 20:
        raise ArgumentTypeError("a number from 1 to 20, please")
    return int(text)


# --- what is done ---


def _search(place: Place, typed: Namespace) -> int:
    answer = place.search(" ".join(typed.words), typed.limit)
    _tell(answer, typed, printing.results)
    return FOUND if answer["results"] else NOTHING


def _suggest(place: Place, typed: Namespace) -> int:
    report = {"title": typed.title[:MAX_TITLE], "symptoms": _text(typed), "services": typed.service}
    if not f"{report['title']}{report['symptoms']}".strip():
        raise BadRequest("there is nothing to look for: what came in is empty")
    answer = place.suggest(report, typed.limit)
    _tell(answer, typed, printing.suggestions)
    if answer.get("degraded"):
        raise Trouble(str(answer["degraded"]))
    return FOUND if answer["results"] or answer.get("happening_now") else NOTHING


def _declare(place: Place, typed: Namespace) -> int:
    log = _read(typed.file) if typed.file else ""
    report = {"title": typed.title, "severity": typed.severity, "symptoms": typed.symptoms, "services": typed.service}
    _tell(place.declare({**report, "error_excerpt": log}), typed, printing.incident)
    return FOUND


def _import(place: Place, typed: Namespace) -> int:
    if missing := [path for path in typed.paths if not path.exists()]:
        raise BadRequest(f"{missing[0]} does not exist. Nothing was imported.")
    options = {name: getattr(typed, name) for name in ("dry_run", "force", "format", "map")}
    answer = place.bring_in(typed.paths, options)
    _tell(answer, typed, printing.imported)
    return USAGE if answer["skipped"] else FOUND


def _export(place: Place, typed: Namespace) -> int:
    """To a file of one's own, which is there whole or not at all."""
    if str(typed.file) == "-":
        with _standard_output():
            for piece in place.take_out(typed.format):
                sys.stdout.buffer.write(piece)
        return FOUND
    if typed.file.exists() and not typed.replace:
        raise BadRequest(f"{typed.file} is there already. --replace writes over it.")
    try:
        # What is restricted is in it, too: nobody else on this machine is to read it.
        with NamedTemporaryFile(dir=typed.file.parent, prefix=".kb-export-", delete=False) as file:
            begun = Path(file.name)
    except OSError as error:
        raise BadRequest(f"{typed.file} cannot be written: {error.strerror}") from error
    try:
        with begun.open("wb") as out:
            size = sum(out.write(piece) for piece in place.take_out(typed.format))
        begun.replace(typed.file)
    except OSError as error:
        raise Unwritten(f"{typed.file} cannot be written: {error.strerror}") from error
    finally:
        begun.unlink(missing_ok=True)
    _tell({"file": str(typed.file), "format": typed.format, "bytes": size}, typed, printing.exported)
    return FOUND


def _tell(answer: Mapping[str, Any], typed: Namespace, in_words: Callable[[Mapping[str, Any]], str]) -> None:
    with _standard_output():
        sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n" if typed.json else in_words(answer))


@contextmanager
def _standard_output() -> Iterator[None]:
    if sys.stdout is None:
        raise Unwritten("There is nowhere to write the answer to: standard output is closed.")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritten(f"The answer cannot be written: {error.strerror}.") from error


def _text(typed: Namespace) -> str:
    if typed.file or not typed.text:
        return _read(typed.file or Path("-"))
    return " ".join(typed.text)[-MAX_TEXT:]


def _read(path: Path) -> str:
    """A file, or standard input; of a long one the end. NUL, which no text holds, is left out."""
    try:
        if str(path) == "-":
            if sys.stdin.isatty():
                raise BadRequest("what is seen? As words, with -f FILE, or from standard input: kb suggest < error.log")
            content = sys.stdin.buffer.read()
        else:
            content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path}: {error.strerror}") from error
    text = content.decode("utf-8", "replace").replace("\0", "")
    if len(text) > MAX_TEXT:
        sys.stderr.write(f"kb: only the last {MAX_TEXT} characters are looked at\n")
    return text[-MAX_TEXT:]
