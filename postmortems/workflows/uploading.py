"""An import that comes over the wire: one file or zip, written down who brought it."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import User
from postmortems.workflows import auditing
from postmortems.workflows.importing import CREATED, UPDATED, Options, Report, import_files

MAX_BYTES = 50_000_000
NAME_LENGTH = 100
NAME_BYTES = 200  # a file system takes 255, also of a name in Chinese
# Part of what files are known again by: it must not change from one upload to the next.
FOLDER = "upload"


class NotTaken(DomainError):
    """Nothing of the upload was imported; the message says why."""


def import_upload(name: str, content: Iterable[bytes], *, by: User, options: Options) -> Report:
    """Import a file or zip of at most 50 MB, as `import_postmortems` would: it may make and change any postmortem."""
    roles.require(by, "administer")
    with TemporaryDirectory(prefix="kb-import-") as folder:
        return import_written(write(name, content, Path(folder)), by=by, options=options)


def write(name: str, content: Iterable[bytes], folder: Path) -> Path:
    """Where the file stands then, at most 50 MB of it. Raises `NotTaken`."""
    path = folder / FOLDER / _tidied(name)
    path.parent.mkdir()
    size = 0
    with path.open("wb") as file:
        for piece in content:
            if (size := size + len(piece)) > MAX_BYTES:
                raise NotTaken(f"At most {MAX_BYTES // 1_000_000} MB at a time: import it with the command instead.")
            file.write(piece)
    return path


def import_written(path: Path, *, by: User, options: Options) -> Report:
    """What `write` left there."""
    roles.require(by, "administer")
    report = import_files([path], options)
    if not options.dry_run:
        counts = f"{report.count(CREATED)} created, {report.count(UPDATED)} updated"
        auditing.record("import.upload", on=by, by=by, at=options.at, changes={path.name: ("", counts)})
    return report


def _tidied(name: str) -> str:
    """Its last part; nothing of it can lead elsewhere."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(letter if letter.isprintable() else "_" for letter in last).lstrip(".")
    stem, dot, ending = clean.rpartition(".")
    return f"{_short(stem)}.{ending[:10]}" if dot and stem else _short(clean) or "file"


def _short(text: str) -> str:
    return text[:NAME_LENGTH].encode()[:NAME_BYTES].decode(errors="ignore")
