"""A review: asked for, remarked on, decided for one revision, asked for anew when the text changes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from postmortems import roles, sections
from postmortems.models import (
    Comment,
    Postmortem,
    PostmortemTemplate,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    User,
)
from postmortems.models.postmortem import NotReady
from postmortems.models.readers import reviewers_for
from postmortems.models.review import NotReviewable, refuse_half_answers
from postmortems.roles import NotAllowed
from postmortems.workflows import auditing, telling

IN_REVIEW, CHANGES_REQUESTED = Postmortem.Status.IN_REVIEW, Postmortem.Status.CHANGES_REQUESTED
Decision = ReviewVerdict.Decision


def require_editor(postmortem: Postmortem, by: Any) -> None:
    """Whoever may edit it may move it along; of somebody else it is a `NotAllowed`. None is the program itself."""
    roles.require(by, "write")
    if by is not None and not Postmortem.objects.editable_by(by).filter(pk=postmortem.pk).exists():
        whom = postmortem.owner or postmortem.team or "an administrator"
        raise NotAllowed(
            f"{postmortem.ref} is edited by its owner, their team and those it is shared with. Ask {whom}."
        )


def still_to_write(postmortem: Postmortem) -> list[str]:
    """The titles of the sections that a review wants to read and that are empty."""
    required = PostmortemTemplate.objects.required_keys(kind=postmortem.kind, severity=postmortem.severity)
    written = {text.key for text in postmortem.sections_in_order()}
    return [sections.BY_KEY[key].title for key in sections.KEYS if key in required and key not in written]


@transaction.atomic
def request_review(postmortem: Postmortem, *, reviewers: Iterable[User], by: Any, at: datetime) -> None:
    """Ask these people; whoever was asked before and is not named now is asked no longer."""
    require_editor(postmortem, by)
    named = list(reviewers)
    _refuse_reviewers(postmortem, named)
    if missing := still_to_write(postmortem):
        raise NotReady(f"Before a review, write: {', '.join(missing)}.")
    postmortem.ask_review()
    Revision.objects.first_of(postmortem, by=by, at=at)
    postmortem.review_requests.exclude(reviewer__in=named).delete()
    for reviewer in named:
        ReviewRequest.objects.update_or_create(
            postmortem=postmortem, reviewer=reviewer, defaults={"requested_by": by, "requested_at": at}
        )
    _ask(postmortem, named, by=by, at=at)
    names = ", ".join(str(reviewer) for reviewer in named)
    auditing.record("postmortem.request_review", on=postmortem, by=by, at=at, changes={"reviewers": ("", names)})


def _refuse_reviewers(postmortem: Postmortem, named: list[User]) -> None:
    if not named:
        raise NotReady("Name at least one reviewer.")
    able = set(reviewers_for(postmortem))
    for reviewer in named:
        if reviewer.pk == postmortem.owner_id:
            raise NotReady(f"{reviewer} owns {postmortem.ref}: someone else reviews it.")
        if reviewer not in able:
            raise NotReady(f"{reviewer} cannot review {postmortem.ref}: they lack the role, or may not see it.")


def _ask(postmortem: Postmortem, people: Iterable[User], *, by: Any, at: datetime) -> None:
    text = f"{by or 'Somebody'} asks you to review {postmortem.ref}."
    telling.tell(people, action="postmortem.request_review", text=text, about=postmortem, by=by, at=at)


@transaction.atomic
def add_reviewer(postmortem: Postmortem, reviewer: User, *, by: Any, at: datetime) -> None:
    """One more has to approve."""
    require_editor(postmortem, by)
    _refuse_unless_in_review(_locked(postmortem))
    _refuse_reviewers(postmortem, [reviewer])
    known = {"requested_by": by, "requested_at": at}
    _, is_new = ReviewRequest.objects.get_or_create(postmortem=postmortem, reviewer=reviewer, defaults=known)
    if is_new:
        _ask(postmortem, [reviewer], by=by, at=at)
        _record_reviewer(postmortem, "", str(reviewer), by=by, at=at)


@transaction.atomic
def remove_reviewer(postmortem: Postmortem, reviewer: User, *, by: Any, at: datetime) -> None:
    """Their word is not waited for any longer. The last one stays: a review has a reviewer."""
    require_editor(postmortem, by)
    _refuse_unless_in_review(_locked(postmortem))
    requests = postmortem.review_requests
    if not requests.exclude(reviewer=reviewer).exists():
        raise NotReady("A review needs a reviewer: name another one first.")
    if requests.filter(reviewer=reviewer).delete()[0]:
        _record_reviewer(postmortem, str(reviewer), "", by=by, at=at)
        _approve_if_all_do(postmortem, by=by, at=at)


def _record_reviewer(postmortem: Postmortem, before: str, after: str, *, by: Any, at: datetime) -> None:
    changes = {"reviewer": (before, after)}
    auditing.record("postmortem.change_reviewers", on=postmortem, by=by, at=at, changes=changes)


def _refuse_unless_in_review(postmortem: Postmortem) -> None:
    if postmortem.status not in (IN_REVIEW, CHANGES_REQUESTED):
        raise NotReady(f"{postmortem.ref} stands at “{postmortem.get_status_display()}”: nobody reviews it now.")


def _locked(postmortem: Postmortem) -> Postmortem:
    # Two who approve at once would each miss the other's word.
    Postmortem.objects.select_for_update().get(pk=postmortem.pk)
    postmortem.refresh_from_db(fields=["status", "revision"])
    return postmortem


@transaction.atomic
def give_verdict(
    postmortem: Postmortem,
    *,
    decision: str,
    checklist: Mapping[str, str],
    note: str,
    revision: int,
    by: Any,
    at: datetime,
) -> ReviewVerdict:
    """What a named reviewer decides about the revision that they read, if it is still the newest."""
    roles.require(by, "review")
    if postmortem.owner_id == by.pk or not postmortem.review_requests.filter(reviewer=by).exists():
        raise NotAllowed(f"You are not asked to review {postmortem.ref}.")
    _locked(postmortem)
    read = Revision.objects.filter(postmortem=postmortem, number=revision).first()
    if read is None:
        raise NotReviewable(f"{postmortem.ref} has no revision {revision}.")
    approves = decision == Decision.APPROVED
    _refuse_empty_words(postmortem, approves, checklist, note, by)
    if approves:
        _refuse_approval_now(postmortem, revision)
    else:
        postmortem.request_changes(revision=revision)
    verdict = ReviewVerdict.objects.create(
        revision=read, reviewer=by, decision=decision, checklist=dict(checklist), note=note.strip(), at=at
    )
    _tell_verdict(verdict, postmortem, by=by, at=at)
    if approves:
        _approve_if_all_do(postmortem, by=by, at=at)
    return verdict


def _refuse_empty_words(
    postmortem: Postmortem, approves: bool, checklist: Mapping[str, str], note: str, by: Any
) -> None:
    if approves:
        refuse_half_answers(checklist, note=note)
    elif not note.strip() and not postmortem.comments.unresolved().filter(by=by).exists():
        raise NotReviewable("Say what should change: in the note, or in a comment on a section.")


def _refuse_approval_now(postmortem: Postmortem, revision: int) -> None:
    if postmortem.status != IN_REVIEW:
        raise NotReady(f"{postmortem.ref} stands at “{postmortem.get_status_display()}”: it is not in review now.")
    if revision != postmortem.revision:
        newest = postmortem.revision
        raise NotReady(f"{postmortem.ref} was changed while you read: look at revision {newest}, then decide.")


def _approve_if_all_do(postmortem: Postmortem, *, by: Any, at: datetime) -> None:
    if postmortem.status != IN_REVIEW:
        return
    requests = ReviewRequest.objects.with_decision().filter(postmortem=postmortem)
    decided = [request.decided for request in requests]
    if decided and all(each == Decision.APPROVED for each in decided):
        postmortem.approve(revision=postmortem.revision)
        text = f"{postmortem.ref} is approved: it can be published."
        telling.tell([postmortem.owner], action="postmortem.approve", text=text, about=postmortem, by=by, at=at)
        auditing.record("postmortem.approve", on=postmortem, by=by, at=at)


def _tell_verdict(verdict: ReviewVerdict, postmortem: Postmortem, *, by: Any, at: datetime) -> None:
    said = {Decision.APPROVED: "approves of", Decision.CHANGES_REQUESTED: "asks for changes to"}
    text = f"{by} {said[Decision(verdict.decision)]} {postmortem.ref}, revision {verdict.revision.number}."
    telling.tell([postmortem.owner], action="postmortem.review", text=text, about=postmortem, by=by, at=at)
    what = {"decision": ("", verdict.decision), "revision": ("", verdict.revision.number)}
    auditing.record("postmortem.review", on=postmortem, by=by, at=at, reason=verdict.note, changes=what)


@transaction.atomic
def text_changed(postmortem: Postmortem, *, by: Any, at: datetime) -> bool:
    """After a new revision: what was approved asks for fresh verdicts. True if it had been approved."""
    if not postmortem.needs_fresh_review():
        return False
    asked = User.objects.filter(review_requests__postmortem=postmortem)
    text = f"{postmortem.ref} was changed after its approval: please look again."
    telling.tell(asked, action="postmortem.fresh_review", text=text, about=postmortem, by=by, at=at)
    auditing.record("postmortem.fresh_review", on=postmortem, by=by, at=at)
    return True


@transaction.atomic
def comment(
    postmortem: Postmortem, *, body: str, by: Any, at: datetime, section: str = "", reply_to: Comment | None = None
) -> Comment:
    """A remark on a section, or on the whole; a reply stands under the remark that began the thread."""
    roles.require(by, "comment")
    thread = reply_to and (reply_to.reply_to or reply_to)
    if thread and thread.postmortem_id != postmortem.pk:
        raise NotReviewable("That comment stands elsewhere.")
    row = Comment.objects.create(
        postmortem=postmortem,
        section=thread.section if thread else section,
        revision=postmortem.revision,
        reply_to=thread,
        body=body,
        by=by,
        at=at,
    )
    where = "" if row.section == "" else f", {row.section_title.lower()}"
    _tell_of(row, f"{by} {'answers' if thread else 'comments'} on {postmortem.ref}{where}.", thread, by=by, at=at)
    telling.tell_mentioned(body, before="", about=postmortem, by=by, at=at)
    auditing.record("postmortem.comment", on=postmortem, by=by, at=at, changes={"section": ("", row.section)})
    return row


def _tell_of(row: Comment, text: str, thread: Comment | None, *, by: Any, at: datetime) -> None:
    people = [row.postmortem.owner]
    if thread:
        people += [thread.by, *(reply.by for reply in thread.replies.select_related("by"))]
    telling.tell(people, action="postmortem.comment", text=text, about=row.postmortem, by=by, at=at)


@transaction.atomic
def resolve_comment(row: Comment, *, by: Any, at: datetime) -> None:
    """The thread is done with."""
    roles.require(by, "comment")
    row.resolve(by=by, at=at)
    auditing.record("postmortem.resolve_comment", on=row.postmortem, by=by, at=at, changes={"comment": ("", row.pk)})


@transaction.atomic
def reopen_comment(row: Comment, *, by: Any, at: datetime) -> None:
    """It was not."""
    roles.require(by, "comment")
    row.reopen()
    auditing.record("postmortem.reopen_comment", on=row.postmortem, by=by, at=at, changes={"comment": (row.pk, "")})
