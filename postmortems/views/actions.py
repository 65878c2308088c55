"""What was promised, and what is late."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postmortems.filters import ActionItemFilter
from postmortems.models import ActionItem

PER_PAGE = 25


@require_safe
def action_list(request: HttpRequest) -> HttpResponse:
    rows = ActionItem.objects.visible_to(request.user).select_related("owner", "postmortem", "incident")
    chosen = request.GET or {"state": "unfinished"}  # what is done is not what one comes here for
    found = ActionItemFilter(chosen, queryset=rows, request=request)
    page = Paginator(found.qs.soonest_first(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/action_list.html", {"filter": found, "page": page})
