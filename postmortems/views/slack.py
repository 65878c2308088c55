"""One's own account in Slack: a code to link it with, and the links there are."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from postmortems.models import SlackAccount
from postmortems.views.reader import reader_of
from postmortems.workflows import slack


@require_http_methods(["GET", "HEAD", "POST"])
def slack_link(request: HttpRequest) -> HttpResponse:
    """One's links; posted to, a code for one more, shown in this answer only."""
    code = slack.code_for(reader_of(request)) if request.method == "POST" else ""
    links = SlackAccount.objects.visible_to(request.user)
    return render(request, "account/slack_link.html", {"links": links, "code": code})


@require_POST
def slack_unlink(request: HttpRequest, pk: int) -> HttpResponse:
    account = get_object_or_404(SlackAccount.objects.visible_to(request.user).select_related("user"), pk=pk)
    slack.unlink(account, by=reader_of(request), at=timezone.now())
    messages.success(request, "Unlinked: from now on /kb does not know you.")
    return redirect("slack_link")
