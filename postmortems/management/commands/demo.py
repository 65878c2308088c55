"""`manage.py demo`: everything that a first look needs, then the server. What is there already is left as it is."""

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems import search
from postmortems.models import User
from postmortems.workflows.sampling import load_sample_data

HOST = "127.0.0.1"
USERNAME, ADMINISTRATOR = "demo", "admin"  # as the sample data calls them


class Command(BaseCommand):
    help = "A server with sample data on this machine: http://127.0.0.1:8000 (PORT=8001 for another port)."

    def handle(self, *args: Any, **options: Any) -> None:
        port = free_port(os.environ.get("PORT") or "8000")
        self.say("the database")
        call_command("migrate", verbosity=0)
        password = demo_password(settings.DATA_DIR / "demo_password")
        self.say("the search index")
        search.prepare_index()  # before there is anything in it: what comes is learned as it is written
        self.say("sample data")
        load_sample_data(at=timezone.now(), password=password)
        self.say("styles and scripts")
        call_command("collectstatic", interactive=False, verbosity=0)
        self.stdout.write(welcome(f"http://{HOST}:{port}", password))
        serve(port)

    def say(self, step: str) -> None:
        self.stdout.write(f"preparing {step} ...")
        self.stdout.flush()


def free_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise CommandError(f"PORT={text!r} is no port. For example: make demo PORT=8001")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(text)))
        except OSError as error:
            raise CommandError(
                f"Port {text} cannot be had ({error.strerror}). For another one: make demo PORT={int(text) % 65535 + 1}"
            ) from error
    return int(text)


def demo_password(path: Path) -> str:
    """Made once, at the first start, and kept for its owner only."""
    if not path.exists():
        if User.objects.exists():
            raise CommandError(
                f"{settings.DATA_DIR} holds accounts that no demo made. For a demo beside them: "
                "KB_DATA_DIR=/another/folder make demo"
            )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(9))
    return path.read_text().strip()


def welcome(address: str, password: str) -> str:
    lines = [
        "The postmortem knowledge base is at",
        "",
        f"    {address}",
        "",
        f"    sign in as   {USERNAME}",
        f"    password     {password}",
        "",
        f"{ADMINISTRATOR} has the same password and sees everything.",
        "Ctrl-C stops it. Its data is in",
        f"    {settings.DATA_DIR}",
    ]
    width = max(map(len, lines))
    edge = "+" + "-" * (width + 4) + "+"
    return "\n".join(["", edge, *(f"|  {line:<{width}}  |" for line in lines), edge, ""])


def serve(port: int) -> None:
    """This process becomes the server, so that Ctrl-C and signals reach it and nothing in between.

    The worker beside it is its child, and stops when it is gone, however it went.
    """
    os.environ["KB_URL"] = f"http://{HOST}:{port}"
    sys.stdout.flush()
    start_worker()
    command = [sys.executable, "-m", "gunicorn", "kb.wsgi:application", "--bind", f"{HOST}:{port}"]
    command += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--log-level", "warning"]
    os.execv(sys.executable, command)  # noqa: S606  (no shell: our own program and a number)


def start_worker() -> None:
    command = [sys.executable, sys.argv[0], "worker", "--parent", str(os.getpid())]
    quiet = {**os.environ, "KB_LOG_LEVEL": os.environ.get("KB_LOG_LEVEL", "WARNING")}
    subprocess.Popen(command, env=quiet, stdin=subprocess.DEVNULL)  # noqa: S603  (our own program)
