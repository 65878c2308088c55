"""Archives are checked before anything is read, and what lies about its size is found out while it is read."""

import io
import stat
import struct
import zipfile
from collections.abc import Iterator

import pytest

from kb.archives import Archive, Entry, Limits, UnsafeArchive, fault_of, zipped


def made(*names: str, content: bytes = b"x", **details: int) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in details.items():
                setattr(info, field, value)
            archive.writestr(info, content)
    return file


def test_plain_files_are_read_in_order_and_folders_are_none() -> None:
    archive = Archive(made("b/", "b/two.md", "a.md"))

    assert archive.names == ["a.md", "b/two.md"]
    assert archive.read("a.md") == b"x"


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../../b", "/etc/passwd", "C:/a", "c:a", "a\\b", "..\\a", "a/./b", "a//b", "a\nb", "a\x1bb", "."],
)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    assert fault_of(name)
    with pytest.raises(UnsafeArchive):
        Archive(made("fine.md", name))


def test_a_name_with_a_nul_in_it_is_refused() -> None:
    raw = made("aXb.md").getvalue().replace(b"aXb.md", b"a\0b.md")

    with pytest.raises(UnsafeArchive, match="control characters"):
        Archive(io.BytesIO(raw))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_is_refused(kind: int) -> None:
    with pytest.raises(UnsafeArchive, match="link or a device"):
        Archive(made("a", external_attr=(kind | 0o777) << 16))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.md", "a.md"), ("a.md", "A.MD"), ("e\u0301.md", "\u00e9.md"), ("a/", "a")])
def test_a_name_that_is_there_twice_is_refused(names: tuple[str, str]) -> None:
    with pytest.raises(UnsafeArchive, match="twice"):
        Archive(made(*names))


def test_an_encrypted_entry_is_refused() -> None:
    raw = bytearray(made("a.md").getvalue())
    at = raw.find(b"PK\x01\x02") + 8
    raw[at] |= 1

    with pytest.raises(UnsafeArchive, match="encrypted"):
        Archive(io.BytesIO(bytes(raw)))


def test_other_ways_of_packing_are_refused() -> None:
    with pytest.raises(UnsafeArchive, match="packed in a way"):
        Archive(made("a.md", compress_type=zipfile.ZIP_LZMA))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(entries=2), "3 entries"),
        (Limits(entry_bytes=10), "more than 10"),
        (Limits(total_bytes=2_000_000), "once unpacked"),
    ],
)
def test_too_many_and_too_large_is_refused(limits: Limits, reason: str) -> None:
    with pytest.raises(UnsafeArchive, match=reason):
        Archive(made("a", "b", "c", content=bytes(range(256)) * 4000), limits)


def test_what_unpacks_to_a_multiple_is_refused() -> None:
    with pytest.raises(UnsafeArchive, match="200 times as large"):
        Archive(made("bomb", content=bytes(5_000_000)))


def test_an_entry_that_is_larger_than_it_says_is_found_out() -> None:
    raw = made("a.md", content=b"x" * 5000).getvalue()
    lied = raw.replace(struct.pack("<L", 5000), struct.pack("<L", 50))
    archive = Archive(io.BytesIO(lied))

    with pytest.raises(UnsafeArchive, match=r"larger than the archive says|damaged"):
        archive.read("a.md")


def test_all_entries_together_stay_within_the_limit_while_they_are_read() -> None:
    archive = Archive(made("a", "b", content=b"x" * 600))
    archive.left = 1000
    archive.read("a")

    with pytest.raises(UnsafeArchive):
        archive.read("b")


def test_entries_that_lie_over_one_another_are_refused() -> None:
    file = made("a", content=bytes(range(256)) * 40)
    with zipfile.ZipFile(file, "a") as archive:
        twin = zipfile.ZipInfo("b")
        source = archive.getinfo("a")
        for field in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
            setattr(twin, field, getattr(source, field))
        archive.filelist.append(twin)
        archive._didModify = True  # type: ignore[attr-defined]

    with pytest.raises(UnsafeArchive, match="over one another"):
        Archive(file)


def test_a_damaged_entry_and_what_is_no_zip_are_refused() -> None:
    raw = bytearray(made("a.md", content=bytes(range(256)) * 9).getvalue())
    raw[60:80] = bytes(20)

    with pytest.raises(UnsafeArchive, match="damaged"):
        Archive(io.BytesIO(bytes(raw))).read("a.md")
    with pytest.raises(UnsafeArchive, match="not a zip"):
        Archive(io.BytesIO(b"PK\x03\x04 no"))


def test_an_archive_in_an_archive_is_a_file_like_any_other() -> None:
    assert Archive(made("inner.zip", content=made("x").getvalue())).names == ["inner.zip"]


def test_a_zip_is_written_as_it_comes_and_the_same_each_time() -> None:
    taken: list[int] = []

    def content() -> Iterator[bytes]:
        for number in range(3):
            taken.append(number)
            yield bytes(range(256)) * 1000

    stream = zipped([Entry("a.bin", content(), is_packed=False), Entry("b.txt", (b"text",))])
    first = next(stream)
    seen_so_far = list(taken)
    whole = first + b"".join(stream)

    assert seen_so_far == [0]
    assert Archive(io.BytesIO(whole)).names == ["a.bin", "b.txt"]
    assert Archive(io.BytesIO(whole)).read("b.txt") == b"text"
    assert whole == b"".join(zipped([Entry("a.bin", content(), is_packed=False), Entry("b.txt", (b"text",))]))
