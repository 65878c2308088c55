"""`manage.py load_sample_data`: the sample organisation and its postmortems; safe to run twice."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems.sample_data.files import SampleDataError
from postmortems.workflows.sampling import load_sample_data


class Command(BaseCommand):
    help = "Loads sample data: teams, services, incidents, and postmortems of well-known public incidents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--password", default="", help="For the accounts made now; without it one is made up.")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or secrets.token_urlsafe(9)
        try:
            report = load_sample_data(at=timezone.now(), password=password)
        except SampleDataError as error:
            raise CommandError(str(error)) from error
        made = ", ".join(f"{count} {name}" for name, count in sorted(report.created.items()))
        self.stdout.write(f"Sample data: {made or 'all of it is there already, nothing changed'}.")
        for username in report.signs_in:
            self.stdout.write(f"Sign in as {username} with the password {password}")
