"""Counts for monitoring, as Prometheus reads them: totals, and of nothing that has a name."""

from collections import Counter
from collections.abc import Iterator, Mapping

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from kb.jobs import queue
from postmortems.api.base import View
from postmortems.models import Incident, Scope, Severity, User
from postmortems.search import upkeep

TEXT = "text/plain; version=0.0.4; charset=utf-8"
Samples = Mapping[str, int | float]


class MetricsView(View):
    """For administrators and programs, with the scope `metrics`: totals tell of hidden incidents, too."""

    scope = Scope.METRICS
    schema = None  # no JSON, and none of the resources

    def get(self, request: Request) -> HttpResponse:
        asking = request.user
        if not isinstance(asking, User) or not (asking.is_administrator or asking.is_integration):
            raise PermissionDenied("Totals are for administrators, and for the accounts of programs.")
        return HttpResponse("".join(_lines()), content_type=TEXT)


def _lines() -> Iterator[str]:
    stats = upkeep.stats()
    yield from _gauge("kb_index_ready", "Whether the search index answers.", {"": int(stats["state"] == "ready")})
    yield from _gauge("kb_index_pending", "Changes that the index has not learned yet.", {"": int(stats["pending"])})
    yield from _gauge("kb_index_left_aside", "Changes that were given up.", {"": int(stats["left_aside"])})
    yield from _gauge("kb_incidents_in_progress", "By severity.", _incidents())
    yield from _gauge("kb_jobs", "Work beside the pages, by state.", _jobs())


def _incidents() -> Samples:
    counted = Counter(Incident.objects.in_progress().values_list("severity", flat=True))
    return {f'severity="{severity}"': counted[severity] for severity in Severity.values}


def _jobs() -> Samples:
    waiting = queue.ready(at=timezone.now()).count()
    return {'state="waiting"': waiting, 'state="given_up"': queue.dead().count()}


def _gauge(name: str, says: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP {name} {says}\n# TYPE {name} gauge\n"
    for labels, value in samples.items():
        yield f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n"
