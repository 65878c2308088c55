"""Everything one may see, to take along."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from postmortems.exporting.files import FORMATS
from postmortems.views.reader import reader_of
from postmortems.workflows import exporting


@require_safe
def export_page(request: HttpRequest) -> HttpResponse:
    return render(request, "postmortems/export.html")


@require_safe
def export_markdown(request: HttpRequest) -> StreamingHttpResponse:
    return _download(request, "markdown")


@require_safe
def export_jsonl(request: HttpRequest) -> StreamingHttpResponse:
    return _download(request, "jsonl")


@require_safe
def export_csv(request: HttpRequest) -> StreamingHttpResponse:
    return _download(request, "csv")


def _download(request: HttpRequest, form: str) -> StreamingHttpResponse:
    name, content_type, _ = FORMATS[form]
    is_wanted = request.method != "HEAD"
    content = exporting.export(form, by=reader_of(request), at=timezone.now()) if is_wanted else iter(())
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)
