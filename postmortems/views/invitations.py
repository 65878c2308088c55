"""Invitations, and accounts that people make themselves where that is open."""

from allauth.account.utils import perform_login
from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from kb.errors import DomainError
from postmortems import roles
from postmortems.account_forms import AccountForm, AddressForm, InvitationForm
from postmortems.models import Invitation, User
from postmortems.models.invitation import InvitationGone
from postmortems.views.once import sent_once
from postmortems.workflows import accounts


@require_http_methods(["GET", "HEAD", "POST"])
@sent_once
def invitation_list(request: HttpRequest) -> HttpResponse:
    """Those that wait; posted to, one more."""
    manager = request.user
    assert isinstance(manager, User)  # noqa: S101  (every page but sign-in needs an account; this tells mypy so)
    roles.require(manager, "invite")
    form = InvitationForm(request.POST or None, gives=accounts.roles_given_by(manager))
    if form.is_valid():
        if refused := too_many(request, "invite"):
            return refused
        try:
            invitation = accounts.invite(**form.cleaned_data, by=manager, at=timezone.now())
        except DomainError as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(request, f"The invitation is on its way to {invitation.email}.")
            return redirect("invitation_list")
    waiting = Invitation.objects.pending(at=timezone.now()).select_related("team", "invited_by")
    return render(request, "account/invitation_list.html", {"form": form, "invitations": waiting})


@require_POST
def invitation_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    manager = request.user
    assert isinstance(manager, User)  # noqa: S101  (as above)
    roles.require(manager, "invite")
    invitation = get_object_or_404(Invitation, pk=pk)
    accounts.revoke(invitation, by=manager, at=timezone.now())
    messages.success(request, f"The invitation of {invitation.email} is taken back.")
    return redirect("invitation_list")


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind the link. Used, taken back, too old, made up: the same answer."""
    if refused := too_many(request, "accept_invitation"):
        return refused
    invitation = Invitation.objects.with_token(token).pending(at=timezone.now()).first()
    if invitation is None:
        return render(request, "account/invitation_gone.html", status=410)
    form = AccountForm(request.POST or None, email=invitation.email)
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            user = accounts.accept(
                invitation, username=chosen["username"], password=chosen["password1"], at=timezone.now()
            )
        except InvitationGone:
            return render(request, "account/invitation_gone.html", status=410)
        except DomainError as refusal:
            form.add_error("username", str(refusal))
        else:
            return sign_in_new(request, user)
    return render(request, "account/invitation_accept.html", {"form": form, "invitation": invitation})


def sign_in_new(request: HttpRequest, user: User) -> HttpResponse:
    messages.success(request, f"Welcome, {user}.")
    response: HttpResponse = perform_login(request, user)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
def account_signup(request: HttpRequest) -> HttpResponse:
    """Named as django-allauth asks for it. Closed unless the operator opened it."""
    if not settings.SIGN_UP_DOMAINS:
        return render(request, "account/signup_closed.html")
    form = AddressForm(request.POST or None)
    if form.is_valid():
        email = form.cleaned_data["email"]
        if refused := too_many(request, "sign_up", key=email):
            return refused
        try:
            accounts.ask_for_account(email, at=timezone.now())
        except DomainError as refusal:
            form.add_error("email", str(refusal))
        else:
            return render(request, "account/signup_sent.html")
    return render(request, "account/signup.html", {"form": form, "domains": settings.SIGN_UP_DOMAINS})


def too_many(request: HttpRequest, action: str, key: str | None = None) -> HttpResponse | None:
    """The page that says so, when this was posted more often than ACCOUNT_RATE_LIMITS allows."""
    response: HttpResponse | None = ratelimit.consume_or_429(request, action=action, key=key)
    return response
