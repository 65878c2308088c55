"""The work beside the pages, as administrators see it."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from kb.jobs import queue
from kb.jobs.models import Worker
from postmortems.models import AuditEvent, User
from tests import factory
from tests.kb import jobs_of_tests as jobs

pytestmark = pytest.mark.django_db


def given_up(said: str) -> queue.Row:
    jobs.fail.enqueue(said)
    DBTaskResult.objects.update(worker_ids=["one", "two"])
    row = queue.claim("three", at=timezone.now())
    assert row is not None
    queue.fail(row, jobs.Failing(said), at=timezone.now())
    return row


def test_what_was_given_up_is_shown_with_its_reason_and_put_back(admin: User, work_off: Callable[[], int]) -> None:
    row, client = given_up("<b>no route</b>"), factory.signed_in(admin)
    page = client.get("/jobs/").text
    assert "&lt;b&gt;no route" in page and "<b>no route" not in page

    for expected in ("a worker tries it again", "put back already"):
        assert expected in client.post(f"/jobs/{row.pk}/again/", follow=True).text

    assert DBTaskResult.objects.get().status == queue.READY
    assert AuditEvent.objects.get().action == "job.put_back"
    assert work_off() == 1


def test_the_page_says_whether_anybody_works(admin: User) -> None:
    client = factory.signed_in(admin)
    assert "No worker is running" in client.get("/jobs/").text

    jobs.add.enqueue(1, 2)
    assert "1 job waits, and no worker is running" in client.get("/jobs/").text

    Worker.objects.beat("tireless", at=timezone.now())
    page = client.get("/jobs/").text
    assert "tireless" in page and "no worker" not in page
