"""The slash command of Slack: who signs, who asks, what they ask. Everything is answered to that one person alone."""

import hashlib
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from kb.errors import DomainError
from postmortems.api.doors import TooBig, body_of, posted, problem
from postmortems.api.slack_blocks import answered, ephemeral
from postmortems.intake.reading import cleaned
from postmortems.models import SigningKey, SlackAccount
from postmortems.models.slack import ID_LENGTH
from postmortems.workflows import credentials, slack

MAX_BYTES = 100_000
MAX_FIELDS = 50
TEXT_LENGTH = 2_000
UNSIGNED = "The request is not signed with a key that is known here, or it is too old, or was sent before."


@csrf_exempt
@login_not_required
@posted
def slack_command(request: HttpRequest) -> JsonResponse:
    """`/kb TEXT`: 200 with what Slack shows; 401 without a good signature, and nothing written."""
    try:
        body = body_of(request, limit=MAX_BYTES)
    except TooBig as refusal:
        return problem(413, str(refusal))
    now = timezone.now()
    signer = credentials.signer_of(SigningKey.Source.SLACK, slack.SIGNATURE, request.headers, body, at=now)
    # Known by what was signed: the header itself may hold other signatures beside the good one.
    signed = hashlib.sha256(f"{request.headers.get('X-Slack-Request-Timestamp')}:".encode() + body).hexdigest()
    if signer is None or not slack.is_first(signed):
        return problem(401, UNSIGNED)
    try:
        form = _form(body)
    except ValueError:
        return problem(400, "The body is no form.")
    try:
        return JsonResponse(_answer(form))
    except DomainError as refusal:
        return JsonResponse(ephemeral(str(refusal)))


def _form(body: bytes) -> dict[str, str]:
    fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    return {name: cleaned(values[0], TEXT_LENGTH) for name, values in fields.items()}


def _answer(form: dict[str, str]) -> dict[str, Any]:
    who = {"team_id": form.get("team_id", "")[:ID_LENGTH], "member_id": form.get("user_id", "")[:ID_LENGTH]}
    if not all(who.values()):
        return ephemeral("Slack did not say who asks.")
    verb, _, rest = form.get("text", "").partition(" ")
    now = timezone.now()
    if verb == "link" and rest.strip():
        account = slack.link(rest, **who, at=now)
        return ephemeral(f"Linked: you are {account.user.username} here. Try `/kb database connection timeouts`.")
    known = SlackAccount.objects.known_as(**who)
    if known is None:
        return ephemeral(f"Link your account first: get a code at {_page()} and type `/kb link CODE`.")
    if verb in {"", "help"} and not rest:
        return ephemeral(
            "`/kb` and what you see, for example `/kb database connection timeouts`: what fixed it before."
        )
    return answered(slack.answer(form["text"], user=known.user, at=now))


def _page() -> str:
    return f"{settings.SITE_URL}{reverse('slack_link')}"
