"""Reminders: whose digest is due at this moment, each made once and mailed; at most once more if a worker is killed."""

import logging
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from smtplib import SMTPException, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from kb.clock import moment_of, zone_of
from kb.errors import DomainError
from kb.jobs.retrying import job
from postmortems.models import ActionItem, Digest, ReminderChoice, Rhythm, User
from postmortems.models.readers import with_role
from postmortems.roles import Role
from postmortems.workflows import owing
from postmortems.workflows.owing import Contents

logger = logging.getLogger(__name__)

HOUR = time(8)  # of the reader's day
SALT = "postmortems.reminders-off"
KEEP = timedelta(days=100)  # that a digest was sent is remembered, for questions about it


class Unsure(DomainError):
    """It was given to the mail server twice, and both times the worker was gone before it heard what came of it."""


@job()
def remind_people() -> int:
    at = timezone.now()
    Digest.objects.filter(at__lt=at - KEEP).delete()
    return remind(at=at)


@job()
def send_digest(pk: int) -> str:
    digest = Digest.objects.select_related("user").filter(pk=pk).first()
    return send(digest, at=timezone.now()) if digest else "its person is gone"


# --- whose is due ---


def remind(*, at: datetime) -> int:
    """Put in the queue each digest whose hour has come; how many. Safe to run twice, and in two workers at once."""
    known = set(Digest.objects.filter(on__gte=at.date() - timedelta(days=9)).values_list("user", "kind", "on"))
    due = [
        (user, choice.rhythm, on)
        for user, choice in _people()
        if (on := due_day(user, choice, at=at)) and (user.pk, Digest.Kind.OWN, on) not in known
    ]
    return _make(due, at) if due else 0


def _make(due: list[tuple[User, str, date]], at: datetime) -> int:
    """A person's own digest is claimed last: it says that their hour is dealt with, and we may be killed before."""
    soon = at.date() + timedelta(days=owing.WEEK + 1)
    owners = set(ActionItem.objects.unfinished().filter(due_on__lte=soon).values_list("owner", flat=True))
    leaders = set(User.objects.filter(with_role(Role.MANAGER, Role.ADMINISTRATOR)).values_list("pk", flat=True))
    made = sum(_prepare(user, Digest.Kind.TEAM, on, rhythm, at) for user, rhythm, on in due if user.pk in leaders)
    made += sum(_prepare(user, Digest.Kind.OWN, on, rhythm, at) for user, rhythm, on in due if user.pk in owners)
    _nothing_to_say([(user, on) for user, _, on in due if user.pk not in owners], at)
    return made


def due_day(user: User, choice: ReminderChoice, *, at: datetime) -> date | None:
    """The day, in their zone, of the last digest whose hour has come; None: none, or too long ago to be made up for."""
    zone = zone_of(user)
    today = at.astimezone(zone).date()
    days = [today - timedelta(days=back) for back in range(7 if choice.rhythm == Rhythm.WEEKLY else 1)]
    for day in days:
        if choice.rhythm == Rhythm.WEEKLY and day.weekday() != choice.weekday:
            continue
        if choice.since < moment_of(day, HOUR, zone) <= at:
            return day
    return None


def _people() -> Iterator[tuple[User, ReminderChoice]]:
    """Who wants to be reminded, and how often."""
    people = User.objects.filter(is_active=True, is_integration=False).exclude(email="").order_by("pk")
    choices = {choice.user_id: choice for choice in ReminderChoice.objects.all()}
    for user in people:
        choice = choices.get(user.pk) or ReminderChoice(user=user, since=user.date_joined)
        if choice.rhythm != Rhythm.NONE:
            yield user, choice


def _nothing_to_say(due: list[tuple[User, date]], at: datetime) -> None:
    """Their hour has come and they owe nothing: what comes up later today is for the next one."""
    known = {"kind": Digest.Kind.OWN, "at": at, "settled_at": at}
    rows = [Digest(user=user, on=on, after=on - timedelta(days=1), **known) for user, on in due]
    Digest.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


@transaction.atomic
def _prepare(user: User, kind: str, on: date, rhythm: str, at: datetime) -> bool:
    after = day_before(user, kind, on, rhythm)
    digest = Digest.objects.claim(user=user, kind=kind, on=on, after=after, at=at)
    if digest is None:
        return False
    send_digest.enqueue(digest.pk)
    return True


def day_before(user: User, kind: str, on: date, rhythm: str) -> date:
    """Of the digest before this one; of a first one, as if there had always been some."""
    last = Digest.objects.filter(user=user, kind=kind, on__lt=on).order_by("-on").first()
    usual = on - timedelta(days=7 if rhythm == Rhythm.WEEKLY else 1)
    return max(last.on, on - timedelta(days=7)) if last else usual


# --- sending one ---


def send(digest: Digest, *, at: datetime) -> str:
    """Mail it, of what the person may see now; what came of it, in a word.

    Raises what the mail server said, to be tried again. What is not known to have failed is tried once more only.
    """
    choice = ReminderChoice.objects.of(digest.user)
    contents = None if digest.settled_at else contents_now(digest, choice)
    if contents is None or not contents.count:
        digest.settle(items=0, at=at)
        return "nothing to say"
    connection = get_connection()
    connection.open()  # a server that is away has certainly sent nothing
    try:
        _hand_over(digest, mail_of(digest.user, contents, digest=digest), connection)
    finally:
        connection.close()
    digest.settle(items=contents.count, at=at)
    return "sent"


def contents_now(digest: Digest, choice: ReminderChoice) -> Contents | None:
    """None: they have left, or want no mail any more."""
    user = digest.user
    if not user.is_active or not user.email or choice.rhythm == Rhythm.NONE:
        return None
    return owing.contents_of(user, kind=digest.kind, on=digest.on, after=digest.after, rhythm=choice.rhythm)


def _hand_over(digest: Digest, mail: EmailMultiAlternatives, connection: Any) -> None:
    if not digest.begin():
        raise Unsure("This digest may have been sent twice already, so it is not sent again.")
    mail.connection = connection
    try:
        mail.send()
    except (SMTPServerDisconnected, TimeoutError):
        raise  # it may have been taken
    except (OSError, SMTPException):
        digest.take_back()
        raise


def mail_of(user: User, contents: Contents, *, digest: Digest | None = None) -> EmailMultiAlternatives:
    """Text, and simple HTML beside it. One digest has one Message-ID: who gets it twice may see it once."""
    off = off_address(user)
    context = {"contents": contents, "off": off, "site_url": settings.SITE_URL, "user": user}
    headers = {"List-Unsubscribe": f"<{off}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    if digest is not None:
        host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
        headers["Message-ID"] = f"<digest-{digest.pk}-{digest.on:%Y%m%d}@{host}>"
    text = render_to_string("reminders/digest.txt", context)
    mail = EmailMultiAlternatives(subject=contents.subject, body=text, to=[user.email], headers=headers)
    mail.attach_alternative(render_to_string("reminders/digest.html", context), "text/html")
    return mail


# --- what a person chooses ---


def choose(user: User, *, rhythm: str, weekday: int, at: datetime) -> None:
    ReminderChoice.objects.choose(user, rhythm=rhythm, weekday=weekday, at=at)


def stop(user: User, *, at: datetime) -> None:
    """No more digests, by the link in one."""
    ReminderChoice.objects.choose(user, rhythm=Rhythm.NONE, weekday=0, at=at)


def off_address(user: User) -> str:
    """Works without a sign-in, for this one thing."""
    return f"{settings.SITE_URL}{reverse('reminders_off', args=[signing.dumps(user.pk, salt=SALT)])}"


def person_of(token: str) -> User | None:
    try:
        return User.objects.filter(pk=signing.loads(token, salt=SALT)).first()
    except signing.BadSignature:
        return None


def preview(user: User, *, at: datetime) -> list[Contents]:
    """What their digests would say if they were sent now."""
    choice = ReminderChoice.objects.of(user)
    on = at.astimezone(zone_of(user)).date()
    kinds = [Digest.Kind.OWN, *([Digest.Kind.TEAM] if owing.is_manager(user) else [])]
    after = on - timedelta(days=1)
    return [owing.contents_of(user, kind=kind, on=on, after=after, rhythm=choice.rhythm) for kind in kinds]
