"""Tokens of one's own, and the accounts of programs with theirs. A secret is shown once, in the answer that made it."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import ApiToken, User
from postmortems.token_forms import ProgramForm, TokenForm
from postmortems.views.reader import reader_of
from postmortems.workflows import tokens


@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """One's own; posted to, one more."""
    return _page(request, reader_of(request), "account/token_list.html")


def _page(request: HttpRequest, user: User, template: str) -> HttpResponse:
    form, secret = TokenForm(request.POST or None), ""
    if form.is_valid():
        # No redirect: whatever could carry the secret over to the next page would keep it.
        _, secret = tokens.issue(user=user, **form.cleaned_data, by=reader_of(request), at=timezone.now())
        form = TokenForm()
    context = {"form": form, "secret": secret, "tokens": _listed(user), "now": timezone.now(), "program": user}
    return render(request, template, context)


def _listed(user: User) -> Any:
    return ApiToken.objects.filter(user=user, revoked_at=None)


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own, or, for administrators, anybody's."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.user).select_related("user"), pk=pk)
    tokens.revoke(token, by=reader_of(request), at=timezone.now())
    messages.success(request, f"{token} is revoked: from now on it opens nothing.")
    return redirect("program_detail", token.user_id) if token.user.is_integration else redirect("token_list")


@require_http_methods(["GET", "HEAD", "POST"])
def program_list(request: HttpRequest) -> HttpResponse:
    """The accounts of programs; posted to, one more."""
    roles.require(request.user, "administer")
    form = ProgramForm(request.POST or None)
    if form.is_valid():
        try:
            program = tokens.create_program(**form.cleaned_data, by=reader_of(request), at=timezone.now())
        except DomainError as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, f"{program} has an account. Make its first token here.")
            return redirect("program_detail", program.pk)
    good = Q(api_tokens__in=ApiToken.objects.good(at=timezone.now()))
    programs = User.objects.filter(is_integration=True).annotate(good_tokens=Count("api_tokens", filter=good))
    rows = programs.prefetch_related("groups", "teams").order_by("username")
    return render(request, "account/program_list.html", {"form": form, "programs": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def program_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The tokens of a program; posted to, one more."""
    roles.require(request.user, "administer")
    return _page(request, get_object_or_404(User, pk=pk, is_integration=True), "account/program_detail.html")
