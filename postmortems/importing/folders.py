"""Which files of a folder or zip are postmortems to be read, by their names; and why the others are left out."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from kb.archives import Archive, UnsafeArchive

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd", ".mdwn")
_NEVER = re.compile(
    r"(?:licen[cs]e|copying|readme|contributing|changelog)(?:[._-]\w{2,6})?|copyright|notice|contributors|changes|history|"
    r"news|authors|codeowners|code[_-]of[_-]conduct|security|maintainers|(?:pull_request|issue)_template|_sidebar",
    re.IGNORECASE,
)
# Of other tools, and of our own export: see formats.py.
COLLECTIONS = (".json", ".jsonl", ".ndjson", ".csv", ".html", ".htm")
_ATTACHED = re.compile(r"(?:\A|/)files/[0-9a-f]{8}-[0-9a-f-]{27}/")  # as our own export lays them out
_TEMPLATE = re.compile(r"(?:\A|[\W_])templates?(?:[\W_]*v?\d*)\Z|\A_*templates?(?:[\W_]|\Z)", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A file to be read. `label` is its path from the folder that was named, that folder's name first.

    So a folder can be moved as a whole, and is known again. `is_sure`: it was named itself, or ends in `.md`;
    others have to look like a postmortem.
    """

    path: Path
    label: str
    is_named: bool = False
    is_sure: bool = True
    is_template: bool = False  # by its name: read only if it turns out to be filled in
    archive: Archive | None = None  # that `member` is in; `path` is then the archive's
    member: str = ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def ending(self) -> str:
        return stem_and_ending(self.name)[1]

    def beside(self, name: str) -> bytes:
        """A file that it names, in its own folder or below. `KeyError`, `OSError`: there is none."""
        if self.archive:
            return self.archive.read((PurePosixPath(self.member).parent / name).as_posix())
        folder = self.path.parent.resolve()
        path = (folder / name).resolve()
        if folder not in path.parents:
            raise KeyError(name)
        return path.read_bytes()


@dataclass(frozen=True)
class LeftOut:
    label: str
    reason: str
    is_fault: bool = False  # something is wrong, not merely no postmortem
    line: int | None = None


def files_in(paths: Sequence[Path]) -> Iterator[Found | LeftOut]:
    """Files and folders in the order they are named, folders in the order of their names; no file twice."""
    seen: set[tuple[int, int]] = set()
    for path in paths:
        root = path.resolve()
        if root.is_dir():
            yield from _folder(root, root, seen)
        else:
            yield from _file(root, _label(root, root.parent), seen, is_named=True)


def _folder(folder: Path, root: Path, seen: set[tuple[int, int]]) -> Iterator[Found | LeftOut]:
    label = _label(folder, root)
    try:
        if not _is_new(folder, seen):
            yield LeftOut(label, "a link to a folder that was read already")
            return
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        yield LeftOut(label, f"cannot be read: {error.strerror or error}", is_fault=True)
        return
    for entry in entries:
        if entry.name.startswith("."):
            yield LeftOut(_label(entry, root), "hidden")
        elif entry.is_dir():
            yield from _folder(entry, root, seen)
        else:
            yield from _file(entry, _label(entry, root), seen)


def _file(path: Path, label: str, seen: set[tuple[int, int]], is_named: bool = False) -> Iterator[Found | LeftOut]:
    try:
        if not path.is_file():
            yield LeftOut(label, "a broken link" if path.is_symlink() else "not a regular file", is_fault=is_named)
        elif not _is_new(path, seen):
            yield LeftOut(label, "the same file was read already")
        elif is_named and path.suffix.lower() == ".zip":
            yield from _members(path, label)
        elif is_named:
            yield Found(path, label, is_named=True)
        else:
            yield _by_name(path, label)
    except OSError as error:
        yield LeftOut(label, f"cannot be read: {error.strerror or error}", is_fault=True)


def _members(path: Path, label: str) -> Iterator[Found | LeftOut]:
    """As if it had been unpacked into a folder of its name."""
    try:
        archive = Archive(path)
    except UnsafeArchive as error:
        yield LeftOut(label, str(error), is_fault=True)
        return
    if not archive.names:
        yield LeftOut(label, "an empty archive", is_fault=True)
    folder = label[: -len(".zip")]
    for member in archive.names:
        if any(part.startswith(".") or part == "__MACOSX" for part in member.split("/")):
            yield LeftOut(f"{folder}/{member}", "hidden")
            continue
        entry = _by_name(Path(PurePosixPath(member).name), f"{folder}/{member}")
        if isinstance(entry, Found):
            entry = replace(entry, path=path, archive=archive, member=member)
        yield entry


def _by_name(path: Path, label: str) -> Found | LeftOut:
    stem, ending = stem_and_ending(path.name)
    if _ATTACHED.search(label):
        return LeftOut(label, "an attachment")
    if _NEVER.fullmatch(stem):
        return LeftOut(label, "no postmortem, by its name")
    if ending == ".zip":
        return LeftOut(label, "an archive inside: name it itself")
    if ending in COLLECTIONS:
        return Found(path, label, is_sure=False)
    if ending not in (*MARKDOWN, ".txt", ""):
        return LeftOut(label, f"not a Markdown file ({ending})")
    in_templates = any(_TEMPLATE.search(part) for part in label.split("/")[1:-1])
    is_sure = ending in MARKDOWN and stem.lower() not in ("index", "_index")  # of a site, or of one postmortem's folder
    return Found(path, label, is_sure=is_sure, is_template=in_templates or bool(_TEMPLATE.search(stem)))


def stem_and_ending(name: str) -> tuple[str, str]:
    """`PM-9 v1.2 - Bad image` has no ending: what follows its last point has a space or digits only."""
    stem, point, ending = name.rpartition(".")
    if not point or not stem or " " in ending or ending.isdigit() or len(ending) > 12:
        return name, ""
    return stem, f".{ending.lower()}"


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    """By device and inode: links may lead to the same place, or round in a circle."""
    status = path.stat()
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def _label(path: Path, root: Path) -> str:
    relative = path.relative_to(root)
    label = (Path(root.name) / relative).as_posix() if relative.parts else root.name or "/"
    return os.fsencode(label).decode("utf-8", "replace")
