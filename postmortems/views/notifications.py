"""What a person was told, what they follow, and whether they want mail."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from postmortems.models import Incident, Notification, Postmortem, Service, Watch
from postmortems.views.permalinks import by_ref
from postmortems.views.reader import reader_of
from postmortems.workflows import mailing, watching

PER_PAGE = 25


@require_safe
def notification_list(request: HttpRequest) -> HttpResponse:
    rows = Notification.objects.visible_to(request.user).select_related("incident", "postmortem")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    watches = Watch.objects.visible_to(request.user).select_related("incident", "postmortem", "service")
    context = {"page": page, "watches": watches, "services": Service.objects.in_use()}
    return render(request, "postmortems/notification_list.html", context)


@require_POST
def notification_read(request: HttpRequest, pk: int) -> HttpResponse:
    """It was read: on to what it is about."""
    row = get_object_or_404(Notification.objects.visible_to(request.user), pk=pk)
    watching.mark_read(reader_of(request), at=timezone.now(), pk=pk)
    return redirect(row.incident or row.postmortem or "notification_list")


@require_POST
def notifications_read(request: HttpRequest) -> HttpResponse:
    watching.mark_read(reader_of(request), at=timezone.now())
    return redirect("notification_list")


@require_POST
def incident_watch(request: HttpRequest, ref: str) -> HttpResponse:
    return _watch(request, by_ref(Incident.objects.visible_to(request.user), ref))


@require_POST
def postmortem_watch(request: HttpRequest, ref: str) -> HttpResponse:
    return _watch(request, by_ref(Postmortem.objects.visible_to(request.user), ref))


def _watch(request: HttpRequest, row: Incident | Postmortem) -> HttpResponse:
    if "stop" in request.POST:
        watching.stop(row, by=reader_of(request))
        messages.success(request, f"You do not watch {row.ref} any more.")
    else:
        watching.watch(row, by=reader_of(request), at=timezone.now())
        messages.success(request, f"You watch {row.ref}: you are told what happens to it.")
    return redirect(row)


@require_POST
def service_watch(request: HttpRequest) -> HttpResponse:
    """Those that are ticked, and no others."""
    chosen = Service.objects.in_use().filter(slug__in=request.POST.getlist("services"))
    watching.watch_services(chosen, by=reader_of(request), at=timezone.now())
    messages.success(request, "Saved. You are told of what concerns these services.")
    return redirect("notification_list")


@require_POST
def mail_choose(request: HttpRequest) -> HttpResponse:
    mailing.choose_mail(reader_of(request), wanted="wants_mail" in request.POST)
    messages.success(request, "Saved.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@csrf_exempt
def mail_off(request: HttpRequest, signed: str) -> HttpResponse:
    """The link in a mail, and what mail programs post to by themselves (RFC 8058): the signature stands for both."""
    person = mailing.person_of(signed)
    if person is None:
        raise Http404("No such link.")
    if request.method == "POST":
        mailing.choose_mail(person, wanted=False)
    return render(request, "account/mail_off.html", {"done": request.method == "POST"})
