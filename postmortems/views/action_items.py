"""One action item: read it, promise a new one, change it, and take its steps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kb.clock import site_day
from postmortems import roles
from postmortems.action_forms import (
    AssignForm,
    DateForm,
    EvidenceForm,
    IdentifyForm,
    ItemForm,
    NewItemForm,
    WhyForm,
    likely_owners,
)
from postmortems.models import ActionItem, Incident, Postmortem, Tracker
from postmortems.views.once import sent_once
from postmortems.views.permalinks import by_ref
from postmortems.views.reader import reader_of
from postmortems.views.steps import stepped, taken
from postmortems.workflows import followups, recurring

LISTED = 10  # incidents that it would have prevented: the page says how many there are in all


def _to_read(user: Any) -> Any:
    with_it = ("owner", "postmortem", "incident", "approved_by", "verified_by", "done_by")
    return ActionItem.objects.visible_to(user).select_related(*with_it)


@require_safe
def action_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    item = by_ref(_to_read(request.user).with_prevented(request.user), ref)
    return _page(request, item, IdentifyForm())


def _page(request: HttpRequest, item: Any, identify: IdentifyForm) -> HttpResponse:
    user = request.user
    namesakes = ActionItem.objects.visible_to(user).named(item.owner_text) if item.owner_text else None
    prevented = item.prevented_incidents(user)[:LISTED] if item.prevented else ()
    again = recurring.recurrences(item, user=user)
    context = {
        "item": item,
        "history": recurring.history_of(item, user=user),
        "occurrence": recurring.OCCURRENCE,
        "again": again,
        "since": _since(item.declined_at, again),
        "prevented": prevented,
        "trackers": Tracker.objects.most_specific_first() if item.ticket else (),
        "namesakes": namesakes.count() if namesakes is not None else 0,
        "identify": identify,
        "people": likely_owners(user) if item.owner_text else (),
    }
    return render(request, "postmortems/action_detail.html", context)


def _since(declined_at: datetime | None, again: list[Postmortem]) -> list[Postmortem]:
    return [row for row in again if declined_at and row.occurred_on and row.occurred_on >= site_day(declined_at)]


# --- promised, and written anew ---


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def action_new(request: HttpRequest) -> HttpResponse:
    """In what is named in the address: `?incident=INC-3`, `?postmortem=PM-7`."""
    roles.require(request.user, "follow_up")
    home = _home_of(request)
    form = NewItemForm(request.POST or None, initial={"title": request.GET.get("title", "")})
    if form.is_valid():
        step = partial(followups.create, home, **form.cleaned_data, by=reader_of(request), at=timezone.now())
        if taken(form, step):
            messages.success(request, f"It is promised in {home.ref}.")
            return redirect(f"{home.get_absolute_url()}#actions")
    context = {"form": form, "home": home, "people": likely_owners(request.user)}
    return render(request, "postmortems/action_edit.html", context)


def _home_of(request: HttpRequest) -> Postmortem | Incident:
    if ref := request.GET.get("incident"):
        return by_ref(Incident.objects.visible_to(request.user), ref)
    if ref := request.GET.get("postmortem"):
        return by_ref(Postmortem.objects.visible_to(request.user), ref)
    raise Http404("An action item is promised in an incident or in a postmortem.")


@require_http_methods(["GET", "HEAD", "POST"])
def action_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Only what was changed is written: two who change different things do not undo each other's."""
    item = by_ref(_to_read(request.user), ref)
    roles.require(request.user, "follow_up")
    form = ItemForm(request.POST or None, initial={name: getattr(item, name) for name in ItemForm.base_fields})
    if form.is_valid():
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        if taken(form, partial(followups.edit, item, by=reader_of(request), at=timezone.now(), **changed)):
            messages.success(request, f"{item.ref}: saved.")
            return redirect(item)
    return render(request, "postmortems/action_edit.html", {"form": form, "item": item, "home": item.home})


# --- its steps ---


@dataclass(frozen=True)
class Step:
    """A page that asks for what a step needs. `says`: what follows from it."""

    title: str
    says: str
    button: str
    done: str
    form: type[forms.Form]
    take: Callable[..., None]
    ability: str = "follow_up"
    initial: tuple[str, ...] = ()


COMPLETE = Step(
    "It is done",
    "Somebody other than its owner then verifies that it holds.",
    "It is done",
    "done. Somebody else verifies it.",
    EvidenceForm,
    followups.complete,
)
VERIFY = Step(
    "Verify",
    "Look for yourself: does what stands under “done when” hold?",
    "It holds",
    "verified.",
    EvidenceForm,
    followups.verify,
    initial=("evidence",),
)
DECLINE = Step(
    "Do not do it",
    "Who approves that is named with the reason. If its problem comes back, its page says so.",
    "It will not be done",
    "will not be done.",
    WhyForm,
    followups.decline,
    ability="decline",
)
REOPEN = Step(
    "Open it again",
    "What ended it stays in its history.",
    "Open it again",
    "open again.",
    WhyForm,
    followups.reopen,
)
RESCHEDULE = Step(
    "Change the date",
    "Whoever waits for it is told, with the reason.",
    "Change the date",
    "the date is changed.",
    DateForm,
    followups.reschedule,
    initial=("due_on",),
)
ASSIGN = Step(
    "Hand it over",
    "One person owns it, and is told.",
    "Hand it over",
    "handed over.",
    AssignForm,
    followups.assign,
    initial=("owner",),
)


def _ask(request: HttpRequest, ref: str, step: Step) -> HttpResponse:
    """The step's page; posted to, the step."""
    item = by_ref(_to_read(request.user), ref)
    roles.require(request.user, step.ability)
    before = {name: getattr(item, name) for name in step.initial}
    form = step.form(request.POST if request.method == "POST" else None, initial=before)
    back = _back_of(request, item)
    if form.is_valid():
        take = partial(step.take, item, **form.cleaned_data, by=reader_of(request), at=timezone.now())
        if taken(form, take):
            messages.success(request, f"{item.ref}: {step.done}")
            return redirect(back)
    people = likely_owners(request.user) if step is ASSIGN else ()
    context = {"form": form, "item": item, "step": step, "back": back, "people": people}
    return render(request, "postmortems/action_step.html", context)


def _back_of(request: HttpRequest, item: ActionItem) -> str:
    """Where it was clicked: the board, or its own page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    here = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/actions/")
    return wanted if here else item.get_absolute_url()


@require_http_methods(["GET", "HEAD", "POST"])
def action_complete(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, COMPLETE)


@require_http_methods(["GET", "HEAD", "POST"])
def action_verify(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, VERIFY)


@require_http_methods(["GET", "HEAD", "POST"])
def action_decline(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, DECLINE)


@require_http_methods(["GET", "HEAD", "POST"])
def action_reopen(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, REOPEN)


@require_http_methods(["GET", "HEAD", "POST"])
def action_reschedule(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, RESCHEDULE)


@require_http_methods(["GET", "HEAD", "POST"])
def action_assign(request: HttpRequest, ref: str) -> HttpResponse:
    return _ask(request, ref, ASSIGN)


@require_POST
def action_start(request: HttpRequest, ref: str) -> HttpResponse:
    item = by_ref(_to_read(request.user), ref)
    step = partial(followups.start, item, by=reader_of(request), at=timezone.now())
    return stepped(request, _back_of(request, item), step, f"{item.ref}: in progress.")


@require_POST
def action_take(request: HttpRequest, ref: str) -> HttpResponse:
    """ "I do it": in one click."""
    item, me = by_ref(_to_read(request.user), ref), reader_of(request)
    step = partial(followups.assign, item, owner=me, by=me, at=timezone.now())
    return stepped(request, _back_of(request, item), step, f"{item.ref} is yours.")


@require_POST
def action_identify(request: HttpRequest, ref: str) -> HttpResponse:
    """ "This is Bob": for all items that this written name owns."""
    item = by_ref(_to_read(request.user).with_prevented(request.user), ref)
    roles.require(request.user, "follow_up")
    form, name = IdentifyForm(request.POST), item.owner_text
    if not ActionItem.objects.visible_to(request.user).named(name).exists():
        messages.error(request, f"{item.ref} has an owner by now, or nobody's name stands there any more.")
        return redirect(item)
    if not form.is_valid():
        return _page(request, item, form)
    person = form.cleaned_data["user"]
    count = followups.identify_owner(name, user=person, by=reader_of(request), at=timezone.now())
    if count:
        messages.success(request, f"{name} is {person}: {count} action item{'' if count == 1 else 's'}.")
    else:
        messages.error(request, f"{person} may see none of them: share where they were promised first.")
    return redirect(item)
