"""Reminders of action items: how often, what the next one would say, and no more of them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kb.clock import zone_of
from postmortems.account_forms import ReminderForm
from postmortems.models import ReminderChoice
from postmortems.views.reader import reader_of
from postmortems.workflows import reminding


@require_safe
def reminder_preview(request: HttpRequest) -> HttpResponse:
    reader = reader_of(request)
    context = {
        "choice": ReminderChoice.objects.of(reader),
        "digests": reminding.preview(reader, at=timezone.now()),
        "zone": zone_of(reader),
    }
    return render(request, "reminders/preview.html", context)


@require_POST
def reminder_choose(request: HttpRequest) -> HttpResponse:
    form = ReminderForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Not saved: choose daily, weekly with a day, or never.")
        return redirect("account")
    reminding.choose(reader_of(request), **form.cleaned_data, at=timezone.now())
    messages.success(request, "Saved. It counts from the next one on.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@csrf_exempt
def reminders_off(request: HttpRequest, signed: str) -> HttpResponse:
    """The link in a mail, and what mail programs post to by themselves (RFC 8058): the signature stands for both."""
    person = reminding.person_of(signed)
    if person is None:
        raise Http404("No such link.")
    if request.method == "POST":
        reminding.stop(person, at=timezone.now())
    return render(request, "reminders/off.html", {"done": request.method == "POST"})
