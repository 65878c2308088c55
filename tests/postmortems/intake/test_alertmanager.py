"""A real Alertmanager: alerts are pushed through its own API, and it delivers them here.

It is Debian's package; without it these tests are left out (`-m "not alertmanager"`), and .ci/test says so.
"""

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postmortems.models import ApiToken, Postmortem, User
from tests import factory
from tests.postmortems.intake.processes import PATIENCE, Shared, free_address, until

pytestmark = pytest.mark.alertmanager

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or "prometheus-alertmanager"

CONFIGURATION = """
route:
  receiver: kb
  group_by: ['...']
  group_wait: 10ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
  - name: kb
    webhook_configs:
      - url: {site}/api/v1/intake/alertmanager/
        send_resolved: true
        max_alerts: 500
        http_config:
          authorization:
            credentials: {token}
"""


class Alertmanager:
    def __init__(self, folder: Path, site: str, token: str) -> None:
        self.address = free_address()
        (folder / "alertmanager.yml").write_text(CONFIGURATION.format(site=site, token=token))
        self.log = (folder / "alertmanager.log").open("w")
        self.process = subprocess.Popen(
            [
                *(PROGRAM, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alerts"),
                *(f"--web.listen-address={self.address}", "--cluster.listen-address="),
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()
        return answers(f"http://{self.address}/-/ready")

    def push(self, *alerts: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"http://{self.address}/api/v2/alerts",
            json.dumps(alerts).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 200

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.log.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # not there yet, or too busy
        return False


@pytest.fixture
def known(transactional_db: None) -> Postmortem:
    """What resolved it before, and others."""
    for number in range(5):
        factory.postmortem(f"Certificate {number} expired", sections={"summary": "TLS."})
    sections = {"summary": "ECONNREFUSED 10.0.0.7:5432", "what_fixed_it": "Recycled the connection pool."}
    return factory.postmortem("Connection pool of checkout exhausted", sections=sections, services=("Checkout",))


@pytest.fixture
def token(account: User) -> str:
    return ApiToken.objects.issue(user=account, name="Alertmanager", scopes=["ingest"], at=factory.NOON)[1]


@pytest.fixture
def shared(known: Postmortem, token: str, tmp_path: Path) -> Shared:
    shared = Shared(tmp_path)
    shared.run("manage.py", "index", "rebuild")
    return shared


@pytest.fixture
def site(shared: Shared) -> Iterator[str]:
    """A server as it runs in production."""
    address = free_address()
    shared.env["KB_URL"] = f"http://{address}"
    command = ["-m", "gunicorn", "kb.wsgi", "--worker-class", "gthread", "--threads", "4", "--bind", address]
    server = shared.start(*command, stdout=sys.stderr, stderr=sys.stderr)
    try:
        until(lambda: answers(f"http://{address}/healthz"))
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


@pytest.fixture
def alertmanager(site: str, token: str, tmp_path: Path) -> Iterator[Alertmanager]:
    running = Alertmanager(tmp_path, site, token)
    try:
        until(running.is_ready)
        yield running
    finally:
        running.end()


def firing(name: str, started: datetime, *, ended: datetime | None = None) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": "critical", "service": "checkout"},
        "annotations": {"summary": f"{name}: connection pool exhausted", "error": "ECONNREFUSED 10.0.0.7:5432"},
        "startsAt": started.isoformat(),
        **({"endsAt": ended.isoformat()} if ended else {}),
        "generatorURL": "http://prometheus.example.org/graph",
    }


STATES = "SELECT title, status, source FROM postmortems_incident ORDER BY title"
PANELS = "SELECT CAST(shown AS text) FROM postmortems_suggestionrun WHERE incident_id IS NOT NULL"
POOL, QUEUE = "PoolExhausted: connection pool exhausted", "QueueFull: connection pool exhausted"


def test_a_real_alertmanager_opens_updates_and_resolves_incidents(
    alertmanager: Alertmanager, shared: Shared, known: Postmortem
) -> None:
    def becomes(pool: str, queue: str) -> None:
        wanted = [(POOL, pool, "alertmanager"), (QUEUE, queue, "alertmanager")]
        until(lambda: shared.ask(STATES) == wanted)

    start = datetime.now(UTC) - timedelta(minutes=5)

    alertmanager.push(firing("PoolExhausted", start), firing("QueueFull", start))
    becomes("open", "open")
    panels = until(lambda: len(found := shared.ask(PANELS)) == 2 and found)
    assert all(known.search_key in panel for (panel,) in panels)

    end = datetime.now(UTC)
    alertmanager.push(firing("PoolExhausted", start, ended=end))
    becomes("resolved", "open")

    alertmanager.push(firing("PoolExhausted", end + timedelta(milliseconds=5)))
    becomes("investigating", "open")

    assert shared.ask("SELECT count(*) FROM postmortems_alert") == [(3,)]
    services = shared.ask("SELECT count(*) FROM postmortems_incident_services")
    assert services == [(2,)]
