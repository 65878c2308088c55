"""Slack: who asks there, and what one asks with `/kb`. The answer is only ever for the one who asked."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search, suggestions
from postmortems.intake.signatures import Scheme
from postmortems.models import SlackAccount, User
from postmortems.models.invitation import digest
from postmortems.search import Results
from postmortems.suggestions import Report, Suggestions
from postmortems.workflows import auditing, suggesting

# https://docs.slack.dev/authentication/verifying-requests-from-slack
SIGNATURE = Scheme(
    header="X-Slack-Signature",
    prefix="v0=",
    time_header="X-Slack-Request-Timestamp",
    before_time=b"v0:",
    wants_time=True,
)
REMEMBERED = 660  # seconds: longer than a signed time may be away from ours, before or after
CODE_SECONDS = 600
SHOWN = 3


class UnknownCode(DomainError):
    """No such code, or not any more."""


@dataclass(frozen=True)
class Answer:
    """What fixed the like before, and what else is found."""

    asked: str
    found: Suggestions
    hits: Results


def is_first(signed: str) -> bool:
    """Whether a request with this digest has not been seen. Remembered while it is good, by all workers together."""
    return bool(cache.add(f"kb:slack-seen:{signed}", True, timeout=REMEMBERED))


def code_for(user: User) -> str:
    """To be typed in Slack within ten minutes, once."""
    code = secrets.token_hex(6)
    cache.set(f"kb:slack-code:{digest(code)}", user.pk, timeout=CODE_SECONDS)
    return code


@transaction.atomic
def link(code: str, *, team_id: str, member_id: str, at: datetime) -> SlackAccount:
    """This member is the person who was shown the code."""
    name = digest(code.strip().lower())
    pk = cache.get(f"kb:slack-code:{name}")
    if pk is None or not cache.add(f"kb:slack-code-used:{name}", True, timeout=CODE_SECONDS):
        raise UnknownCode("This code is not known, or not any more. Make a new one on your account page.")
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None:
        raise UnknownCode("The account of this code is closed.")
    account = SlackAccount.objects.link(team_id=team_id, member_id=member_id, user=user, at=at)
    auditing.record("account.link_slack", on=user, by=user, at=at, changes={"slack": ("", str(account))})
    return account


@transaction.atomic
def unlink(account: SlackAccount, *, by: User, at: datetime) -> None:
    """From now on this member is nobody here. Only one's own."""
    roles.require(by, "read")
    auditing.record("account.unlink_slack", on=account.user, by=by, at=at, changes={"slack": (str(account), "")})
    account.delete()


def answer(text: str, *, user: User, at: datetime) -> Answer:
    """Of what this person may see. What was shown is kept, as of a page."""
    roles.require(user, "read")
    found = suggestions.suggest(Report(title=text), user=user, limit=SHOWN)
    suggesting.record_run(found, by=user, at=at)
    return Answer(text, found, search.find(text, user=user, per_page=SHOWN))
