"""A process of its own that delivers alerts, for tests of what happens at once: `python -m ... ACCOUNT SEED`."""

import random
import sys
from datetime import UTC, datetime, timedelta

import django

django.setup()

from postmortems.intake import IncidentReport  # noqa: E402  (models need Django)
from postmortems.models import User  # noqa: E402
from postmortems.workflows import receiving  # noqa: E402

START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
ALERTS = 12


def told(number: int, *, end: bool) -> IncidentReport:
    at = START + timedelta(minutes=10 if end else 0)
    return IncidentReport(
        series=f"alert {number}",
        is_firing=not end,
        title=f"Alert {number}",
        at=at,
        started_at=START,
        ended_at=at if end else None,
        severity="critical",
    )


def deliver(account: User, seed: int) -> None:
    """Each alert's beginning and end, twice, in an order of its own."""
    news = [told(number, end=end) for number in range(ALERTS) for end in (False, True)] * 2
    random.Random(seed).shuffle(news)
    for report in news:
        receiving.receive("generic", [report], account=account, at=START + timedelta(hours=1))


if __name__ == "__main__":
    account = User.objects.get(username=sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()  # until all are ready
    deliver(account, int(sys.argv[2]))
