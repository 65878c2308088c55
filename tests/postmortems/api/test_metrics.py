"""Totals for monitoring: for operators, and telling nobody else of what is hidden."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postmortems.models import ApiToken, User, Visibility
from tests import factory
from tests.postmortems.conftest import Learn

pytestmark = pytest.mark.django_db


def scrape(who: User, scope: str = "metrics") -> Any:
    secret = ApiToken.objects.issue(user=who, name="prometheus", scopes=[scope], at=timezone.now())[1]
    return Client().get("/metrics", headers={"authorization": f"Bearer {secret}"})


def test_a_program_reads_totals(learn: Learn) -> None:
    factory.incident(severity="sev1", visibility=Visibility.RESTRICTED)
    factory.incident(severity="sev1", status="resolved", resolved_at=factory.NOON)

    answer = scrape(factory.user("prometheus", roles=(), is_integration=True))

    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert samples['kb_incidents_in_progress{severity="sev1"}'] == "1"
    assert (samples["kb_index_ready"], samples["kb_index_pending"]) == ("1", "0")
    assert samples['kb_jobs{state="given_up"}'] == "0"
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="\w+"\})?', name) for name in samples)


def test_totals_are_for_operators(learn: Learn, alice: User, admin: User) -> None:
    assert scrape(alice).status_code == 403
    assert scrape(admin, "read").status_code == 403
    assert scrape(admin).status_code == 200
    assert Client().get("/metrics").status_code == 401
    assert factory.signed_in(admin).get("/metrics").status_code == 200
