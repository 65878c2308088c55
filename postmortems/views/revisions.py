"""What a postmortem said when: its revisions, two of them compared, and the way back."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from kb import markdown, text_diff
from kb.errors import DomainError
from postmortems import sections
from postmortems.models import Postmortem, Revision
from postmortems.models.revision import content_of
from postmortems.views.permalinks import by_ref
from postmortems.workflows import reviewing, snapshots, writing
from postmortems.writing_forms import RestoreForm

MOST = 200  # of the list: more saves than any text gets; each has its permalink all the same
VIEWS = ("side", "inline")


@dataclass(frozen=True)
class Difference:
    """A part of a postmortem that two revisions say differently."""

    label: str
    rows: list[text_diff.Row]


@require_safe
def postmortem_revisions(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _seen(request, ref)
    context = {
        "postmortem": postmortem,
        "revisions": _revisions(postmortem)[:MOST],
        "may_edit": Postmortem.objects.editable_by(request.user).filter(pk=postmortem.pk).exists(),
    }
    return render(request, "postmortems/revision_list.html", context)


@require_safe
def postmortem_revision(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """The permalink of what was said then."""
    postmortem = _seen(request, ref)
    revision = _numbered(postmortem, number)
    texts = revision.content.get("sections", {})
    parts = snapshots.in_pairs(revision.content, revision.content)
    titles = {section.title for section in sections.SECTIONS}
    context = {
        "postmortem": postmortem,
        "revision": revision,
        "facts": [(label, text) for label, text, _ in parts if label not in {*titles, "Title", "Timeline"}],
        "timeline": [text for label, text, _ in parts if label == "Timeline"],
        "sections": [(s, markdown.render_or_plain(texts[s.key])) for s in sections.SECTIONS if texts.get(s.key)],
        "may_edit": Postmortem.objects.editable_by(request.user).filter(pk=postmortem.pk).exists(),
    }
    return render(request, "postmortems/revision_detail.html", context)


@require_safe
def postmortem_compare(request: HttpRequest, ref: str) -> HttpResponse:
    """Two revisions, word for word; without numbers the newest and the one before."""
    postmortem = _seen(request, ref)
    later = _numbered(postmortem, _number(request, "to", postmortem.revision))
    earlier = _numbered(postmortem, _number(request, "from", max(later.number - 1, 1)))
    pairs = snapshots.in_pairs(earlier.content, later.content)
    context = {
        "postmortem": postmortem,
        "earlier": earlier,
        "later": later,
        "view": request.GET["view"] if request.GET.get("view") in VIEWS else VIEWS[0],
        "numbers": _revisions(postmortem).values_list("number", flat=True)[:MOST],
        "differences": [Difference(label, text_diff.rows(old, new)) for label, old, new in pairs if old != new],
        "same": [label for label, old, new in pairs if old == new],
    }
    return render(request, "postmortems/revision_compare.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_restore(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """First what it would change, then the step."""
    postmortem = _seen(request, ref)
    reviewing.require_editor(postmortem, request.user)
    revision = _numbered(postmortem, number)
    form = RestoreForm(request.POST or None, initial={"newest": postmortem.revision})
    if form.is_valid():
        try:
            new = writing.restore(revision, newest=form.cleaned_data["newest"], by=request.user, at=timezone.now())
        except DomainError as refusal:
            messages.error(request, str(refusal))
            return redirect("postmortem_restore", postmortem.ref, number)
        messages.success(request, f"Revision {number} is back, as revision {new.number}.")
        return redirect(postmortem)
    now = content_of(postmortem)
    pairs = snapshots.in_pairs(now, {**now, **revision.content, "owner": now["owner"]})
    differences = [Difference(label, text_diff.rows(old, new)) for label, old, new in pairs if old != new]
    context = {"postmortem": postmortem, "revision": revision, "form": form, "differences": differences}
    return render(request, "postmortems/revision_restore.html", context)


def _seen(request: HttpRequest, ref: str) -> Postmortem:
    return by_ref(Postmortem.objects.visible_to(request.user).select_related("owner"), ref)


def _revisions(postmortem: Postmortem) -> Any:
    return Revision.objects.filter(postmortem=postmortem).select_related("by").order_by("-number")


def _numbered(postmortem: Postmortem, number: int) -> Revision:
    if number > 2**31 - 1:
        raise Http404("No revision has such a number.")
    revision: Revision = get_object_or_404(_revisions(postmortem), number=number)
    return revision


def _number(request: HttpRequest, name: str, otherwise: int) -> int:
    given = request.GET.get(name) or str(otherwise)
    if not given.isascii() or not given.isdecimal() or len(given) > 9:
        raise Http404("A revision's number has only digits.")
    return int(given)
