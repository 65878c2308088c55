"""`manage.py send_notifications`: mails what could not be sent right away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems.workflows import mailing


class Command(BaseCommand):
    help = "Mail the notifications that were not mailed yet. Safe to run twice; for a timer, every few minutes."

    def handle(self, *args: Any, **options: Any) -> None:
        sent, failed = mailing.send_left(at=timezone.now())
        self.stdout.write(f"{sent} sent, {failed} left")
        if failed:
            raise CommandError("The mail server did not take them all. The next run tries again.")
