"""Which files of a folder are postmortems."""

import os
from pathlib import Path

import pytest

from postmortems.importing.base import Unreadable
from postmortems.importing.folders import Found, LeftOut, files_in
from postmortems.importing.loading import Loaded, parse_found, read_found

GOOD = "# Disk full\n\n## Summary\n\nThe disk was full.\n\n## Impact\n\nNobody could write.\n"


def put(folder: Path, *names: str, text: str = GOOD) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def load(found: Found) -> Loaded | LeftOut:
    source = read_found(found)
    return source if isinstance(source, LeftOut) else parse_found(found, source)


def loaded(*paths: Path) -> list[str]:
    found = [entry for entry in files_in(paths) if isinstance(entry, Found)]
    return [entry.label for entry in found if isinstance(load(entry), Loaded)]


def reasons(*paths: Path) -> dict[str, str]:
    results = [load(entry) if isinstance(entry, Found) else entry for entry in files_in(paths)]
    return {result.label: result.reason for result in results if isinstance(result, LeftOut)}


def test_markdown_is_read_by_its_ending_and_other_text_by_its_looks(tmp_path: Path) -> None:
    put(tmp_path / "pm", "a.md", "b.MARKDOWN", "deep/er/c.md", "PM-9 - Bad image v1.2", "d.txt", "index.md")
    put(tmp_path / "pm", "Makefile", "notes.txt", text="all: run\n")

    assert loaded(tmp_path / "pm") == [
        "pm/PM-9 - Bad image v1.2",
        "pm/a.md",
        "pm/b.MARKDOWN",
        "pm/d.txt",
        "pm/deep/er/c.md",
        "pm/index.md",
    ]
    assert reasons(tmp_path / "pm") == dict.fromkeys(["pm/Makefile", "pm/notes.txt"], "does not look like a postmortem")


def test_what_lies_beside_postmortems_is_left_out_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "pm"
    put(folder, "README.md", "readme.de.md", "LICENSE", "LICENSE-MIT", "CONTRIBUTING.md", "CHANGELOG.md", "graph.png")
    put(folder, ".git/config", ".hidden.md", "postmortem-template.md", "templates/outage.md")
    (folder / "photo").write_bytes(b"\x89PNG\0\0")
    os.mkfifo(folder / "pipe.md")

    left = reasons(folder)

    assert loaded(folder) == []
    assert left["pm/README.md"] == left["pm/LICENSE-MIT"] == "no postmortem, by its name"
    assert left["pm/graph.png"] == "not a Markdown file (.png)"
    assert left["pm/.git"] == left["pm/.hidden.md"] == "hidden"
    assert left["pm/postmortem-template.md"] == left["pm/templates/outage.md"] == "a template, by its name"
    assert left["pm/photo"] == "does not look like a postmortem: no text"
    assert left["pm/pipe.md"] == "not a regular file"
    assert len(left) == 13


@pytest.mark.parametrize(
    "name", ["security-breach.md", "news-site-down.md", "Email template rendering outage.md", "index.md"]
)
def test_names_that_only_begin_like_them_are_postmortems(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)

    assert len(loaded(tmp_path)) == 1


def test_a_template_that_is_filled_in_is_a_postmortem(tmp_path: Path) -> None:
    put(
        tmp_path,
        "broken-template.md",
        text=GOOD + "\n## Timeline\n\n- 2021-06-22 08:21 Full\n- 2021-06-22 08:46 Freed\n",
    )

    assert len(loaded(tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n\n## Summary\n\n<what happened>\n\n## Impact\n\n[users affected]\n\nTODO\n",
        "# {{ title }}\n\n## Timeline\n\n| Time | Event |\n|-|-|\n| YYYY-MM-DD HH:mm | |\n\n## Actions\n\n-\n",
        "# Title\n\n**Date:** YYYY-MM-DD\n**Authors:** <names>\n\n## Summary\n\n<!-- Write it\nhere. -->\n",
    ],
)
def test_a_form_nobody_filled_in_is_left_out_unless_it_is_named_itself(tmp_path: Path, text: str) -> None:
    put(tmp_path, "a.md", text=text)

    assert list(reasons(tmp_path).values()) == ["a template: nothing is filled in"]
    assert len(loaded(tmp_path / "a.md")) == 1


def test_a_file_that_is_named_itself_is_read_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path / "pm", "README.md")

    assert loaded(tmp_path / "pm" / "README.md") == ["pm/README.md"]


def test_links_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    put(tmp_path / "pm", "a.md")
    (tmp_path / "pm" / "again.md").symlink_to(tmp_path / "pm" / "a.md")
    (tmp_path / "pm" / "round").symlink_to(tmp_path / "pm")
    (tmp_path / "pm" / "broken.md").symlink_to(tmp_path / "gone.md")

    assert loaded(tmp_path / "pm") == ["pm/a.md"]
    assert reasons(tmp_path / "pm") == {
        "pm/again.md": "the same file was read already",
        "pm/broken.md": "a broken link",
        "pm/round": "a link to a folder that was read already",
    }


def test_a_markdown_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"a\0b")
    (entry,) = files_in([tmp_path])

    assert isinstance(entry, Found)
    with pytest.raises(Unreadable, match="binary"):
        load(entry)
