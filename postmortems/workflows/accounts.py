"""Accounts: a reader's own settings, invitations, and what becomes of them."""

import logging
from datetime import datetime
from smtplib import SMTPException
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse

from kb.errors import DomainError
from postmortems import roles
from postmortems.models import Invitation, Team, User
from postmortems.roles import Role
from postmortems.workflows import auditing, people

logger = logging.getLogger(__name__)

# What managers may hand out; the others are an administrator's to give.
MANAGERS_GIVE = (Role.READER, Role.AUTHOR, Role.REVIEWER)
HAS_ACCOUNT = "Somebody with this address has an account already."


class NotInvited(DomainError):
    """This address cannot be invited."""


class NotSent(DomainError):
    """The mail did not leave."""


class NameTaken(DomainError):
    """Somebody has this user name already."""


def choose_time_zone(user: User, *, name: str) -> None:
    """See times in this zone from now on; the empty name is the site's zone."""
    User.objects.filter(pk=user.pk).update(time_zone=name)
    user.refresh_from_db(fields=["time_zone"])


# --- invitations ---


def roles_given_by(user: User) -> tuple[Role, ...]:
    """Nobody makes somebody else more than they are themselves."""
    if user.is_administrator:
        return tuple(Role)
    return MANAGERS_GIVE if roles.may(user, "invite") else ()


def invite(email: str, *, by: User, at: datetime, role: str = "", team: Team | None = None) -> Invitation:
    """Mail somebody a link to make an account. An earlier one to the same address is good for nothing any more."""
    roles.require(by, "invite")
    if role and role not in roles_given_by(by):
        raise NotInvited("This role is an administrator's to give.")
    if has_account(email):
        raise NotInvited(HAS_ACCOUNT)
    return _issue(email, at=at, role=role, team=team, invited_by=by)


def ask_for_account(email: str, *, at: datetime) -> None:
    """Invite oneself, where that is open to the address. Whether it has an account already only its mailbox learns."""
    if not may_sign_up(email):
        raise NotInvited("Addresses of this domain cannot make an account here. Ask to be invited.")
    if has_account(email):
        _mail("account_exists", email, {})
    else:
        _issue(email, at=at)


def may_sign_up(email: str) -> bool:
    return "*" in settings.SIGN_UP_DOMAINS or email.rpartition("@")[2].lower() in settings.SIGN_UP_DOMAINS


def has_account(email: str) -> bool:
    return (
        User.objects.filter(email__iexact=email).exists()
        or EmailAddress.objects.filter(email__iexact=email, verified=True).exists()
    )


def revoke(invitation: Invitation, *, by: User, at: datetime) -> None:
    """Take it back, if nobody used it yet."""
    roles.require(by, "invite")
    with transaction.atomic():
        if Invitation.objects.filter(pk=invitation.pk).revoke(at=at):
            auditing.record("invitation.revoke", on=invitation, by=by, at=at)


def accept(invitation: Invitation, *, username: str, password: str, at: datetime) -> User:
    """The account, with what the invitation gives it. Its address is verified: the link was mailed there."""
    if has_account(invitation.email):  # made since by an administrator or by the identity provider
        raise NotInvited(HAS_ACCOUNT)
    try:
        with transaction.atomic():
            user = User.objects.create_user(username=username, email=invitation.email, password=password)
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
            _take_up(invitation, user, at=at)
    except IntegrityError as error:
        raise NameTaken("Somebody has this user name already. Choose another one.") from error
    return user


def is_invited(email: str, *, at: datetime) -> bool:
    return Invitation.objects.to(email).pending(at=at).exists()


@transaction.atomic
def take_up_invitation(user: User, *, email: str, at: datetime) -> None:
    """By who came another way than by its link, with this address verified. Without an invitation nothing happens."""
    if invitation := Invitation.objects.to(email).pending(at=at).first():
        _take_up(invitation, user, at=at)


def _take_up(invitation: Invitation, user: User, *, at: datetime) -> None:
    invitation.accept(by=user, at=at)
    before = people.state_of(user)
    if invitation.role:
        user.give_roles(invitation.role)
    if invitation.team:
        invitation.team.members.add(user)
    auditing.record("invitation.accept", on=invitation, by=user, at=at)
    reason = "As the invitation said."
    people.record_change(user, before=before, by=invitation.invited_by, at=at, reason=reason)


def _issue(email: str, *, at: datetime, **preset: Any) -> Invitation:
    """Written first and mailed then, so that no lock is held while the mail server thinks."""
    with transaction.atomic():
        Invitation.objects.to(email).revoke(at=at)
        invitation, token = Invitation.objects.issue(email=email, at=at, **preset)
        auditing.record("invitation.send", on=invitation, by=invitation.invited_by, at=at)
    address = settings.SITE_URL + reverse("invitation_accept", args=[token])
    words = {"inviter": invitation.invited_by, "address": address, "expires_at": invitation.expires_at}
    try:
        _mail("invitation", email, words)
    except NotSent:
        Invitation.objects.filter(pk=invitation.pk).revoke(at=at)
        raise
    return invitation


def _mail(name: str, email: str, words: dict[str, Any]) -> None:
    known = {"site_url": settings.SITE_URL, "email": email, **words}
    subject = " ".join(render_to_string(f"account/email/{name}_subject.txt", known).split())
    try:
        send_mail(subject, render_to_string(f"account/email/{name}_message.txt", known).strip(), None, [email])
    except (OSError, SMTPException) as error:
        logger.exception("Sending the mail %s", name)
        raise NotSent("The mail could not be sent. Try again in a minute, or tell an administrator.") from error
