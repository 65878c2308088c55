"""manage.py declare TITLE: an incident begins, from a script or a terminal."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from postmortems import search
from postmortems.models import Incident, Service, Severity
from postmortems.models.incident import TITLE_LENGTH
from postmortems.workflows import triage


class Command(BaseCommand):
    help = "Declare an incident, on behalf of the machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("title", metavar="TITLE")
        parser.add_argument("--severity", choices=Severity.values, default=Severity.SEV3)
        parser.add_argument("--symptoms", default="", help="what is seen; Markdown")
        parser.add_argument("--error-excerpt", default="", help="log lines, as they are")
        parser.add_argument(
            "--service", action="append", default=[], help="a service's name, slug or alias; repeatable"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        title = " ".join(options["title"].split())
        if not title or len(title) > TITLE_LENGTH:
            raise CommandError(f"A title has 1 to {TITLE_LENGTH} characters.")
        search.prepare_index()
        incident = triage.open_incident(
            title=title,
            symptoms=options["symptoms"],
            error_excerpt=options["error_excerpt"],
            severity=options["severity"],
            services=[_service(name) for name in options["service"]],
            by=None,
            at=timezone.now(),
        )
        self.stdout.write(json.dumps(_as_json(incident)) if options["json"] else f"{incident} is open.")


def _as_json(incident: Incident) -> dict[str, Any]:
    url = settings.SITE_URL + incident.get_absolute_url()
    return {"ref": incident.ref, "title": incident.title, "severity": incident.severity, "url": url}


def _service(name: str) -> Service:
    service = Service.objects.named(name)
    if service is None:
        raise CommandError(f"There is no service {name!r}.")
    return service
