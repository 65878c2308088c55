"""The command `kb` on this machine's own database, and that what it asks a server is what the API takes."""

from __future__ import annotations

import io
import json
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from kb.terminal import command
from kb.terminal.remote import Server
from postmortems.exporting.files import FORMATS
from postmortems.models import ApiToken, AuditEvent, Incident, Postmortem, User
from postmortems.search import THE_MACHINE
from tests import factory
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("KB_SERVER", "KB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def known(learn: Learn) -> Postmortem:
    pool = "Connection pool of checkout exhausted, ECONNREFUSED 10.0.0.7:5432"
    rows = [
        factory.postmortem(pool, sections={"summary": pool, "what_fixed_it": "Recycled it."}, services=("Checkout",))
    ]
    rows += [factory.postmortem(f"Disk {n} full", sections={"summary": f"Segments of queue {n}."}) for n in range(12)]
    learn(*rows)
    return rows[0]


def test_suggestions_and_search_of_this_machine(known: Postmortem, capsys: Any) -> None:
    asked = "connection pool exhausted ECONNREFUSED"

    ended = [command.run(["suggest", asked]), command.run(["search", "pool"]), command.run(["search", "zebra"])]

    said = capsys.readouterr().out
    assert ended == [0, 0, 1]
    assert f"{known.ref}" in said
    assert "what fixed it: Recycled it." in said
    assert "why: " in said


def test_text_that_looks_like_an_option_is_text(known: Postmortem, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("--limit -x zebra")

    assert command.run(["suggest", "-f", str(tmp_path / "log")]) == 1
    assert command.run(["search", "--", "-zebra", "pool"]) == 0


def test_an_incident_is_declared_on_this_machine(known: Postmortem, capsys: Any) -> None:
    ended = command.run(["incident", "new", "--title=-down-", "--severity", "sev2", "--service", "checkout", "--json"])

    row = Incident.objects.get()
    assert ended == 0
    assert json.loads(capsys.readouterr().out)["ref"] == row.ref
    assert (row.title, row.severity, row.services.get().name) == ("-down-", "sev2", "Checkout")
    assert command.run(["incident", "new", "--title", "x", "--service", "nope"]) == 2


def test_files_are_imported_on_this_machine(known: Postmortem, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leap second\n\n## Summary\n\nClocks stood still.\n")
    (tmp_path / "b.md").write_bytes(b"\0")

    ended = [command.run(["import", str(tmp_path / "a.md")]), command.run(["import", str(tmp_path / "b.md")])]

    assert ended == [0, 2]
    assert Postmortem.objects.filter(title="Leap second").exists()
    assert "skipped" in capsys.readouterr().out


class Wire:
    """The network: a request of urllib's goes to the site."""

    def __init__(self) -> None:
        self.client = Client()

    def __call__(self, request: Any, timeout: float) -> Any:
        parts = urlsplit(request.full_url)
        headers = {name.lower(): value for name, value in request.header_items()}
        answer = self.client.generic(
            request.get_method(),
            f"{parts.path}?{parts.query}",
            request.data.read() if hasattr(request.data, "read") else request.data or b"",
            content_type=headers.pop("content-type", "application/json"),
            headers=headers,
        )
        if answer.status_code >= 300:
            raise urllib.error.HTTPError(
                request.full_url, answer.status_code, "", Message(), io.BytesIO(answer.content)
            )
        return io.BytesIO(b"".join(answer.streaming_content) if answer.streaming else answer.content)


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, alice: User) -> str:
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda _self, request, timeout: Wire()(request, timeout))
    _, secret = ApiToken.objects.issue(user=alice, name="kb", scopes=["read", "write"], at=factory.NOON)
    monkeypatch.setenv("KB_SERVER", "https://kb.example.org")
    monkeypatch.setenv("KB_TOKEN", secret)
    return secret


def test_the_api_takes_what_is_asked_of_a_server(known: Postmortem, wired: str, capsys: Any) -> None:
    asked = ["suggest", "connection pool exhausted ECONNREFUSED", "--service", "checkout"]

    ended = [command.run(asked), command.run(["search", "pool"]), command.run(["search", "zebra"])]

    assert ended == [0, 0, 1]
    assert capsys.readouterr().out.count(known.ref) >= 2


def test_the_api_opens_an_incident(known: Postmortem, wired: str, capsys: Any) -> None:
    ended = command.run(["incident", "new", "--title", "Down", "--severity", "sev1", "--service", "checkout"])

    row = Incident.objects.get()
    assert ended == 0
    assert f"{row.ref} is open: Down" in capsys.readouterr().out
    assert (row.severity, row.services.get().name) == ("sev1", "Checkout")


def test_an_administrator_imports_over_the_wire(
    known: Postmortem, wired: str, alice: User, capsys: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "pm"
    (folder / ".git").mkdir(parents=True)
    (folder / "a.md").write_text("# Leap second\n\n## Summary\n\nClocks stood still.\n")
    (folder / ".git" / "b.md").write_text("# Hidden\n\n## Summary\n\nx\n")
    (tmp_path / "i.csv").write_text("Words,Severity,Impact\nDisk full,P1,all\n")
    table = ["import", str(tmp_path / "i.csv"), "--map", "title=Words"]

    refused = command.run(["import", str(folder)])
    alice.give_roles("administrator")
    dry = command.run(["import", str(folder), "--dry-run"])
    before = Postmortem.objects.filter(title="Leap second").count()
    ended = [command.run(["import", str(folder)]), command.run(table), command.run(["import", str(folder)])]

    assert refused == 3
    assert (dry, before, ended) == (0, 0, [0, 0, 0])
    assert "0 created, 0 updated, 1 unchanged" in capsys.readouterr().out
    assert Postmortem.objects.filter(title__in=["Leap second", "Disk full"]).count() == 2
    assert not Postmortem.objects.filter(title="Hidden").exists()
    assert AuditEvent.objects.filter(action="import.upload").count() == 3
    assert command.run([*table[:2], "--map", "title"]) == 2


@pytest.mark.parametrize("form", ["markdown", "jsonl", "csv"])
def test_a_copy_is_taken_over_the_wire_and_of_this_machine(
    known: Postmortem, wired: str, alice: User, capsysbinary: Any, tmp_path: Path, form: str
) -> None:
    factory.postmortem("Behind closed doors", visibility="restricted")
    theirs = b"".join(FORMATS[form][2](alice))
    everything = b"".join(FORMATS[form][2](THE_MACHINE))
    path = tmp_path / "copy"

    ended = [command.run(["export", "-", "--format", form]), command.run(["export", str(path), "--format", form])]
    ended += [command.run(["export", str(path)])]
    streamed, of_a_file = capsysbinary.readouterr().out, path.read_bytes()
    local = command.run(["export", str(path), "--format", form, "--replace", "--local", "--json"])

    assert (ended, local) == ([0, 0, 2], 0)
    assert streamed.startswith(theirs)
    assert of_a_file == theirs != everything
    assert path.read_bytes() == everything
    assert path.stat().st_mode & 0o077 == 0
    assert [found.name for found in tmp_path.iterdir() if "export" in found.name] == []


def test_a_copy_that_is_refused_leaves_no_file(
    known: Postmortem, wired: str, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_TOKEN", "kb_wrong")

    ended = [command.run(["export", str(tmp_path / "copy")]), command.run(["export", str(tmp_path / "no" / "copy")])]

    assert ended == [3, 2]
    assert "not good there" in capsys.readouterr().err
    assert list(tmp_path.glob("*copy*")) == list(tmp_path.glob(".kb*")) == []


def test_a_server_says_what_it_does_not_take(known: Postmortem, wired: str, capsys: Any) -> None:
    assert command.run(["suggest", "x", "--service", "nope"]) == 2
    assert "services" in capsys.readouterr().err


def test_a_wrong_token_is_told(known: Postmortem, wired: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_TOKEN", "kb_wrong")

    assert command.run(["search", "pool"]) == 3
    assert "not good there" in capsys.readouterr().err
    assert Server("https://kb.example.org", "").token == ""
