"""Files become postmortems: created once, brought up to date, and never over an edit that was made here.

A file is the same again by the uuid in its front matter, else by its path from the folder that was named, else by its
bytes. What the import leaves behind has a fingerprint: if it differs later, someone has edited the postmortem here.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction

from kb.errors import DomainError
from postmortems import search
from postmortems.importing import record_file
from postmortems.importing.base import FoundRecord, Unreadable
from postmortems.importing.folders import Found, LeftOut, files_in
from postmortems.importing.formats import Wanted, is_collection, items_of
from postmortems.importing.loading import Loaded, parse_found, read_found
from postmortems.importing.reading import Source
from postmortems.models import ImportedFile, Postmortem
from postmortems.workflows import restoring
from postmortems.workflows.import_rows import Prepared, RowWriter, fingerprint_of, identity_of
from postmortems.workflows.restore_records import Restorable, check
from postmortems.workflows.restore_values import NotRestored
from postmortems.workflows.restoring import Restorer

# Written in one transaction, each file in a savepoint of its own: the index learns them together, which takes it
# little longer than one, and other writers wait for two seconds at most.
BATCH = 50

CREATED = "created"
UPDATED = "updated"
UNCHANGED = "unchanged"
CONFLICT = "conflict"  # changed here and in the file
SKIPPED = "skipped"  # something is wrong with it
IGNORED = "ignored"  # no postmortem

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `reason` and `line` say why nothing did; `note` what to know about it all the same."""

    file: str
    state: str
    ref: str = ""
    title: str = ""
    reason: str = ""
    line: int | None = None
    note: str = ""


@dataclass
class Report:
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, *states: str) -> int:
        return sum(outcome.state in states for outcome in self.outcomes)

    def of(self, *states: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state in states]

    @property
    def is_clean(self) -> bool:
        return not self.count(SKIPPED, CONFLICT)

    def as_json(self) -> dict[str, Any]:
        def chosen(outcome: Outcome, *names: str) -> dict[str, Any]:
            return {name: value for name, value in asdict(outcome).items() if name in names}

        skipped = [chosen(outcome, "file", "line", "reason", "ref") for outcome in self.of(SKIPPED, CONFLICT)]
        done = self.of(CREATED, UPDATED, UNCHANGED)
        return {
            **{state: self.count(state) for state in (CREATED, UPDATED, UNCHANGED)},
            "conflicts": self.count(CONFLICT),
            "skipped": skipped,
            "ignored": [chosen(outcome, "file", "reason") for outcome in self.of(IGNORED)],
            "postmortems": [chosen(outcome, "file", "ref", "title", "state", "note") for outcome in done],
        }


@dataclass(frozen=True)
class Options:
    """`status`: of documents that do not say: published or draft. `force`: the file wins over edits made here.
    `wanted`: the format, if it is not to be seen from the file, and which column of a table is what."""

    at: datetime
    owner: Any = None
    status: str = Postmortem.Status.PUBLISHED
    force: bool = False
    dry_run: bool = False
    wanted: Wanted = field(default_factory=Wanted)


def import_files(
    paths: Sequence[Path], options: Options, on_progress: Callable[[int, int, Outcome], None] = lambda *_: None
) -> Report:
    """Import these files and folders. A file that cannot be read is reported and skipped; the others go on."""
    entries = list(files_in(paths))
    run = _Run(options, frozenset(entry.label for entry in entries))
    report = Report()
    items = run.load(entries)
    while batch := list(islice(items, BATCH)):
        for outcome in run.batch(batch):
            report.outcomes.append(outcome)
            on_progress(len(report.outcomes), max(len(entries), len(report.outcomes)), outcome)
    for path in paths:
        if path.is_dir() and not any(_is_below(entry, path) for entry in entries if isinstance(entry, Found)):
            report.outcomes.append(Outcome(str(path), SKIPPED, reason="no file in this folder can be imported"))
    return report


def _is_below(entry: Found, folder: Path) -> bool:
    return folder.resolve() in entry.path.parents


Item = Prepared | Restorable | Outcome


@dataclass(frozen=True)
class _Taken:
    label: str
    content_hash: str


class _Run:
    def __init__(self, options: Options, labels: frozenset[str]) -> None:
        self.options = options
        self.labels = labels
        self.writer = RowWriter(options.at, options.owner, options.status)
        self.restorer = Restorer(at=options.at, force=options.force)
        self.restored: list[Any] = []
        self.taken: dict[str, _Taken] = {}
        # Where the bytes of earlier imports are from: asked for every file, and no column of an index.
        self.places: dict[str, dict[str, int]] = defaultdict(dict)
        self.identities: set[str] = set()
        files = ImportedFile.objects.order_by().values_list("pk", "path", "content_hash", "identity")
        for pk, path, content_hash, identity in files:
            self.places[content_hash][path] = pk
            self.identities.add(identity)

    def batch(self, items: Sequence[Item]) -> list[Outcome]:
        with transaction.atomic():
            done = [self._store(item) for item in items]
            if touched := [*self.writer.take_touched(), *self.take_restored()]:
                search.changed(*touched)
            search.gone(*self.writer.take_gone())
        return done

    def take_restored(self) -> list[Any]:
        restored, self.restored = self.restored, []
        if restored:
            restoring.count_on()
        return [row for row in restored if isinstance(row, search.CAUSES)]

    # --- read and rendered before the transaction begins: nobody waits for that ---

    def load(self, entries: Iterable[Found | LeftOut]) -> Iterator[Item]:
        for entry in entries:
            if isinstance(entry, LeftOut):
                yield _left_out(entry)
                continue
            try:
                yield from self._read(entry)
            except Unreadable as error:
                yield Outcome(entry.label, SKIPPED, reason=error.reason, line=error.line)
            except Exception as error:
                logger.exception("Reading %s for the import", entry.label)
                yield Outcome(entry.label, SKIPPED, reason=f"a defect of the import: {error!r}")

    def _read(self, found: Found) -> Iterator[Item]:
        if is_collection(found, self.options.wanted):
            for item in items_of(found, self.options.wanted):
                yield self._prepared(found, item)
            return
        source = read_found(found)
        if isinstance(source, LeftOut):
            yield Outcome(source.label, IGNORED, reason=source.reason)
        elif record_file.is_record(source.text):
            yield self._record(found, record_file.read(source.text))
        elif known := self._as_it_was(found, source):
            ref, title = known.postmortem.ref, known.postmortem.title
            yield Outcome(found.label, UNCHANGED, ref=ref, title=title, note=source.note)
        else:
            yield self._prepared(found, parse_found(found, source))

    def _prepared(self, found: Found, item: Loaded | LeftOut | FoundRecord) -> Item:
        if isinstance(item, LeftOut):
            return _left_out(item)
        if isinstance(item, FoundRecord):
            return self._record(found, item)
        return Prepared(item, {}, ()) if self.options.dry_run else Prepared.of(item)

    def _record(self, found: Found, read: FoundRecord) -> Item:
        given = Restorable(read.kind, read.record, found.label, read.line, found.beside, read.lines)
        try:
            check(given.kind, given.record)
            seen = self.restorer.look(given)
            if self.options.dry_run:
                return _of_record(given, seen)
            # Looked at again when those before it are written.
            return given.rendered() if seen.state in (CREATED, UPDATED) else given
        except NotRestored as refusal:
            return _not_restored(given, refusal)

    def _as_it_was(self, found: Found, source: Source) -> ImportedFile | None:
        """The same bytes in the same place need not be parsed again."""
        pk = self.places[source.content_hash].get(found.label)
        known = ImportedFile.objects.select_related("postmortem").defer("text").filter(pk=pk).first() if pk else None
        taken = _Taken(found.label, source.content_hash)
        for name in (known.identity, f"bytes:{source.content_hash}") if known else ():
            if self.taken.setdefault(name, taken) is not taken:
                return None
        return known

    def _store(self, item: Item) -> Outcome:
        if isinstance(item, Outcome):
            return item
        return self._restore(item) if isinstance(item, Restorable) else self._write(item)

    def _restore(self, given: Restorable) -> Outcome:
        try:
            with transaction.atomic():
                done = self.restorer.restore(given)
        except NotRestored as refusal:
            return _not_restored(given, refusal)
        except (DomainError, DatabaseError, ValueError) as error:
            logger.exception("Restoring %s", given.label)
            return _not_restored(given, error)
        self.restored.append(done.row)
        self.writer.forget()
        return _of_record(given, done)

    def _write(self, prepared: Prepared) -> Outcome:
        label = prepared.loaded.found.label
        try:
            with transaction.atomic():
                return self._decide(prepared)
        except (DomainError, DatabaseError, ValueError) as error:
            logger.exception("Storing %s", label)
            self.writer.forget()
            return Outcome(label, SKIPPED, title=prepared.loaded.parsed.title, reason=f"cannot be stored: {error}")

    def _decide(self, prepared: Prepared) -> Outcome:
        loaded = prepared.loaded
        known = self._known(loaded)
        if twin := self._twin(loaded, known):
            is_same = twin.content_hash == loaded.source.content_hash
            reason = f"the same postmortem as {twin.label}" + ("" if is_same else ", but with another text")
            return self._outcome(loaded, IGNORED if is_same else SKIPPED, reason=reason)
        if known is None:
            return self._create(prepared)
        if known.content_hash == loaded.source.content_hash:
            self.writer.remember_place(known, loaded, dry_run=self.options.dry_run)
            return self._outcome(loaded, UNCHANGED, known.postmortem)
        return self._update(prepared, known)

    def _twin(self, loaded: Loaded, known: ImportedFile | None) -> _Taken | None:
        """A file of this run that is the same postmortem already. From now on this one is."""
        names = [identity_of(loaded), f"bytes:{loaded.source.content_hash}"]
        names += [known.identity] if known else []
        twin = next((self.taken[name] for name in names if name in self.taken), None)
        for name in names:
            self.taken.setdefault(name, _Taken(loaded.found.label, loaded.source.content_hash))
        return twin

    def _create(self, prepared: Prepared) -> Outcome:
        if self.options.dry_run:
            return self._outcome(prepared.loaded, CREATED)
        return self._outcome(prepared.loaded, CREATED, self.writer.create(prepared))

    def _update(self, prepared: Prepared, known: ImportedFile) -> Outcome:
        postmortem = known.postmortem
        if not known.identity.startswith("uuid:") and _is_another(known, prepared.loaded):
            reason = f"another document than {postmortem.ref}, which came from a file of this name: rename one of them"
            return self._outcome(prepared.loaded, CONFLICT, postmortem, reason=reason)
        is_edited = fingerprint_of(postmortem) != known.fingerprint
        if is_edited and not self.options.force:
            reason = f"{postmortem.ref} was edited here since the last import, and the file has changed too (--force)"
            return self._outcome(prepared.loaded, CONFLICT, postmortem, reason=reason)
        if not self.options.dry_run:
            self.writer.update(known, prepared, keep_other_fixes=is_edited)
        return self._outcome(prepared.loaded, UPDATED, postmortem)

    def _known(self, loaded: Loaded) -> ImportedFile | None:
        files = ImportedFile.objects.select_related("postmortem")
        identity = identity_of(loaded)
        if identity in self.identities and (found := files.filter(identity=identity).first()):
            return found
        if loaded.parsed.uuid:
            return None
        # Moved or renamed, and otherwise as it was.
        places = self.places[loaded.source.content_hash]
        return files.filter(pk__in=[pk for path, pk in places.items() if path not in self.labels]).first()

    def _outcome(
        self, loaded: Loaded, state: str, postmortem: Postmortem | None = None, *, reason: str = ""
    ) -> Outcome:
        return Outcome(
            loaded.found.label,
            state,
            ref=postmortem.ref if postmortem else "",
            title=loaded.parsed.title,
            reason=reason,
            note=loaded.source.note,
        )


def _left_out(entry: LeftOut) -> Outcome:
    return Outcome(entry.label, SKIPPED if entry.is_fault else IGNORED, reason=entry.reason, line=entry.line)


def _of_record(given: Restorable, done: restoring.Restored) -> Outcome:
    line = given.line if done.reason else None
    return Outcome(given.label, done.state, given.ref, given.title, done.reason, line, done.note)


def _not_restored(given: Restorable, refusal: Exception) -> Outcome:
    reason = str(refusal) if isinstance(refusal, NotRestored) else f"cannot be stored: {refusal}"
    return Outcome(given.label, SKIPPED, given.ref, given.title, reason, given.line_of(refusal))


def _is_another(known: ImportedFile, loaded: Loaded) -> bool:
    """A file of the same name with another title and hardly a word in common: from a folder that is called the same.

    Of 30,000 pairs of different postmortems three have more than 0.3 of their words in common; an edited one has most.
    """
    if known.postmortem.title == loaded.parsed.title:
        return False
    ours, theirs = (set(re.findall(r"\w{4,}", text.lower())) for text in (known.text, loaded.source.text))
    return len(ours & theirs) < 0.2 * len(ours | theirs)
