"""The work beside the pages, for administrators: is it done, what was given up."""

from functools import partial
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from kb.jobs import queue
from kb.jobs.models import RegularWork, Worker
from postmortems import roles
from postmortems.views.steps import stepped
from postmortems.workflows import jobs

PER_PAGE = 25


@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    roles.require(request.user, "administer")
    now = timezone.now()
    counted = dict(queue.rows().order_by().values_list("status").annotate(n=Count("pk")))
    context = {
        "page": Paginator(queue.dead(), PER_PAGE).get_page(request.GET.get("page")),
        "workers": Worker.objects.living(at=now),
        "regular": RegularWork.objects.all(),
        "waiting": counted.get(queue.READY, 0),
        "running": counted.get(queue.RUNNING, 0),
        "done": counted.get(queue.DONE, 0),
        "due": queue.ready(at=now).count(),
        "kept_days": queue.KEEP_DONE.days,
    }
    return render(request, "postmortems/job_list.html", context)


@require_POST
def job_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    step = partial(jobs.put_back, pk, by=request.user, at=timezone.now())
    return stepped(request, "job_list", step, "Put back: a worker tries it again.")
