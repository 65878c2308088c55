"""What managers look at: the insights by topic, the rows behind each number, files of both, and one week on paper."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from kb.spreadsheet import as_csv
from postmortems.insight_forms import ScopeForm
from postmortems.insights import rows, topics, weekly
from postmortems.insights.figures import Table
from postmortems.models import ActionItem, Incident, KnowledgeGap, Postmortem, Problem
from postmortems.workflows import learning

PER_PAGE = 100
ASKED_AGAIN = 30  # gaps, while somebody waits for the page; a timer asks for all
COLUMNS = ("ref", "title", "severity", "state", "on", "address")
PERIODS = ((30, "30 days"), (90, "90 days"), (365, "12 months"), (730, "2 years"))


@require_safe
def insights(request: HttpRequest) -> HttpResponse:
    return _page(request, topics.TOPICS[0])


@require_safe
def insight_topic(request: HttpRequest, topic: str) -> HttpResponse:
    if topic not in topics.BY_KEY:
        raise Http404("There is no such page.")
    return _page(request, topics.BY_KEY[topic])


def _page(request: HttpRequest, topic: topics.Topic) -> HttpResponse:
    now = timezone.now()
    form = ScopeForm(request.GET, today=timezone.localdate(now))
    scope = form.scope()
    if topic.key == "gaps" and request.method == "GET":
        _ask_again(request.user, now)
    context = {
        "topic": topic,
        "topics": topics.TOPICS,
        "scope": scope,
        "form": form,
        "sections": topic.sections(scope, request.user, now),
        "periods": _periods(form.today, scope.query),
    }
    return render(request, "postmortems/insights.html", context)


def _ask_again(user: Any, now: datetime) -> None:
    """What found nothing then, and is known by now, is not shown as a gap."""
    waiting = KnowledgeGap.objects.visible_to(user).unanswered().select_related("incident").order_by("at", "pk")
    learning.close_answered_gaps(at=now, gaps=waiting[:ASKED_AGAIN])


def _periods(today: date, asked: dict[str, str]) -> list[tuple[str, dict[str, str], bool]]:
    """(name, what its address asks for, whether it is the one that is shown)."""
    named = []
    for days, name in PERIODS:
        period = {"since": str(today - timedelta(days=days - 1)), "until": str(today)}
        named.append((name, asked | period, asked | period == asked))
    return named


@require_safe
def insight_file(request: HttpRequest, table: str) -> StreamingHttpResponse:
    """The table of a question, for a spreadsheet."""
    if table not in topics.ANSWERS:
        raise Http404("There is no such table.")
    now = timezone.now()
    scope = ScopeForm(request.GET, today=timezone.localdate(now)).scope()
    found = topics.ANSWERS[table](scope, request.user, now).table
    return as_csv(f"{table}-{scope.first}-{scope.last}.csv", found.header, _cells(found))


def _cells(table: Table) -> Iterator[list[Any]]:
    return (["" if cell is None else cell for cell in row] for row in table.rows)


@require_safe
def insight_rows(request: HttpRequest, name: str) -> HttpResponse | StreamingHttpResponse:
    """The rows that a number stands for; `?format=csv` is the same as a file."""
    now = timezone.now()
    scope = ScopeForm(request.GET, today=timezone.localdate(now)).scope()
    found = _found(name, request, scope, now)
    if request.GET.get("format") == "csv":
        return as_csv(f"{name}.csv", COLUMNS, (_line(row) for row in found.rows))
    page = Paginator(found.rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/insight_rows.html", {"found": found, "page": page, "scope": scope})


def _found(name: str, request: HttpRequest, scope: Any, now: Any) -> rows.Found:
    asked = rows.Asked(scope, request.user, request.GET.dict(), now)
    try:
        return rows.find(name, asked)
    except rows.NoSuchRows as error:
        raise Http404("No number stands for these rows.") from error


def _line(row: Any) -> list[Any]:
    """A row of whatever kind, in `COLUMNS`."""
    if isinstance(row, KnowledgeGap):
        state = "answered" if row.answered_at else "open"
        return [row.incident.ref, row.text, row.incident.severity, state, timezone.localdate(row.at), ""]
    state = row.status if isinstance(row, Incident | Postmortem) else row.state
    on: date | None = None
    if isinstance(row, Incident):
        on = timezone.localdate(row.started_at)
    elif isinstance(row, Postmortem):
        on = row.occurred_on
    elif isinstance(row, ActionItem):
        on = row.due_on
    return [
        row.ref,
        row.title,
        "" if isinstance(row, Problem | ActionItem) else row.severity,
        state,
        on,
        row.get_absolute_url(),
    ]


@require_safe
def weekly_review(request: HttpRequest) -> HttpResponse:
    """One ISO week, `?week=2026-W47`; without a name, this one."""
    now = timezone.now()
    this_week = weekly.Week.of(timezone.localdate(now))
    named = request.GET.get("week", "")
    week = weekly.Week.named(named) if named else this_week
    if week is None:
        raise Http404("There is no such week. Weeks are named like 2026-W47.")
    review = weekly.review(week, user=request.user, at=now)
    return render(request, "postmortems/weekly_review.html", {"review": review, "week": week, "this_week": this_week})
