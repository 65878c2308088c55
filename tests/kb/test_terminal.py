"""The command `kb` and a server. On this machine's own database: tests/postmortems/test_terminal.py."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kb.terminal.command import run

SUGGESTION = {
    **{"ref": "PM-7", "title": "Checkout \x1b[31mdown", "url": "http://kb/postmortems/PM-7/", "confidence": "strong"},
    **{"occurred_on": "2025-01-02", "severity": "SEV1", "what_fixed_it": "Recycled the pool."},
    **{"why": [{"term": "pool", "field": "symptoms", "weight": 1.0}]},
    "fixes": [{"ref": "FIX-3", "title": "Recycle", "worked": 3, "tried": 4}],
}
FOUND = {"results": [SUGGESTION], "happening_now": [], "degraded": None, "total_candidates": 9}
NOTHING = {"results": [], "happening_now": [], "degraded": None, "total_candidates": 9}


class FakeServer:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.answer, self.headers = 200, b"{}", {"Content-Type": "application/json"}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                fake.asked.append((self.path, dict(self.headers), json.loads(body) if body else None))
                self.send_response(fake.status)
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(fake.answer)))
                self.end_headers()
                self.wfile.write(fake.answer)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def says(self, answer: Any, status: int = 200, **headers: str) -> None:
        self.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.status, self.headers = status, self.headers | headers


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeServer]:
    fake = FakeServer()
    thread = threading.Thread(target=fake.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("KB_SERVER", fake.address)
    monkeypatch.setenv("KB_TOKEN", "kb_secret")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield fake
    fake.http.shutdown()
    thread.join()
    fake.http.server_close()


class Stdin(io.TextIOWrapper):
    def __init__(self, text: str, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(text.encode()))
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_suggestions_say_why_what_fixed_it_and_how_often(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.says(FOUND)
    monkeypatch.setattr("sys.stdin", Stdin("pool exhausted\0\n"))

    ended = run(["suggest", "--service", "checkout"])

    said = capsys.readouterr().out
    assert ended == 0
    assert said == (
        "Earlier\n"
        "PM-7      Checkout [31mdown (2025-01-02, SEV1, strong)\n"
        "          why: pool\n"
        "          what fixed it: Recycled the pool.\n"
        "          FIX-3 Recycle: worked 3 of 4\n"
        "          http://kb/postmortems/PM-7/\n"
    )
    ((path, headers, body),) = server.asked
    assert path == "/api/v1/suggestions/"
    assert headers["Authorization"] == "Bearer kb_secret"
    assert body == {"title": "", "symptoms": "pool exhausted\n", "services": ["checkout"], "limit": 3}


def test_json_is_the_answer_as_it_came(server: FakeServer, capsys: Any) -> None:
    server.says(FOUND)

    run(["suggest", "pool", "--json"])

    assert json.loads(capsys.readouterr().out) == FOUND


def test_nothing_similar_and_no_results_end_with_one(server: FakeServer, capsys: Any) -> None:
    server.says({**NOTHING, "total": 0})

    assert run(["suggest", "pool"]) == 1
    assert run(["search", "a & b"]) == 1
    assert "Nothing similar among 9 documents." in capsys.readouterr().out
    assert server.asked[-1][0] == "/api/v1/search/?q=a+%26+b&per_page=10"


def test_an_incident_is_declared(server: FakeServer, capsys: Any, tmp_path: Path) -> None:
    server.says({"ref": "INC-9", "title": "Checkout down", "url": "http://kb/incidents/INC-9/"}, 201)
    (tmp_path / "log").write_text("boom")

    ended = run(["incident", "new", "--title", "Checkout down", "--severity", "sev2", "-f", str(tmp_path / "log")])

    assert ended == 0
    assert "INC-9 is open: Checkout down" in capsys.readouterr().out
    assert server.asked[0][2] == {
        **{"title": "Checkout down", "severity": "sev2", "symptoms": "", "services": [], "error_excerpt": "boom"}
    }


@pytest.mark.parametrize(
    ("status", "answer", "ended", "said"),
    [
        (401, {"detail": "no"}, 3, "not good there"),
        (403, {"detail": "This token lacks the scope `write`."}, 3, "lacks the scope"),
        (404, b"", 3, "no such knowledge base"),
        (400, {"errors": [{"field": "services.0", "detail": "No x."}], "detail": "?"}, 2, "kb: services.0: No x.\n"),
        (400, {"errors": [{"field": "", "detail": "Say more."}], "detail": "?"}, 2, "kb: Say more.\n"),
        (501, b"<html>", 3, "no such knowledge base"),
        (405, {"detail": "Only POST."}, 2, "Only POST."),
        (409, {"detail": "It is closed."}, 2, "It is closed."),
        (500, b"<html>", 3, "is unwell (500)"),
        (503, {**NOTHING, "degraded": "The index is being built."}, 3, "The index is being built."),
        (200, b"<html>", 3, "its answer is no JSON"),
        (200, [], 3, "of another kind"),
        (200, {"status": "ok"}, 3, "of another kind"),
    ],
)
def test_what_the_server_refuses_is_told(
    server: FakeServer, capsys: Any, status: int, answer: Any, ended: int, said: str
) -> None:
    server.says(answer, status)

    assert run(["suggest", "pool"]) == ended
    assert said in capsys.readouterr().err


def test_the_token_does_not_follow_a_redirect(server: FakeServer, capsys: Any) -> None:
    server.says(b"", 302, Location=f"{server.address}/elsewhere")

    assert run(["search", "pool"]) == 3
    assert "sends us on to 127.0.0.1" in capsys.readouterr().err
    assert len(server.asked) == 1


def test_a_server_that_is_away_is_named(server: FakeServer, capsys: Any) -> None:
    ended = run(["search", "pool", "--server", "http://127.0.0.1:1"])

    assert ended == 3
    assert "http://127.0.0.1:1 cannot be reached: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "said"),
    [
        *(("http://kb.example.org", "not encrypted"), ("kb.example.org", "no address"), ("ftp://x", "no")),
        *((f"https://{rest}", "no address") for rest in ("[::1", "x?a=b", "x#a", "me:pw@x", "x y", "x/é", "x:port")),
    ],
)
def test_a_token_is_not_sent_where_it_can_be_read(server: FakeServer, capsys: Any, address: str, said: str) -> None:
    assert run(["search", "pool", "--server", address]) == 2
    assert said in capsys.readouterr().err


def test_the_file_names_server_and_token_and_the_token_is_for_that_server_only(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KB_SERVER")
    monkeypatch.delenv("KB_TOKEN")
    file = tmp_path / "kb" / "config.toml"
    file.parent.mkdir()
    file.write_text(f'server = "{server.address}/"\ntoken = "kb_of_file"\n')
    file.chmod(0o644)
    server.says({**NOTHING, "total": 0})

    run(["search", "pool"])
    run(["search", "pool", "--server", server.address.replace("127.0.0.1", "localhost")])

    assert server.asked[0][1]["Authorization"] == "Bearer kb_of_file"
    assert all("Authorization" not in headers for _, headers, _ in server.asked[1:])
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["server = [", "token = 7"])
def test_a_file_that_is_wrong_is_named(server: FakeServer, capsys: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "kb" / "config.toml"
    file.parent.mkdir()
    file.write_text(text)

    assert run(["search", "pool"]) == 2
    assert "config.toml" in capsys.readouterr().err


def test_what_is_not_understood_ends_with_two(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin("", is_terminal=True))
    missing = str(tmp_path / "missing")

    assert [
        run(["dance"]),
        run(["suggest"]),
        run(["suggest", "-f", missing]),
        run(["search", "x", "--limit", "0"]),
    ] == [2] * 4
    assert run(["import", missing]) == 2
    assert run(["--help"]) == 0
    assert server.asked == []


def test_of_a_long_log_the_end_is_asked_about(server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.says(FOUND)
    monkeypatch.setattr("sys.stdin", Stdin("a" * 150_000 + "the end"))

    run(["suggest"])

    assert len(server.asked[0][2]["symptoms"]) == 100_000
    assert server.asked[0][2]["symptoms"].endswith("the end")
    assert "only the last 100000 characters" in capsys.readouterr().err


def test_colours_are_for_terminals_that_want_them(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.says(FOUND)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    said = []
    for is_terminal, switched_off in ((False, False), (True, False), (True, True)):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal)
        if switched_off:
            monkeypatch.setenv("NO_COLOR", "1")
        run(["suggest", "pool"])
        said.append(capsys.readouterr().out)

    pipe, terminal, without = said
    assert "\x1b[" not in pipe + without
    assert "\x1b[32mwhat fixed it:" in terminal


@pytest.mark.parametrize("token", ["kb_ a", "kb_a\nb", "kb_é"])
def test_a_token_that_is_none_is_not_sent(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("KB_TOKEN", token)

    assert run(["search", "pool"]) == 2
    assert "copy it again" in capsys.readouterr().err and server.asked == []


def test_this_machine_is_asked_without_a_proxy_and_others_name_theirs(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://me:pw@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    server.says({**NOTHING, "total": 0})

    here, there = run(["search", "pool"]), run(["search", "pool", "--server", "https://kb.example.org"])

    said = capsys.readouterr().err
    assert (here, there) == (1, 3)
    assert "cannot be reached through the proxy 127.0.0.1:1: " in said and "pw" not in said


def test_a_server_without_tls_is_told_from_one_that_is_away(server: FakeServer, capsys: Any) -> None:
    assert run(["search", "pool", "--server", server.address.replace("http:", "https:")]) == 3
    assert "does not speak TLS. Is its address http://?" in capsys.readouterr().err


def test_the_new_incident_is_at_an_address_that_can_be_opened(server: FakeServer, capsys: Any) -> None:
    server.says({"ref": "INC-9", "title": "Down", "url": "/incidents/INC-9/"}, 201)

    run(["incident", "new", "--title", "Down"])

    assert f"{server.address}/incidents/INC-9/\n" in capsys.readouterr().out


def test_nothing_to_look_for_is_not_asked(server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(" \n\0"))

    assert run(["suggest"]) == 2
    assert "nothing to look for" in capsys.readouterr().err and server.asked == []
    assert run(["search", "x", "--limit", "99"]) == 2
    assert "from 1 to 20" in capsys.readouterr().err


class Full(io.StringIO):
    """A disk without room, or a reader who has left."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("out", "ended", "said"),
    [
        (
            Full(OSError(28, "No space left on device")),
            3,
            "kb: The answer cannot be written: No space left on device.\n",
        ),
        (Full(BrokenPipeError()), 0, ""),
        (None, 3, "standard output is closed"),
    ],
)
def test_an_answer_that_cannot_be_written_is_no_traceback(
    server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch, out: Any, ended: int, said: str
) -> None:
    server.says({**FOUND, "total": 1})
    monkeypatch.setattr("sys.stdout", out)

    assert run(["search", "pool"]) == ended
    assert said in capsys.readouterr().err


def test_on_a_narrow_terminal_no_word_is_cut(server: FakeServer, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    long = {**SUGGESTION, "what_fixed_it": "Recycled the pool of checkout, and then waited for a while."}
    server.says({**FOUND, "results": [long]})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")

    run(["suggest", "pool"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == ["          what fixed it: Recycled the", "          pool of checkout, and then"]
    assert [line for line in lines if len(line) > 40 and "http" not in line] == []
