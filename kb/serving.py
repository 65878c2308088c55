"""Files that people brought, answered so that nothing in them runs, whatever a browser makes of them."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header

# A file is opened as itself and by itself: nothing in it may run, load or be framed.
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"


def served(content: bytes, *, name: str, content_type: str, is_shown: bool) -> HttpResponse:
    """The file; unless `is_shown` it is downloaded."""
    answer = HttpResponse(content, content_type=content_type)
    answer.headers["Content-Disposition"] = content_disposition_header(not is_shown, name) or ""
    answer.headers["Content-Security-Policy"] = SANDBOX
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
