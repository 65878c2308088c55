"""Publishing: made readable and findable, archived, brought back; and how it compares with what it looks like."""

from datetime import datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search, suggestions
from postmortems.models import Comparison, Incident, Postmortem, Problem, WebhookEvent
from postmortems.models.postmortem import NotReady
from postmortems.workflows import auditing, recurring, telling, webhooks
from postmortems.workflows.reviewing import require_editor

LOOKED_AT, ASKED = 12, 3  # of so many look-alikes at most so many are asked about
LOOKED_LIKE = ("summary", "impact", "detection", "trigger", "contributing_factors", "narrative")
Verdict = Comparison.Verdict


class NoAnswer(DomainError):
    """The two cannot be compared so."""


def publish(postmortem: Postmortem, *, by: Any, at: datetime, reason: str = "") -> None:
    """What was approved becomes readable and findable; managers may publish without approval and say why.

    Then it is asked how it compares with published ones that look like it.
    """
    _publish(postmortem, by=by, at=at, reason=reason.strip())
    ask_about_lookalikes(postmortem, by=by, at=at)


@transaction.atomic
def _publish(postmortem: Postmortem, *, by: Any, at: datetime, reason: str) -> None:
    roles.require(by, "publish")
    require_editor(postmortem, by)
    postmortem.refresh_from_db(fields=["status"])
    before = postmortem.status
    if before in (Postmortem.Status.APPROVED, *Postmortem.READABLE):
        postmortem.publish_approved(at=at)
    else:
        _refuse_without_approval(postmortem, by, reason)
        postmortem.publish(at=at)
    search.changed(postmortem)
    changes = {"status": (before, postmortem.status)}
    auditing.record("postmortem.publish", on=postmortem, by=by, at=at, reason=reason, changes=changes)
    _tell_readers(postmortem, by=by, at=at)
    webhooks.announce(postmortem, WebhookEvent.PUBLISHED, at=at)


def _refuse_without_approval(postmortem: Postmortem, by: Any, reason: str) -> None:
    state = f"{postmortem.ref} stands at “{postmortem.get_status_display()}”"
    if by is not None and not roles.may(by, "write_any"):
        raise NotReady(f"{state}: it is published when its reviewers have approved it.")
    if not reason:
        raise NotReady(f"{state}: say why it is published without an approval.")


def _tell_readers(postmortem: Postmortem, *, by: Any, at: datetime) -> None:
    text = f"{postmortem.ref} is published: {postmortem.title}"
    telling.tell_watchers([postmortem.owner], action="postmortem.publish", text=text, about=postmortem, by=by, at=at)


@transaction.atomic
def archive(postmortem: Postmortem, *, reason: str, by: Any, at: datetime) -> None:
    """Kept for the record: it does not describe how things are any more."""
    require_editor(postmortem, by)
    if not reason.strip():
        raise NotReady("Say why it is archived: a later reader will ask.")
    postmortem.archive(at=at)
    search.changed(postmortem)
    auditing.record("postmortem.archive", on=postmortem, by=by, at=at, reason=reason.strip())


@transaction.atomic
def publish_again(postmortem: Postmortem, *, by: Any, at: datetime) -> None:
    """Back from the archive, as it was."""
    roles.require(by, "publish")
    require_editor(postmortem, by)
    postmortem.publish_again()
    search.changed(postmortem)
    auditing.record("postmortem.publish_again", on=postmortem, by=by, at=at)


def lookalikes(postmortem: Postmortem, *, user: Any) -> list[Postmortem]:
    """The published ones that this reader may see and that look most like it, best first."""
    incidents = list(postmortem.incidents.all())
    report = suggestions.Report(
        title=postmortem.title,
        symptoms="\n\n".join(text.body for text in postmortem.sections_in_order() if text.key in LOOKED_LIKE),
        error_excerpt="\n".join(incident.error_excerpt for incident in incidents),
        services=tuple(service.slug for service in postmortem.services.all()),
        environment=postmortem.environment,
        own_keys=frozenset({postmortem.search_key, *(incident.search_key for incident in incidents)}),
    )
    found = suggestions.suggest(report, user=user, limit=LOOKED_AT).results
    rows = [row for each in found for row in _told_in(each.item)]
    return [row for row in dict.fromkeys(rows) if row.is_published and row != postmortem]


def _told_in(item: search.Item) -> list[Postmortem]:
    if isinstance(item, Incident):
        return list(item.postmortems.all())
    return [item] if isinstance(item, Postmortem) else []


@transaction.atomic
def ask_about_lookalikes(postmortem: Postmortem, *, by: Any, at: datetime) -> int:
    """Keep the question until somebody answers it: how many there are now that were never asked before."""
    found = lookalikes(postmortem, user=by or search.THE_MACHINE)[:ASKED]
    return sum(Comparison.objects.ask(postmortem, earlier, at=at) is not None for earlier in found)


def look_again(postmortem: Postmortem, *, by: Any, at: datetime) -> int:
    """Since it was published others may have been that look like it. How many more questions there are."""
    require_editor(postmortem, by)
    return ask_about_lookalikes(postmortem, by=by, at=at)


@transaction.atomic
def compare(
    comparison: Comparison, *, verdict: str, by: Any, at: datetime, title: str = "", how_to_tell: str = ""
) -> None:
    """Same cause: both under one problem. Same symptom: apart, with the check that tells them apart. Or different."""
    roles.require(by, "curate")
    before, check = comparison.verdict, how_to_tell.strip()
    if verdict == Verdict.SAME_CAUSE:
        _join(comparison, title=title.strip(), check=check, at=at)
    else:
        _refuse_if_together(comparison)
    if verdict == Verdict.SAME_SYMPTOM:
        _keep_apart(comparison, check)
    comparison.decide(verdict, how_to_tell=check, by=by, at=at)
    postmortem, earlier = comparison.postmortem, comparison.earlier
    changes = {earlier.ref: (before, verdict)}
    auditing.record("postmortem.compare", on=postmortem, by=by, at=at, changes=changes)


def _join(comparison: Comparison, *, title: str, check: str, at: datetime) -> None:
    postmortem, earlier = comparison.postmortem, comparison.earlier
    known = {row.problem for row in (earlier, postmortem) if row.problem}
    if len(known) > 1:
        refs = " and ".join(sorted(problem.ref for problem in known))
        raise NoAnswer(f"They belong to {refs}: merge these on the page of one of them first.")
    if not known and not title:
        raise NoAnswer("Name the problem that both have in common.")
    problem = known.pop() if known else Problem.objects.create(title=title, cause_category=earlier.cause_category)
    problem.add_check(check)
    for row in (postmortem, earlier):
        row.belong_to(problem)
    search.changed(problem, postmortem, earlier)
    for row in (postmortem, earlier):  # which of them came first, their dates say
        recurring.reopen_recurred(problem, occurrence=row, at=at)


def _refuse_if_together(comparison: Comparison) -> None:
    problem = comparison.postmortem.problem
    if problem and problem == comparison.earlier.problem:
        raise NoAnswer(f"Both belong to {problem.ref}: take one of them off it first.")


def _keep_apart(comparison: Comparison, check: str) -> None:
    postmortem, earlier = comparison.postmortem, comparison.earlier
    if not check:
        raise NoAnswer("Say how one can tell them apart: what to look at, and what each of them shows there.")
    for problem in filter(None, (postmortem.problem, earlier.problem)):
        problem.add_check(check)
        search.changed(problem)
