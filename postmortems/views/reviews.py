"""Reviews: the text section by section with its comments, who was asked, and the verdict."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kb.errors import DomainError
from postmortems import blameless, sections
from postmortems.models import Comment, Postmortem, ReviewRequest, ReviewVerdict, User
from postmortems.models.readers import reviewers_for
from postmortems.review_forms import CommentForm, RequestForm, VerdictForm
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import number_of, stepped
from postmortems.workflows import reviewing

Status = Postmortem.Status
ASKING = (Status.DRAFT, Status.CHANGES_REQUESTED)
DECIDING = (Status.IN_REVIEW, Status.APPROVED)


@require_http_methods(["GET", "HEAD", "POST"])
def postmortem_review(request: HttpRequest, ref: str) -> HttpResponse:
    """The review; posted to, the reader's verdict."""
    postmortem = _reviewable(request, ref)
    form = VerdictForm(request.POST or None, initial={"revision": postmortem.revision})
    if form.is_valid():
        read = {"revision": form.cleaned_data["revision"], "note": form.cleaned_data["note"]}
        decision = form.cleaned_data["decision"]
        try:
            reviewing.give_verdict(
                postmortem, decision=decision, checklist=form.answers, **read, by=request.user, at=timezone.now()
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{postmortem.ref}: {ReviewVerdict.Decision(decision).label.lower()}.")
            return redirect("postmortem_review", postmortem.ref)
    return _page(request, postmortem, verdict_form=form)


def _reviewable(request: HttpRequest, ref: str) -> Postmortem:
    rows = Postmortem.objects.reviewable_by(request.user).with_rights(request.user)
    return by_ref(rows.select_related("owner").prefetch_related("sections"), ref)


def _page(
    request: HttpRequest,
    postmortem: Any,
    *,
    verdict_form: VerdictForm | None = None,
    comment_form: CommentForm | None = None,
) -> HttpResponse:
    written = [(text, blameless.hints(text.body)) for text in postmortem.sections_in_order()]
    asked = _asked(postmortem)
    mine = next((request_ for request_, _ in asked if request_.reviewer_id == request.user.pk), None)
    threads = threads_of(postmortem)
    context = {
        "postmortem": postmortem,
        "written": written,
        "hints": sum(len(hints) for _, hints in written),
        "asked": asked,
        "threads": threads,
        "strays": _strays(threads, {text.key for text, _ in written}),
        "unresolved": sum(not thread.is_resolved for listed in threads.values() for thread in listed),
        "typed": comment_form,
        "may_decide": mine is not None and postmortem.status in DECIDING and postmortem.owner_id != request.user.pk,
        "form": verdict_form or VerdictForm(initial={"revision": postmortem.revision}),
        "last": next((verdict for asked_, verdict in asked if asked_ is mine), None),
        **(_asking(postmortem, asked) if postmortem.is_editable else {}),
    }
    return render(request, "postmortems/review_detail.html", context)


def _strays(threads: dict[str, list[Comment]], written: set[str]) -> list[sections.Section]:
    """Sections that were remarked on and have no text now."""
    return [section for section in sections.SECTIONS if section.key in threads and section.key not in written]


def _asked(postmortem: Postmortem) -> list[tuple[ReviewRequest, ReviewVerdict | None]]:
    """Each request with what that reviewer said last."""
    if postmortem.status == Status.DRAFT:
        return []
    said = ReviewVerdict.objects.newest_of(postmortem)
    requests = postmortem.review_requests.select_related("reviewer")
    return [(request, said.get(request.reviewer_id)) for request in requests]


def _asking(postmortem: Postmortem, asked: list[tuple[ReviewRequest, ReviewVerdict | None]]) -> dict[str, Any]:
    """What whoever may edit it needs to ask for a review, or to change who reviews."""
    if postmortem.status not in (*ASKING, Status.IN_REVIEW):
        return {}
    known = [request.reviewer.username for request, _ in asked]
    candidates = reviewers_for(postmortem)
    if postmortem.status == Status.IN_REVIEW:
        return {"more_reviewers": candidates.exclude(username__in=known)}
    form = RequestForm(candidates=candidates, initial={"reviewers": known})
    return {"request_form": form, "missing": reviewing.still_to_write(postmortem)}


def threads_of(postmortem: Postmortem) -> dict[str, list[Comment]]:
    """Section -> the remarks on it, each with `answers`; "" has those on the whole. In one query."""
    threads: dict[str, list[Comment]] = defaultdict(list)
    answers: dict[int, list[Comment]] = defaultdict(list)
    for comment in postmortem.comments.select_related("by", "resolved_by"):
        comment.postmortem = postmortem
        if comment.reply_to_id:
            answers[comment.reply_to_id].append(comment)
        else:
            threads[comment.section].append(comment)
            comment.answers = answers[comment.pk]
    return dict(threads)


@require_POST
def review_request(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask for a review."""
    postmortem = _reviewable(request, ref)
    form = RequestForm(request.POST, candidates=reviewers_for(postmortem))
    if not form.is_valid():
        messages.error(request, "Somebody of these cannot review it any more. Choose again.")
        return redirect("postmortem_review", postmortem.ref)
    named = form.cleaned_data["reviewers"]
    step = partial(reviewing.request_review, postmortem, reviewers=named, by=request.user, at=timezone.now())
    return _step(request, postmortem, step, "The review is asked for. You will be told what comes of it.")


@require_POST
def reviewer_add(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _reviewable(request, ref)
    person = get_object_or_404(reviewers_for(postmortem), pk=number_of(request.POST.get("reviewer")))
    step = partial(reviewing.add_reviewer, postmortem, person, by=request.user, at=timezone.now())
    return _step(request, postmortem, step, f"{person} is asked, too.")


@require_POST
def reviewer_remove(request: HttpRequest, ref: str) -> HttpResponse:
    postmortem = _reviewable(request, ref)
    asked = User.objects.filter(review_requests__postmortem=postmortem)
    person = get_object_or_404(asked, pk=number_of(request.POST.get("reviewer")))
    step = partial(reviewing.remove_reviewer, postmortem, person, by=request.user, at=timezone.now())
    return _step(request, postmortem, step, f"{person} is asked no longer.")


def _step(request: HttpRequest, postmortem: Postmortem, step: Callable[[], None], done: str) -> HttpResponse:
    return stepped(request, reverse("postmortem_review", args=[postmortem.ref]), step, done)


@require_POST
@sent_once
def comment_add(request: HttpRequest, ref: str) -> HttpResponse:
    """A remark or a reply; what cannot be taken is shown again with the text."""
    postmortem = _reviewable(request, ref)
    form = CommentForm(request.POST, comments=postmortem.comments.all())
    if form.is_valid():
        try:
            row = reviewing.comment(postmortem, **form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error("body", str(refusal))
        else:
            return redirect(f"{_back(request, postmortem)}#comment-{row.pk}")
    return _page(request, postmortem, comment_form=form)


@require_POST
def comment_resolve(request: HttpRequest, ref: str, pk: int) -> HttpResponse:
    return _turn(request, ref, pk, reviewing.resolve_comment)


@require_POST
def comment_reopen(request: HttpRequest, ref: str, pk: int) -> HttpResponse:
    return _turn(request, ref, pk, reviewing.reopen_comment)


def _turn(request: HttpRequest, ref: str, pk: int, step: Callable[..., None]) -> HttpResponse:
    postmortem = _reviewable(request, ref)
    row = get_object_or_404(postmortem.comments.all(), pk=pk)
    try:
        step(row, by=request.user, at=timezone.now())
    except DomainError as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{_back(request, postmortem)}#comment-{row.pk}")


def _back(request: HttpRequest, postmortem: Postmortem) -> str:
    """Comments stand on two pages: back to the one that it was written on."""
    page = postmortem.get_absolute_url()
    return page if request.POST.get("from") == "page" else f"{page}review/"
