"""The reader's own settings."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from postmortems.account_forms import ReminderForm
from postmortems.forms import TimeZoneForm
from postmortems.models import ReminderChoice, User
from postmortems.workflows import accounts


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    reader = request.user
    assert isinstance(reader, User)  # noqa: S101  (every page but sign-in needs an account; this tells mypy so)
    form = TimeZoneForm(request.POST or None, initial={"time_zone": reader.time_zone})
    if form.is_valid():
        accounts.choose_time_zone(reader, name=form.cleaned_data["time_zone"])
        messages.success(request, "Saved. Times are now shown in the zone you chose.")
        return redirect("account")
    choice = ReminderChoice.objects.of(reader)
    reminders = ReminderForm(initial={"rhythm": choice.rhythm, "weekday": choice.weekday})
    context = {"form": form, "may_invite": reader.may("invite"), "reminders": reminders}
    return render(request, "account.html", context)
