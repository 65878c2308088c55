"""Files and pictures of postmortems: the list with its upload form, and each file for who may see it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kb.errors import DomainError
from kb.serving import served
from postmortems.models import Attachment, Postmortem
from postmortems.views.permalinks import by_ref
from postmortems.workflows import attaching


@require_http_methods(["GET", "HEAD", "POST"])
def attachment_list(request: HttpRequest, ref: str) -> HttpResponse:
    """GET: what is there. POST: `files`; the editor's script asks for JSON and is given the Markdown to insert."""
    postmortem = by_ref(Postmortem.objects.editable_by(request.user), ref)
    refusals: list[str] = []
    if request.method == "POST":
        added, refusals = _attach(request, postmortem)
        if request.headers.get("Accept") == "application/json":
            status = 201 if added else 400
            return JsonResponse({"markdown": [row.markdown for row in added], "errors": refusals}, status=status)
        if not refusals:
            messages.success(request, f"Attached: {', '.join(row.name for row in added)}")
            return redirect("attachment_list", ref=postmortem.ref)
    files = postmortem.attachments.select_related("by")
    shown = {"postmortem": postmortem, "files": files, "refusals": refusals}
    return render(request, "postmortems/attachment_list.html", shown, status=400 if refusals else 200)


def _attach(request: HttpRequest, postmortem: Postmortem) -> tuple[list[Attachment], list[str]]:
    added, refusals = [], []
    files: list[UploadedFile[bytes]] = request.FILES.getlist("files")
    for file in files:
        try:
            # Read no more than is kept: the rest of a huge file is of no use to anybody.
            content = file.read(attaching.MAX_BYTES + 1)
            name = file.name or "file"
            added.append(attaching.attach(postmortem, name=name, content=content, by=request.user, at=timezone.now()))
        except DomainError as refusal:
            refusals.append(str(refusal))
    return added, refusals if files else ["Choose a file first."]


@require_safe
def attachment(request: HttpRequest, token: UUID) -> HttpResponse:
    """The file. Pictures are shown, everything else is downloaded."""
    row = get_object_or_404(Attachment.objects.visible_to(request.user), token=token)
    try:
        content = row.content()
    except FileNotFoundError as gone:
        raise Http404("The file is no longer on the disk.") from gone
    return served(content, name=row.name, content_type=row.content_type, is_shown=row.is_picture)


@require_POST
def attachment_remove(request: HttpRequest, token: UUID) -> HttpResponse:
    row = get_object_or_404(Attachment, token=token, postmortem__in=Postmortem.objects.editable_by(request.user))
    attaching.detach(row, by=request.user, at=timezone.now())
    messages.success(request, f"Taken away: {row.name}")
    return redirect("attachment_list", ref=row.postmortem.ref)
