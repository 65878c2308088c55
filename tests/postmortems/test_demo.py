"""`manage.py demo`: from nothing to a page, and again; and what it refuses."""

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.management.base import CommandError
from django.test import override_settings

from postmortems.management.commands import demo
from postmortems.models import User

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def started(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "DJANGO_"))}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "demo"],
        cwd=ROOT,
        env={**clean, "KB_DATA_DIR": str(data), "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return int(probe.getsockname()[1])


def until_served(address: str, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(process.communicate()[0])


def until_a_worker_lives(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        while connection.execute("SELECT name FROM jobs_worker").fetchall() == []:
            time.sleep(0.2)


def home_of_demo(address: str, password: str) -> str:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(f"{address}/accounts/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"username": "demo", "password": password, "csrfmiddlewaretoken": token[1]}
    return str(browser.open(f"{address}/accounts/login/", urlencode(form).encode()).read().decode())


def test_from_nothing_to_a_page_and_again_with_the_same_password(tmp_path: Path) -> None:
    port = unused_port()
    address = f"http://{demo.HOST}:{port}"
    said = []
    for _ in range(2):
        with started(tmp_path, port) as process:
            until_served(address, process)
            password = (tmp_path / "demo_password").read_text()
            assert "INC-" in home_of_demo(address, password)
            until_a_worker_lives(tmp_path / "db.sqlite3")
            process.send_signal(signal.SIGINT)
            said.append(process.communicate(timeout=60)[0])  # when the worker, too, has let go of the pipe

        assert process.returncode == 0
        assert address in said[-1]
        assert password in said[-1]
        assert "WARNING" not in said[-1]

    assert said[0] == said[1]
    assert stat.S_IMODE((tmp_path / "demo_password").stat().st_mode) == 0o600


def test_a_port_that_is_taken_is_said_with_the_way_round() -> None:
    with socket.socket() as other:
        other.bind((demo.HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(CommandError, match=rf"Port {port} .* make demo PORT="):
            demo.free_port(str(port))


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "٨٠٨٠", "80 80"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match="is no port"):
        demo.free_port(port)


def test_a_database_in_use_is_no_place_for_sample_data(tmp_path: Path, alice: User) -> None:
    with override_settings(DATA_DIR=tmp_path), pytest.raises(CommandError, match="no demo made"):
        demo.demo_password(tmp_path / "demo_password")

    assert not list(tmp_path.iterdir())
