"""`manage.py worker`: does the work beside the pages. Start as many as you like; one is enough."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from kb.jobs.working import Working


class Command(BaseCommand):
    help = "Does jobs from the queue until it is told to stop (Ctrl-C, SIGTERM): it finishes the one in hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", "--batch", action="store_true", help="do what is due now, then stop")
        parser.add_argument("--parent", type=int, help="stop when this process is not the parent any more")

    def handle(self, *args: Any, **options: Any) -> None:
        working = Working(parent=options["parent"])
        if options["once"]:
            self.stdout.write(f"{working.drain()} jobs done")
        else:
            working.go_on()
