"""Digests sent by a real worker to a real mail server, the worker killed in the middle: each comes, at most twice."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import connection
from django.utils import timezone

from kb.clock import zone_of
from postmortems.models import Rhythm
from postmortems.workflows import reminding
from tests import factory

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parent.parent.parent
PEOPLE = 4


class Mailbox:
    """An SMTP server's handler. `hang`: where it stops answering, once."""

    def __init__(self, hang: str = "") -> None:
        self.hang, self.hanging = hang, Event()
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        await self.stop_answering("before")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        await self.stop_answering("after")
        return "250 OK"

    async def stop_answering(self, where: str) -> None:
        if self.hang == where:
            self.hang = ""
            self.hanging.set()
            await asyncio.sleep(60)

    def received(self) -> Counter[str]:
        return Counter(str(each["To"]) for each in self.mails)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A data folder with a database of its own: people whose digest is due."""
    for n in range(PEOPLE):
        who = factory.user(f"p{n}", email=f"p{n}@example.org", time_zone=zone_with_day())
        weekday = timezone.now().astimezone(zone_of(who)).weekday()
        reminding.choose(who, rhythm=Rhythm.WEEKLY, weekday=weekday, at=timezone.now() - timedelta(days=30))
        due = timezone.localdate() - timedelta(days=1)
        factory.action_item(f"Promise <{n}>", owner=who, due_on=due, postmortem=factory.postmortem())
    copy = sqlite3.connect(tmp_path / "db.sqlite3")
    connection.ensure_connection()
    connection.connection.backup(copy)
    copy.close()
    return tmp_path


def zone_with_day() -> str:
    """Where it is between nine and half past ten in the evening, so that the hour of digests has come."""
    hours = (13 - timezone.now().hour) % 24
    hours = hours - 24 if hours > 12 else hours
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/UTC"


@pytest.fixture
def mailbox(request: Any) -> Iterator[tuple[Mailbox, int]]:
    handler = Mailbox(getattr(request, "param", ""))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def worker(site: Path, port: int, *options: str) -> "subprocess.Popen[bytes]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "DJANGO_"))}
    own = {"KB_DATA_DIR": str(site), "KB_EMAIL_URL": f"smtp://127.0.0.1:{port}", "KB_SEARCH_URL": "memory:"}
    command = [sys.executable, "-W", "ignore", "manage.py", "worker", *options]
    return subprocess.Popen(command, cwd=ROOT, env={**clean, **own}, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE)


def drain(site: Path, port: int) -> None:
    with worker(site, port, "--once") as process:
        process.communicate()
    assert process.returncode == 0


EVERYBODY = {f"p{n}@example.org" for n in range(PEOPLE)}


@pytest.mark.parametrize("mailbox", ["before", "after"], indirect=True)
def test_killed_in_the_middle_of_a_mail_each_comes_and_at_most_once_more(
    site: Path, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    was_taken = box.hang == "after"
    with worker(site, port) as process:
        assert box.hanging.wait(timeout=90)
        process.kill()
    with sqlite3.connect(site / "db.sqlite3") as database:
        database.execute("UPDATE jobs_worker SET seen_at = '2026-01-01'")  # time passes
    database.close()

    drain(site, port)
    drain(site, port)

    assert set(box.received()) == EVERYBODY
    assert sorted(box.received().values()) == [1] * (PEOPLE - 1) + [2 if was_taken else 1]
    ids = Counter(str(each["Message-ID"]) for each in box.mails)
    assert len(ids) == PEOPLE  # a second one is known by its id
    for mail in box.mails:
        text, html = (part.get_content() for part in mail.iter_parts())  # type: ignore[union-attr]
        assert "1 day late" in text and "Promise <" in text
        assert "1 day late" in html and "Promise &lt;" in html
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "/reminders/off/" in mail["List-Unsubscribe"]
