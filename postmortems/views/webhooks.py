"""Webhooks, for administrators: where to, what came of each delivery, and again. A secret is shown once."""

from functools import partial

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import Webhook, WebhookDelivery
from postmortems.views.reader import reader_of
from postmortems.views.steps import stepped, taken
from postmortems.webhook_forms import WebhookForm
from postmortems.workflows import webhooks

PER_PAGE = 25


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_list(request: HttpRequest) -> HttpResponse:
    """All of them; posted to, one more."""
    roles.require(request.user, "administer")
    form, secret = WebhookForm(request.POST or None, reader=reader_of(request)), ""
    if form.is_valid():
        # No redirect: whatever could carry the secret over to the next page would keep it.
        try:
            _, secret = webhooks.create(**form.cleaned_data, by=request.user, at=timezone.now())
        except DomainError as refusal:  # what its name server says may have changed since the form asked
            form.add_error("url", str(refusal))
        else:
            form = WebhookForm(reader=reader_of(request))
    rows = Webhook.objects.select_related("account")
    return render(request, "postmortems/webhook_list.html", {"form": form, "secret": secret, "webhooks": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Its form, and the log of its deliveries."""
    webhook = _webhook(request, pk)
    initial = {name: getattr(webhook, name) for name in ("name", "url", "format", "events", "account")}
    form = WebhookForm(request.POST or None, initial=initial, reader=reader_of(request), chosen=webhook.account)
    if form.is_valid():
        step = partial(webhooks.edit, webhook, **form.cleaned_data, by=request.user, at=timezone.now())
        if taken(form, step):
            messages.success(request, "Saved.")
            return redirect(webhook)
    return _page(request, webhook, form)


def _page(request: HttpRequest, webhook: Webhook, form: WebhookForm, secret: str = "") -> HttpResponse:
    page = Paginator(webhook.deliveries.newest_first(), PER_PAGE).get_page(request.GET.get("page"))
    context = {"webhook": webhook, "form": form, "page": page, "secret": secret}
    return render(request, "postmortems/webhook_detail.html", context)


@require_POST
def webhook_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """Answers with the page that shows the new secret, this once."""
    webhook = _webhook(request, pk)
    secret = webhooks.rotate(webhook, by=request.user, at=timezone.now())
    initial = {name: getattr(webhook, name) for name in ("name", "url", "format", "events", "account")}
    return _page(
        request, webhook, WebhookForm(initial=initial, reader=reader_of(request), chosen=webhook.account), secret
    )


@require_POST
def webhook_switch(request: HttpRequest, pk: int) -> HttpResponse:
    webhook, is_active = _webhook(request, pk), "on" in request.POST
    step = partial(webhooks.switch, webhook, is_active=is_active, by=request.user, at=timezone.now())
    return stepped(request, webhook, step, f"It is {'on' if is_active else 'off'} now.")


@require_POST
def webhook_test(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = _webhook(request, pk)
    step = partial(webhooks.send_test, webhook, by=request.user, at=timezone.now())
    return stepped(request, webhook, step, "A test is on its way: load this page again to see what came of it.")


@require_POST
def webhook_remove(request: HttpRequest, pk: int) -> HttpResponse:
    webhook = _webhook(request, pk)
    step = partial(webhooks.remove, webhook, by=request.user, at=timezone.now())
    return stepped(request, "webhook_list", step, f"{webhook} is removed.")


@require_POST
def delivery_again(request: HttpRequest, pk: int) -> HttpResponse:
    roles.require(request.user, "administer")
    delivery = get_object_or_404(WebhookDelivery.objects.select_related("webhook"), pk=pk)
    step = partial(webhooks.deliver_again, delivery, by=request.user, at=timezone.now())
    return stepped(request, delivery.webhook, step, "It is on its way again, with the same id.")


def _webhook(request: HttpRequest, pk: int) -> Webhook:
    roles.require(request.user, "administer")
    return get_object_or_404(Webhook.objects.select_related("account"), pk=pk)
