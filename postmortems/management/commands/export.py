"""manage.py export FILE: everything, or what one person sees, as Markdown, JSON Lines or CSV."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems.exporting.files import FORMATS
from postmortems.models import User
from postmortems.workflows import exporting


class Command(BaseCommand):
    help = (
        "Write everything, or what one person sees, to FILE (-: standard output). `import_postmortems` reads Markdown "
        "and JSON Lines back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a new file, or - for standard output")
        parser.add_argument("--format", choices=FORMATS, default="markdown")
        parser.add_argument("--user", metavar="USERNAME", help="only what this person may see")
        parser.add_argument("--replace", action="store_true", help="write over FILE if it is there")

    def handle(self, *args: Any, **options: Any) -> None:
        person = _person(options["user"])
        content = exporting.export(options["format"], by=person, at=timezone.now())
        if options["file"] == "-":
            for piece in content:
                sys.stdout.buffer.write(piece)
            return
        way = os.O_TRUNC if options["replace"] else os.O_EXCL
        try:
            # What is restricted is in it, too: nobody else on this machine is to read it.
            with os.fdopen(os.open(options["file"], os.O_WRONLY | os.O_CREAT | way, 0o600), "wb") as file:
                for piece in content:
                    file.write(piece)
        except FileExistsError as error:
            raise CommandError(f"{options['file']} is there already. --replace writes over it.") from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}") from error
        self.stdout.write(f"Written to {options['file']}.")


def _person(name: str | None) -> User | None:
    if name is None:
        return None
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise CommandError(f"There is no account {name!r} that is in use.")
    return person
