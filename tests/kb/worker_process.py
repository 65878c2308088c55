"""What each process does in the tests of several workers: `python -m tests.kb.worker_process COMMAND...`."""

import os
import subprocess
import sys
from datetime import timedelta

import django
from django.conf import settings
from django.core.management import call_command

settings.REGULAR_WORK = "tests.kb.worker_process.NOTHING"
django.setup()

from kb.jobs import working  # noqa: E402  (models need the set-up)
from tests.kb import jobs_of_tests as jobs  # noqa: E402

NOTHING = ()


def prepare() -> None:
    for app in ("django_tasks_database", "jobs"):
        call_command("migrate", app, verbosity=0)


def put_in(name: str, path: str, count: str) -> None:
    for n in range(int(count)):
        getattr(jobs, name).enqueue(path, f"job-{n}")


def work() -> None:
    """Says that it lives far more often than it would."""
    working.BEAT = timedelta(seconds=0.05)
    call_command("worker")


def drain() -> None:
    call_command("worker", once=True)


def leave_behind() -> None:
    """A worker of this process, which itself ends at once."""
    subprocess.Popen([sys.executable, "-m", "tests.kb.worker_process", "follow", str(os.getpid())])


def follow(parent: str) -> None:
    call_command("worker", parent=int(parent))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
