"""Health: is the process up, is it ready to serve, and if not, why not."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kb.jobs import queue
from kb.search import upkeep


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Says nothing about the database."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when everything that a page needs is there, else 503; `reasons` says what is missing.

    A missing index is no such reason: the database answers meanwhile; nor is work that waits. They stand under `notes`.
    """
    reasons = missing()
    notes = [] if reasons else noteworthy()
    answer = {"ready": not reasons, "reasons": reasons, "notes": notes}
    return JsonResponse(answer, status=503 if reasons else 200, headers={"Cache-Control": "no-store"})


def noteworthy() -> list[str]:
    """What an operator should look at, though pages are served."""
    notes = [] if upkeep.is_usable() else ["There is no search index: searches go to the database."]
    if waiting := queue.waits_in_vain(at=timezone.now()):
        notes.append(f"{waiting} jobs wait and no worker is running: start manage.py worker.")
    return notes


def missing() -> list[str]:
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return ["The database is older than the program: run manage.py migrate."]
    except DatabaseError:
        return ["The database does not answer."]
    return []
