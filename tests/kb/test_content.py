"""What a file is, by its content."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kb import content


def picture(kind: str, size: tuple[int, int] = (4, 3)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "named"), content.PICTURES.items())
def test_pictures_are_known_by_their_content(kind: str, named: str) -> None:
    assert content.type_of(picture(kind)) == named


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"%PDF-1.7 ...", "application/pdf"),
        ("Zeit: 3 µs".encode(), "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b"GIF89a<script>alert(1)</script>", "text/plain"),
        (b"\x89PNG\r\n\x1a\n broken", content.UNKNOWN),
        (picture("BMP"), content.UNKNOWN),
        (b"MZ\x90\0", content.UNKNOWN),
        (b"\xff\xfe", content.UNKNOWN),
    ],
)
def test_everything_else_is_no_picture(data: bytes, named: str) -> None:
    assert content.type_of(data) == named


def test_a_picture_that_would_fill_the_memory_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_PIXELS", 11)

    assert content.type_of(picture("PNG", (3, 4))) == content.UNKNOWN


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP"]),
)
def test_any_content_has_a_type(data: bytes, start: bytes) -> None:
    assert "/" in content.type_of(start + data)
