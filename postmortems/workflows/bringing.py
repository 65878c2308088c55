"""An import in steps, on a page: the file is kept for who brought it, looked at as often as they like, then imported.

Between the steps it lies in the data folder: a folder for each person, in it one for each file, under a name that
nobody guesses, with the answers and the last report beside it. No table: nothing hangs on it, and what is lost with the
folder is chosen again. A day later it is gone, and of one person the last five are kept.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from kb.errors import DomainError
from kb.jobs.chores import NEXT_TIME
from kb.jobs.retrying import job
from postmortems import roles
from postmortems.importing.folders import Found, files_in
from postmortems.importing.formats import Wanted, table_in
from postmortems.importing.incident_table import Preview
from postmortems.models import Postmortem, User
from postmortems.workflows.importing import Options
from postmortems.workflows.uploading import FOLDER, NotTaken, import_written, write

KEPT_FOR = timedelta(days=1)
MOST = 5  # of one person: 250 MB


class NotKept(DomainError):
    """There is no such file of this person (any more)."""


class Busy(DomainError):
    """The same file is being read, by another request."""


@dataclass(frozen=True)
class Answers:
    """What was chosen for a file: as in `Options`, and `mapping` of a table's columns."""

    form: str = ""
    status: str = Postmortem.Status.PUBLISHED
    force: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)

    def options(self, *, at: datetime, dry_run: bool) -> Options:
        wanted = Wanted(self.form, self.mapping)
        return Options(at=at, status=self.status, force=self.force, dry_run=dry_run, wanted=wanted)

    def as_json(self) -> dict[str, Any]:
        return {"form": self.form, "status": self.status, "force": self.force, "mapping": dict(self.mapping)}


@dataclass(frozen=True)
class Kept:
    """A file that was brought. `report`: of the last look or of the import, as the API answers it; None before."""

    folder: Path
    name: str
    answers: Answers
    report: dict[str, Any] | None = None
    is_imported: bool = False

    @property
    def token(self) -> UUID:
        return UUID(self.folder.name)

    @property
    def path(self) -> Path:
        return self.folder / FOLDER / self.name

    def table(self) -> Preview | None:
        """Its columns, if it is read as a table of incidents."""
        found = next(files_in([self.path]), None)
        return table_in(found, Wanted(self.answers.form)) if isinstance(found, Found) and not found.member else None

    @property
    def is_busy(self) -> bool:
        """It is being read, in another request."""
        try:
            with _alone(self.folder):
                return False
        except Busy:
            return True


# --- the steps ---


def keep(name: str, content: Iterable[bytes], *, form: str = "", by: User, at: datetime) -> Kept:
    """Keep a file, and look at it. Raises `NotTaken`."""
    roles.require(by, "administer")
    folder = _folder_of(by) / str(uuid4())
    try:
        folder.mkdir(mode=0o700, parents=True)
        path = write(name, content, folder)
        if not path.stat().st_size:
            raise NotTaken("This file is empty. Choose another one.")
        _write_down(Kept(folder, path.name, Answers(form)), at=at)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise NotTaken(f"The file cannot be kept here: {error.strerror or error}. Nothing was imported.") from error
    except NotTaken:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for older in _oldest_first(_folder_of(by))[:-MOST]:
        shutil.rmtree(older, ignore_errors=True)
    return look(kept(UUID(folder.name), by=by), Answers(form), by=by, at=at)


def kept(token: UUID, *, by: User) -> Kept:
    """Raises `NotKept`, also if it is somebody else's."""
    roles.require(by, "administer")
    folder = _folder_of(by) / str(token)
    try:
        said = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise NotKept("This file is not kept any more. Choose it again.") from error
    return Kept(folder, said["name"], Answers(**said["answers"]), said["report"], said["is_imported"])


def look(known: Kept, answers: Answers, *, by: User, at: datetime) -> Kept:
    """What would be imported with these answers; writes no row. One that is imported stays as it is. Raises `Busy`."""
    return _read(known, answers, by=by, at=at, dry_run=True)


def bring(known: Kept, *, by: User, at: datetime) -> Kept:
    """Import it, once, with the answers that were last looked at; the file itself is kept no longer. Raises `Busy`."""
    return _read(known, None, by=by, at=at, dry_run=False)


def _read(known: Kept, answers: Answers | None, *, by: User, at: datetime, dry_run: bool) -> Kept:
    roles.require(by, "administer")
    with _alone(known.folder):
        current = kept(known.token, by=by)
        if current.is_imported:
            return current
        chosen = answers or current.answers
        report = import_written(current.path, by=by, options=chosen.options(at=at, dry_run=dry_run)).as_json()
        done = Kept(current.folder, current.name, chosen, report, is_imported=not dry_run)
        _write_down(done, at=at)
        if done.is_imported:
            done.path.unlink(missing_ok=True)
        return done


@job(retry=NEXT_TIME)
def forget_files() -> int:
    """Files that nobody has touched for a day; how many."""
    return forget(at=timezone.now())


def forget(*, at: datetime) -> int:
    old = [folder for folder in _everybodys() if _touched(folder) < at - KEPT_FOR]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)


# --- on the disk ---


def _folder_of(user: User) -> Path:
    return Path(settings.DATA_DIR) / "imports" / str(user.pk)


def _everybodys() -> Iterator[Path]:
    yield from (Path(settings.DATA_DIR) / "imports").glob("*/*")


def _oldest_first(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=_touched)


def _touched(folder: Path) -> datetime:
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except FileNotFoundError:  # by another worker, just now
        return datetime.max.replace(tzinfo=UTC)


def _write_down(made: Kept, *, at: datetime) -> None:
    """Whole or not at all."""
    said = {"name": made.name, "answers": made.answers.as_json(), "report": made.report}
    new = made.folder / f"{uuid4()}.new"
    new.write_text(json.dumps({**said, "is_imported": made.is_imported}))
    new.replace(made.folder / "state.json")
    os.utime(made.folder, (at.timestamp(), at.timestamp()))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Who clicks twice imports once. The kernel frees it if we are killed."""
    try:
        file = (folder / "lock").open("a")
    except FileNotFoundError as error:
        raise NotKept("This file is not kept any more. Choose it again.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy("This file is being read just now. Load the page again in a moment.") from error
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
