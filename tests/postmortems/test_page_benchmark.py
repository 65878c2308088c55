"""The benchmark of pages: its rows are what it says, and what it asks for is answered."""

import random

import pytest
from django.test import Client

from postmortems.management import pages
from postmortems.models import ActionItem

pytestmark = pytest.mark.django_db


def test_measures_pages_with_as_many_rows_as_asked_for() -> None:
    client = Client()
    client.force_login(pages.fill(120, random.Random(1)))

    measured = [pages.page_of(client, address, 1) for address in pages.PAGES]

    assert ActionItem.objects.count() == 120
    assert all(0 < page.p50 <= page.p95 and 1000 < page.bytes < 100_000 for page in measured)
    assert all(2 < page.queries <= pages.MOST_QUERIES for page in measured)
    assert pages.as_markdown(measured, items=120).count("\n") == len(measured) + 1


def test_a_page_that_fails_is_not_a_fast_one() -> None:
    with pytest.raises(RuntimeError, match="404"):
        client = Client()
        client.force_login(pages.fill(12, random.Random(1)))
        pages.page_of(client, "/actions/ACT-999999/", 1)
