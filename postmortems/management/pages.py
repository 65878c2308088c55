"""How fast the board and the list of action items are with thousands of them: in a database that is thrown away."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import override_settings
from django.utils import timezone

from postmortems.models import ActionItem, Incident, Postmortem, Service, Severity, Team, User, Visibility
from postmortems.roles import Role

PAGES = (
    "/actions/board/",
    "/actions/board/?team=team-3",
    "/actions/board/?services=service-5&severity=sev2",
    "/actions/",
    "/actions/?page=200",
    "/actions/?due=late&team=mine",
)
TARGET_MS, MOST_QUERIES = 150.0, 12
WARM_UP = 3  # requests before the clock runs: templates are compiled, SQL is planned
STATES = (("open", 40), ("in_progress", 15), ("done", 15), ("verified", 25), ("wont_do", 5))  # state, of a hundred
PLAIN = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


@dataclass(frozen=True)
class Page:
    """Times are in milliseconds: by the clock, and of the processor, which tells a slow page from a busy machine."""

    address: str
    p50: float
    p95: float
    cpu: float
    queries: int
    bytes: int

    @property
    def is_in_time(self) -> bool:
        return self.p95 <= TARGET_MS and self.queries <= MOST_QUERIES


def measure(*, items: int, requests: int, seed: int) -> list[Page]:
    """Each page so many times, through every middleware, as a reader who is no administrator."""
    with _thrown_away():
        client = Client()
        client.force_login(fill(items, random.Random(seed)))  # noqa: S311  (the same rows each time, no secrets)
        return [page_of(client, address, requests) for address in PAGES]


def as_markdown(pages: list[Page], *, items: int) -> str:
    wanted = f"p95 <= {TARGET_MS:.0f} ms, queries <= {MOST_QUERIES}"
    lines = [f"| page, {items:,} action items | p50 ms | p95 ms | processor ms | queries | KB | {wanted} |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for page in pages:
        times = f"{page.p50:.0f} | {page.p95:.0f} | {page.cpu:.0f}"
        reached = "yes" if page.is_in_time else "no"
        lines += [f"| `{page.address}` | {times} | {page.queries} | {page.bytes / 1000:.0f} | {reached} |"]
    return "\n".join(lines)


def as_json(pages: list[Page]) -> list[dict[str, Any]]:
    return [asdict(page) for page in pages]


def page_of(client: Client, address: str, requests: int) -> Page:
    for _ in range(WARM_UP):
        answer = client.get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answers {answer.status_code}.")
    queries = _Counter()
    with connection.execute_wrapper(queries):
        client.get(address)
    busy = time.process_time()
    times = sorted(_timed(client, address) for _ in range(requests))
    cpu = (time.process_time() - busy) * 1000 / requests
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    return Page(address, statistics.median(times), p95, cpu, queries.count, len(answer.content))


def _timed(client: Client, address: str) -> float:
    start = time.perf_counter()
    client.get(address)
    return (time.perf_counter() - start) * 1000


class _Counter:
    count = 0

    def __call__(self, execute: Any, *rest: Any) -> Any:
        self.count += 1
        return execute(*rest)


# --- the rows ---


@contextmanager
def _thrown_away() -> Iterator[None]:
    """A database beside the real one, as tests have it; of SQLite a file, as it is used."""
    real = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory(prefix="kb-benchmark-") as folder:
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / "pages.sqlite3")
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            # Not Django's whole test environment: it notes every template, which takes longer than rendering them.
            with override_settings(STORAGES={**settings.STORAGES, **PLAIN}, ALLOWED_HOSTS=["testserver"]):
                yield
        finally:
            connection.creation.destroy_test_db(str(real), verbosity=0)


def fill(items: int, chance: random.Random) -> User:
    """An organisation that promised so many things, six in a postmortem; one in twenty is restricted."""
    people = User.objects.bulk_create(User(username=f"person-{n}", email=f"p{n}@example.org") for n in range(60))
    teams = Team.objects.bulk_create(Team(name=f"Team {n}", slug=f"team-{n}") for n in range(8))
    for n, person in enumerate(people):
        teams[n % 8].members.add(person)
    services = Service.objects.bulk_create(
        Service(name=f"Service {n}", slug=f"service-{n}", owner_team=teams[n % 8]) for n in range(20)
    )
    homes = _homes(items // 6, teams, services, people, chance)
    ActionItem.objects.bulk_create((_item(n, chance.choice(homes), people, chance) for n in range(items)), 1000)
    reader = people[3]
    reader.give_roles(Role.AUTHOR)
    return reader


def _homes(count: int, teams: Any, services: Any, people: Any, chance: random.Random) -> list[dict[str, Any]]:
    now = timezone.now()
    told: dict[str, Any] = {"status": Postmortem.Status.PUBLISHED, "published_at": now}
    hidden = [Visibility.RESTRICTED if chance.random() < 0.05 else Visibility.OPEN for _ in range(count)]
    incidents = Incident.objects.bulk_create(
        Incident(title=f"Incident {n}", severity=chance.choice(Severity.values), started_at=now, visibility=hidden[n])
        for n in range(count)
    )
    postmortems = Postmortem.objects.bulk_create(
        Postmortem(
            title=f"What happened {n}",
            severity=row.severity,
            owner=chance.choice(people),
            team=chance.choice(teams),
            **told,
        )
        for n, row in enumerate(incidents)
    )
    Postmortem.incidents.through.objects.bulk_create(
        Postmortem.incidents.through(postmortem=told, incident=row)
        for told, row in zip(postmortems, incidents, strict=True)
    )
    for model, rows in ((Postmortem, postmortems), (Incident, incidents)):
        link: Any = model.services.through
        name = model._meta.model_name
        link.objects.bulk_create(link(**{f"{name}_id": row.pk, "service": chance.choice(services)}) for row in rows)
    return [{"postmortem": row} if n % 4 else {"incident": incidents[n]} for n, row in enumerate(postmortems)]


def _item(n: int, home: dict[str, Any], people: Any, chance: random.Random) -> ActionItem:
    state = chance.choices([name for name, _ in STATES], [share for _, share in STATES])[0]
    now = timezone.now()
    return ActionItem(
        **home,
        title=f"Make sure that it cannot happen so again, number {n}",
        done_when="A test in staging shows that it holds for an hour under load.",
        kind=chance.choice(ActionItem.Kind.values),
        priority=chance.choice(ActionItem.Priority.values),
        state=state,
        owner=chance.choice(people) if chance.random() < 0.9 else None,
        due_on=now.date() + timedelta(days=chance.randint(-200, 120)),
        created_at=now - timedelta(days=chance.randint(0, 400)),
        reason="Too dear." if state == "wont_do" else "",
        evidence="A test." if state == "verified" else "",
        done_at=now if state in ("done", "verified") else None,
    )
