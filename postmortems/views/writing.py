"""Writing a postmortem: drafting, the editor with its working copies and previews, and what collided."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kb import markdown, text_diff
from kb.errors import DomainError
from postmortems import blameless, roles, sections
from postmortems.models import Incident, Postmortem, WorkingCopy
from postmortems.models.revision import NotKept, texts_of
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.workflows import drafting, reviewing, writing
from postmortems.writing_forms import PREFIX, BeginForm, EditorForm, as_posted, initial_of


@require_POST
def incident_postmortem(request: HttpRequest, ref: str) -> HttpResponse:
    """One click from an incident that is over to the draft of its postmortem, or to the one that is there."""
    incident = by_ref(Incident.objects.visible_to(request.user), ref)
    try:
        there = drafting.written_about(incident, request.user)
        postmortem = drafting.draft_from(incident, by=request.user, at=timezone.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect(incident)
    if there:
        messages.info(request, f"{incident.ref} has a postmortem already: this one.")
        return redirect(postmortem)
    messages.success(request, f"{postmortem.ref} is drafted from {incident.ref}. What was known is filled in.")
    return redirect("postmortem_edit", postmortem.ref)


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def postmortem_new(request: HttpRequest) -> HttpResponse:
    roles.require(request.user, "write")
    form = BeginForm(request.POST or None)
    if form.is_valid():
        try:
            postmortem = drafting.begin(**form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("postmortem_edit", postmortem.ref)
    return render(request, "postmortems/postmortem_new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_edit(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _to_edit(request, ref)
    if request.method == "POST":
        return _posted(request, postmortem)
    copy = WorkingCopy.objects.of(postmortem, request.user)
    if copy and "continue" not in request.GET:
        return render(request, "postmortems/working_copy.html", {"postmortem": postmortem, "copy": copy})
    if copy:
        typed = as_posted(copy.content, base=copy.base_revision, copy=copy.mark)
        return _page(request, postmortem, EditorForm(typed, postmortem=postmortem), changed=True)
    initial = initial_of(texts_of(postmortem), base=postmortem.revision)
    return _page(request, postmortem, EditorForm(initial=initial, postmortem=postmortem))


def _posted(request: HttpRequest, postmortem: Postmortem) -> HttpResponse:
    form = EditorForm(request.POST, postmortem=postmortem)
    valid = form.is_valid()
    if "preview" in request.POST:
        previews = {} if form.errors.get("__all__") else _previews(form)
        return _page(request, postmortem, form, previews=previews, changed=True)
    if not valid:
        return _page(request, postmortem, form, changed=True, status=422)
    me, data = request.user, form.cleaned_data
    try:
        saved = writing.save_revision(
            postmortem, changes=form.changes(), base=data["base"], by=me, at=timezone.now(), note=data["note"]
        )
    except writing.Conflict as conflict:
        return _conflict(request, postmortem, form, conflict)
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return _page(request, postmortem, form, changed=True, status=409)
    if data["copy"]:
        writing.discard_working_copy(postmortem, by=me, known=data["copy"])
    messages.success(request, saved.message)
    return redirect(postmortem)


def _conflict(
    request: HttpRequest, postmortem: Postmortem, form: EditorForm, conflict: writing.Conflict
) -> HttpResponse:
    """Both texts, and a proposal to save instead. What was refused is kept as the person's working copy too."""
    me, base = request.user, form.cleaned_data["base"]
    writing.discard_working_copy(postmortem, by=me)
    copy = writing.keep_working_copy(postmortem, content=form.typed(), base=base, known="", by=me, at=timezone.now())
    known = initial_of(conflict.merged.content, base=conflict.newest) | {"copy": copy.mark}
    proposal = EditorForm(initial=known | {"note": form.cleaned_data["note"]}, postmortem=postmortem)
    collisions = [
        {"collision": each, "field": proposal[each.name], "rows": text_diff.rows(each.theirs, each.mine)}
        for each in conflict.merged.collisions
    ]
    colliding = {each.name for each in conflict.merged.collisions}
    context = {
        "postmortem": postmortem,
        "conflict": conflict,
        "collisions": collisions,
        "form": proposal,
        "others": [field for field in proposal if field.name not in {*colliding, "note"}],
    }
    return render(request, "postmortems/postmortem_conflict.html", context, status=409)


def _page(
    request: HttpRequest,
    postmortem: Postmortem,
    form: EditorForm,
    *,
    previews: dict[str, str] | None = None,
    changed: bool = False,
    status: int = 200,
) -> HttpResponse:
    """`changed`: the form holds text that is not saved."""
    context = {"postmortem": postmortem, "form": form, "previews": previews or {}, "changed": changed}
    return render(request, "postmortems/postmortem_edit.html", context, status=status)


@require_POST
def postmortem_preview(request: HttpRequest, ref: str, key: str) -> HttpResponse:
    """One section as it would look."""
    _to_edit(request, ref)
    if key not in sections.BY_KEY:
        raise Http404("No such section.")
    text = request.POST.get(PREFIX + key, "")
    return render(request, "postmortems/_preview.html", {"html": _formatted(text), "hints": blameless.hints(text)})


def _previews(form: EditorForm) -> dict[str, str]:
    texts = {part.key: str(part.field.value() or "") for part in form.parts if not part.field.errors}
    return {key: _formatted(text) for key, text in texts.items() if text.strip()}


def _formatted(text: str) -> str:
    try:
        return markdown.render(text)
    except markdown.TooComplex as refusal:
        return markdown.plain(str(refusal))


@require_POST
def working_copy_keep(request: HttpRequest, ref: str) -> HttpResponse:
    """What is typed so far, sent by the page itself every few seconds."""
    postmortem = _to_edit(request, ref)
    form = EditorForm(request.POST, postmortem=postmortem)
    base = form["base"].data or ""
    if not base.isdecimal() or len(base) > 9:
        return JsonResponse({"refused": "This page does not say which revision it began from."}, status=400)
    try:
        copy = writing.keep_working_copy(
            postmortem,
            content=form.typed(),
            base=int(base),
            known=request.POST.get("copy", ""),
            by=request.user,
            at=timezone.now(),
        )
    except NotKept as refusal:
        return JsonResponse({"refused": str(refusal)}, status=409)
    return JsonResponse({"copy": copy.mark, "at": f"{timezone.localtime(copy.saved_at):%H:%M:%S}"})


@require_POST
def working_copy_discard(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _to_edit(request, ref)
    writing.discard_working_copy(postmortem, by=request.user, known=request.POST.get("copy", ""))
    messages.success(request, "Your unsaved text is discarded.")
    return redirect("postmortem_edit", postmortem.ref)


def _to_edit(request: HttpRequest, ref: str) -> Postmortem:
    """One that this person may edit. Who may only see it learns why not; for all others there is no such page."""
    rows = Postmortem.objects.select_related("owner", "team").prefetch_related("sections", "services", "tags")
    try:
        return by_ref(rows.editable_by(request.user), ref)
    except Http404:
        postmortem = by_ref(rows.visible_to(request.user), ref)
        reviewing.require_editor(postmortem, request.user)
        raise
