"""The library of fixes, and what came of each."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postmortems.filters import FixFilter
from postmortems.models import Fix, FixUse
from postmortems.views.permalinks import by_ref

PER_PAGE = 25


@require_safe
def fix_list(request: HttpRequest) -> HttpResponse:
    rows = Fix.objects.visible_to(request.user).with_track_record(request.user).prefetch_related("services")
    found = FixFilter(request.GET, queryset=rows)
    page = Paginator(found.qs.order_by("title", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/fix_list.html", {"filter": found, "page": page})


@require_safe
def fix_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    rows = Fix.objects.visible_to(request.user).with_track_record(request.user)
    fix = by_ref(rows.select_related("problem", "postmortem").prefetch_related("services"), ref)
    uses = FixUse.objects.visible_to(request.user).filter(fix=fix).select_related("incident", "recorded_by")
    page = Paginator(uses, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/fix_detail.html", {"fix": fix, "page": page})
