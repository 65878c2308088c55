"""Where a request came from, and files that a spreadsheet opens."""

import csv
from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import Settings

from kb import origin
from kb.origin_middleware import OriginMiddleware
from kb.spreadsheet import as_csv, harmless


def origin_of(path: str = "/", **meta: str) -> origin.Origin:
    seen = []

    def page(_request: HttpRequest) -> HttpResponse:
        seen.append(origin.current())
        return HttpResponse()

    OriginMiddleware(page)(RequestFactory().get(path, **meta))  # type: ignore[arg-type]
    return seen[0]


def test_pages_and_programs_come_by_different_doors() -> None:
    assert origin_of("/incidents/").channel == "web"
    assert origin_of("/api/v1/search/").channel == "api"
    assert origin.current() == origin.COMMAND


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.9", "198.51.100.1"),
        (1, "203.0.113.5, 192.0.2.9", "192.0.2.9"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "", "198.51.100.1"),
        (1, "made up", None),
        (2, "192.0.2.9", "198.51.100.1"),
    ],
)
def test_only_a_proxy_that_we_trust_says_who_asked(
    settings: Settings, proxies: int, forwarded: str, address: str | None
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}

    assert origin_of(REMOTE_ADDR="198.51.100.1", **headers).address == address


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1"])
def test_a_cell_is_text_and_never_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


def test_other_cells_stay_as_they_are() -> None:
    assert [harmless(value) for value in ("a=b", None, 7, "2026-01-01 -")] == ["a=b", "", "7", "2026-01-01 -"]


def test_a_file_is_read_back_as_it_was() -> None:
    body = b"".join(as_csv("x.csv", ["a", "b"], [["one, two", 'say "x"'], ["line\nend", "=1"]]))  # type: ignore[arg-type]

    rows = list(csv.reader(body.decode().splitlines(keepends=True)))
    assert rows == [["a", "b"], ["one, two", 'say "x"'], ["line\nend", "'=1"]]


def test_a_file_is_written_in_the_zone_of_its_reader_when_the_request_is_over() -> None:
    late = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)

    with timezone.override("Asia/Tokyo"):
        answer = as_csv("x.csv", ["on"], ([timezone.localdate(each)] for each in [late]))
    written = b"".join(answer).decode().split()  # type: ignore[arg-type]

    assert written == ["on", "2026-03-02"]
    assert timezone.get_current_timezone_name() == "UTC"
