"""What was promised across incidents: as a list, as a board, as a file; and lists that are kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kb.errors import DomainError
from kb.spreadsheet import as_csv
from postmortems import roles
from postmortems.action_forms import ManyForm, SaveForm, known_filters, likely_owners
from postmortems.filters import ActionItemFilter
from postmortems.models import ActionItem, SavedFilter
from postmortems.views.reader import reader_of
from postmortems.views.steps import number_of, stepped, taken
from postmortems.workflows import followups, saved_filters

PER_PAGE = 25
PER_COLUMN = 8  # more cards than that are a list, not a board
AT_ONCE = 200  # changed together: what one can still look through on one page
State = ActionItem.State
SHOWN = (
    *("title", "kind", "state", "priority", "due_on", "done_when", "reason", "owner_text", "done_by"),
    *(f"owner__{name}" for name in ("username", "first_name", "last_name")),
    *(f"{home}__{name}" for home in ("postmortem", "incident") for name in ("title", "severity")),
)
DEFAULT = QueryDict("state=unfinished")  # what is done is not what one comes here for


def _rows(user: Any) -> Any:
    return ActionItem.objects.all_visible_to(user).select_related("owner", "postmortem", "incident")


def _shown(pks: Iterable[int]) -> dict[int, ActionItem]:
    """What a line or a card shows of those that were found to be seen: long texts stay where they are."""
    rows = ActionItem.objects.filter(pk__in=list(pks)).select_related("owner", "postmortem", "incident")
    return {item.pk: item for item in rows.only(*SHOWN)}


def _found(request: HttpRequest) -> ActionItemFilter:
    """What was asked for; where nothing was, what is not finished."""
    chosen = request.GET if known_filters(request.GET) else DEFAULT
    return ActionItemFilter(chosen, queryset=_rows(request.user), request=request)


@require_safe
def action_list(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The soonest first; `?format=csv` is the same as a file."""
    found = _found(request)
    rows = found.qs.soonest_first()
    if request.GET.get("format") == "csv":
        return as_csv("action-items.csv", COLUMNS, _cells(rows))
    # Who may see what is asked once, for the keys: it costs more than all the rest.
    page = Paginator(list(rows.values_list("pk", flat=True)), PER_PAGE).get_page(request.GET.get("page"))
    known = _shown(page.object_list)
    items = [known[pk] for pk in page.object_list if pk in known]
    context = {"filter": found, "page": page, "items": items, "at_once": AT_ONCE, **_kept(request)}
    return render(request, "postmortems/action_list.html", context)


def _kept(request: HttpRequest) -> dict[str, Any]:
    """The saved lists, and the filters of this one as a query string."""
    saved = SavedFilter.objects.visible_to(request.user).select_related("owner")
    return {"saved": saved, "chosen": known_filters(request.GET)}


COLUMNS = (
    *("item", "title", "kind", "state", "priority", "owner", "due_on", "days_late", "promised_in", "severity"),
    *("services", "team", "ticket", "done_when", "evidence", "reason", "created_on", "address"),
)


def _cells(rows: Any) -> Iterator[list[Any]]:
    today = timezone.localdate()
    with_it = rows.select_related("postmortem__team").prefetch_related("postmortem__services", "incident__services")
    for item in with_it.iterator(chunk_size=500):
        home = item.home
        yield [
            *(item.ref, item.title, item.get_kind_display(), item.get_state_display(), item.get_priority_display()),
            *(item.owner_name, item.due_on, item.days_late(on=today) or "", item.home_ref, home.severity.upper()),
            ", ".join(service.name for service in home.services.all()),
            getattr(home, "team", None),
            *(item.ticket, item.done_when, item.evidence, item.reason, timezone.localdate(item.created_at)),
            item.get_absolute_url(),
        ]


# --- the board ---


@dataclass(frozen=True)
class Column:
    """A state, the first of its items, and how many there are."""

    state: State
    items: list[ActionItem]
    count: int
    query: str

    @property
    def is_cut(self) -> bool:
        return self.count > len(self.items)


@require_safe
def action_board(request: HttpRequest) -> HttpResponse:
    """A column for each state; it has no filter by state itself."""
    typed = request.GET.copy()
    typed.pop("state", None)
    found = ActionItemFilter(typed, queryset=_rows(request.user), request=request)
    # One query for all columns: building one takes Django as long as the database needs to answer.
    pks: dict[str, list[int]] = {state.value: [] for state in State}
    for state, pk in found.qs.by_urgency().values_list("state", "pk"):
        pks[state].append(pk)
    known = _shown(pk for listed in pks.values() for pk in listed[:PER_COLUMN])
    columns = [_column(state, pks[state.value], known, typed) for state in State]
    context = {"filter": found, "columns": columns, **_kept(request), "chosen": known_filters(typed)}
    return render(request, "postmortems/action_board.html", context)


def _column(state: State, pks: list[int], known: dict[int, ActionItem], typed: QueryDict) -> Column:
    query = typed.copy()
    query["state"] = state.value
    items = [known[pk] for pk in pks[:PER_COLUMN] if pk in known]
    return Column(state, items, len(pks), known_filters(query))


# --- lists that are kept ---


@require_POST
def action_save(request: HttpRequest) -> HttpResponse:
    form = SaveForm(request.POST)
    if form.is_valid():
        try:
            row = saved_filters.keep(**form.cleaned_data, by=reader_of(request), at=timezone.now())
        except DomainError as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, f"“{row}” is kept. Its address is {row.get_absolute_url()}")
            return redirect(row)
    return render(request, "postmortems/action_save.html", {"form": form})


@require_safe
def action_saved(request: HttpRequest, pk: int) -> HttpResponse:
    """Its address stays; the rows are found anew, for who reads."""
    row = get_object_or_404(SavedFilter.objects.visible_to(request.user), pk=pk)
    return redirect(f"{reverse('action_list')}?{known_filters(QueryDict(row.query))}")


@require_POST
def action_saved_remove(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(SavedFilter.objects.filter(owner=reader_of(request)), pk=pk)
    step = partial(saved_filters.remove, row, by=reader_of(request), at=timezone.now())
    return stepped(request, "action_list", step, f"“{row}” is removed. The action items are as they were.")


# --- several at once ---


@require_http_methods(["GET", "HEAD", "POST"])
def action_change(request: HttpRequest) -> HttpResponse:
    """Ask what changes, say what that means for each, and do it when that was seen."""
    roles.require(request.user, "follow_up")
    items = _chosen(request)
    form = ManyForm(request.POST if request.method == "POST" else None)
    is_sure = "sure" in request.POST
    context = {"form": form, "items": items, "at_once": AT_ONCE, "people": likely_owners(request.user)}
    if not items or not form.is_valid():
        return render(request, "postmortems/action_change.html", context)
    known = form.cleaned_data
    if is_sure:
        step = partial(followups.change_many, items, **known, by=reader_of(request), at=timezone.now())
        if taken(form, step):
            messages.success(request, f"{len(items)} action item{'' if len(items) == 1 else 's'} changed.")
            return redirect("action_list")
        return render(request, "postmortems/action_change.html", context)
    return render(request, "postmortems/action_change_confirm.html", {**context, "known": known})


def _chosen(request: HttpRequest) -> list[ActionItem]:
    """Those that are ticked, or all that the filters find; of what the reader may see, and no more than fit."""
    if request.method != "POST" and "all" in request.GET:
        return list(_found(request).qs.soonest_first()[:AT_ONCE])
    typed = (request.POST if request.method == "POST" else request.GET).getlist("item")
    pks = [pk for each in typed if (pk := number_of(each)) is not None][:AT_ONCE]
    return list(_rows(request.user).filter(pk__in=pks).soonest_first())
