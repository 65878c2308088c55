"""Encodings and line endings as they come."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems.importing.base import Unreadable
from postmortems.importing.folders import Found
from postmortems.importing.reading import MAX_BYTES, Source, content_of, lines_of, source_of

TEXT = "# Zürich was down\r\n\r\nIt rained \N{EN DASH} hard.\r\n"


def read(file: Path) -> Source:
    return source_of(content_of(Found(file, file.name)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(TEXT.encode(encoding))

    source = read(file)

    assert source.text == TEXT
    assert source.note == ""


def test_an_old_windows_file_is_read_and_the_guess_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(b"first line\n" + TEXT.encode("cp1252"))

    source = read(file)

    assert source.text == "first line\n" + TEXT
    assert source.note == "not UTF-8 (line 2): read as Windows-1252"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"text\nmore\0text", 2, "binary"),
        (b"caf\xe9 \x81", 1, "UTF-8 or Windows-1252"),
        (b"\xff\xfeabc", None, "UTF-16"),
        ("a\0b".encode("utf-16"), None, "binary"),
        (b"x" * (MAX_BYTES + 1), None, "larger than 2 MB"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(
    tmp_path: Path, content: bytes, line: int | None, reason: str
) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(content)

    with pytest.raises(Unreadable, match=reason) as refused:
        read(file)

    assert refused.value.line == line


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        read(tmp_path / "gone.md")


def test_lines_end_at_line_breaks_only() -> None:
    lines = list(lines_of("a\r\nb\rc\nd\x0be\u2028f", first=3))

    assert [line.text for line in lines] == ["a", "b", "c", "d\x0be\u2028f"]
    assert [line.number for line in lines] == [3, 4, 5, 6]


@settings(deadline=None)
@given(st.text(st.sampled_from("ab \r\n\x0b\x85\u2028")))
def test_no_character_is_lost_in_lines(text: str) -> None:
    assert "".join(line.raw for line in lines_of(text)) == text
