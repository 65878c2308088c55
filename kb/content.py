"""What an uploaded file is, by its content. The name and the type that the sender gave are not believed."""

import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError

# The kinds of pictures that browsers show and that cannot hold a script.
PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
MAX_PIXELS = 50_000_000  # 200 MB once decoded
UNKNOWN = "application/octet-stream"


def type_of(content: bytes) -> str:
    """`image/png` and the like, `application/pdf`, `text/plain` for UTF-8 text of any kind, or `UNKNOWN`."""
    if picture := _picture(content):
        return picture
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    return "text/plain" if _is_text(content) else UNKNOWN


def _picture(content: bytes) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=tuple(PICTURES)) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                image.verify()
                return PICTURES[str(image.format)]
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError, Warning):
        return None  # Pillow says "SyntaxError" of a broken PNG


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False
