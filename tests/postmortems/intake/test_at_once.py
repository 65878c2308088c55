"""The same alerts delivered by several processes at once make one incident each, on either database."""

import subprocess
from pathlib import Path

import pytest

from postmortems.models import User
from tests.postmortems.intake.delivering import ALERTS
from tests.postmortems.intake.processes import Shared

PROCESSES = 3


@pytest.mark.django_db(transaction=True)
def test_deliveries_at_once_make_one_incident_each(account: User, tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    command = ["-m", "tests.postmortems.intake.delivering", account.username]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    senders = [shared.start(*command, str(seed), **pipes) for seed in range(PROCESSES)]
    for sender in senders:
        assert sender.stdout and sender.stdout.readline() == "ready\n"

    ended = [sender.communicate("go\n", timeout=100) and sender.returncode for sender in senders]

    assert ended == [0] * PROCESSES
    incidents = shared.ask("SELECT status, count(*) FROM postmortems_incident GROUP BY status")
    alerts = shared.ask("SELECT deliveries, count(*) FROM postmortems_alert GROUP BY deliveries")
    assert incidents == [("resolved", ALERTS)]
    assert alerts == [(PROCESSES * 4, ALERTS)]
