"""Notifications by mail: after the change is committed, to who may see it at that moment, each at most once.

A worker sends them, where one lives, so that nobody waits for a mail server; else they are sent in the request.
"""

import logging
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from kb.jobs.models import Worker
from kb.jobs.retrying import Retry, job
from postmortems.models import Notification, User
from postmortems.models.watching import NotificationQuerySet

logger = logging.getLogger(__name__)

SALT = "postmortems.mail-off"
# What a mail server says of one mail, not of itself.
OF_ONE_MAIL = (SMTPRecipientsRefused, SMTPDataError)


def send_soon(pks: Iterable[int], *, at: datetime) -> None:
    """Once what they tell of is committed. What fails is left for the worker or `manage.py send_notifications`."""
    wanted = list(pks)
    if wanted and Worker.objects.living(at=timezone.now()).exists():
        send_mail.enqueue(wanted)
    elif wanted:
        transaction.on_commit(lambda: _send_quietly(wanted, at), robust=True)


@job(retry=Retry(attempts=1))  # what is left is sent with all that is left
def send_mail(pks: list[int]) -> list[int]:
    return list(send(Notification.objects.filter(pk__in=pks), at=timezone.now()))


def _send_quietly(pks: list[int], at: datetime) -> None:
    send(Notification.objects.filter(pk__in=pks), at=at)


def send_left(*, at: datetime) -> tuple[int, int]:
    """All that was not sent yet; how many were sent and how many failed. Safe to run twice, and at the same time."""
    return send(Notification.objects.all(), at=at)


@job(retry=Retry(attempts=1))  # it comes again by itself
def send_left_mail() -> list[int]:
    """For the worker, every few minutes."""
    return list(send_left(at=timezone.now()))


def send(rows: NotificationQuerySet, *, at: datetime) -> tuple[int, int]:
    """One connection for all of them. A mail server that is away is not asked again for each; one that refuses a
    single mail is asked for the next, so that a wrong address holds up nobody else.
    """
    sent = failed = 0
    is_away = False
    with closing(get_connection()) as connection:
        for row in rows.to_mail().select_related("user", "incident", "postmortem").order_by("pk"):
            if is_away:
                failed += 1
            elif row.claim_mail(at=at):
                try:
                    _send(row, connection)
                    sent += 1
                except (OSError, SMTPException) as error:
                    logger.exception("Mailing notification %s", row.pk)
                    row.give_mail_back(at=at)
                    failed += 1
                    is_away = not isinstance(error, OF_ONE_MAIL)
    return sent, failed


def _send(row: Notification, connection: Any) -> None:
    """Who may not see it (any more) gets no mail, and is not asked about again."""
    if Notification.objects.visible_to(row.user).filter(pk=row.pk).exists():
        connection.open()  # stays open: a mail that opened it itself would close it behind it
        mail_of(row, connection).send()


def mail_of(row: Notification, connection: Any = None) -> EmailMessage:
    """Of what is restricted a mail says that there is news, and where: mail travels farther than the site does."""
    home = row.incident or row.postmortem
    restricted = home is not None and not type(home)._default_manager.open_to_all().filter(pk=home.pk).exists()
    ref = home.ref if home else ""
    text = f"There is news of {ref}. Sign in to read it." if restricted else row.text
    address = settings.SITE_URL + (home.get_absolute_url() if home else reverse("notification_list"))
    off = mail_off_address(row.user)
    return EmailMessage(
        subject=f"News of {ref}" if restricted else " ".join(row.text.split())[:150],
        body=f"{text}\n\n{address}\n\n-- \nNo more of these mails: {off}\n",
        to=[row.user.email],
        headers={"List-Unsubscribe": f"<{off}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        connection=connection,
    )


# --- no more of it ---


def mail_off_address(user: User) -> str:
    """Works without a sign-in, for this one thing."""
    return f"{settings.SITE_URL}{reverse('mail_off', args=[signing.dumps(user.pk, salt=SALT)])}"


def person_of(token: str) -> User | None:
    try:
        return User.objects.filter(pk=signing.loads(token, salt=SALT)).first()
    except signing.BadSignature:
        return None


def choose_mail(user: User, *, wanted: bool) -> None:
    User.objects.filter(pk=user.pk).update(wants_mail=wanted)
    user.refresh_from_db(fields=["wants_mail"])
