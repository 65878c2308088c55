"""The template tags of every page: ages, moments, code in plain text, addresses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.utils import timezone

from kb.templatetags import kb

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (59 * MINUTE, "59 min ago"),
        (HOUR, "1 h ago"),
        (47 * HOUR, "47 h ago"),
        (2 * DAY, "2 days ago"),
        (13 * DAY, "13 days ago"),
        (14 * DAY, "2 weeks ago"),
        (61 * DAY, "2 months ago"),
        (800 * DAY, "2 years ago"),
        (-3 * HOUR, "in 3 h"),
    ],
)
def test_ages_are_said_in_words(seconds: float, words: str) -> None:
    assert kb.in_words(seconds) == words


def test_a_moment_is_shown_in_the_readers_zone_and_told_in_utc() -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

    with timezone.override(ZoneInfo("Asia/Kolkata")):
        text = kb.moment(noon)

    assert text == '<time datetime="2026-07-01T12:00:00+00:00" title="2026-07-01 12:00 UTC">1 Jul 2026, 17:30</time>'


def test_what_has_no_time_says_nothing() -> None:
    assert (kb.moment(None), kb.age(None), kb.day(None), kb.day_age(None), kb.lasted(None, None)) == ("",) * 5


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "under 1 min"), (45, "45 min"), (60, "1 h"), (150, "2 h 30 min"), (3000, "2 days"), (-5, "under 1 min")],
)
def test_how_long_it_lasted(minutes: int, words: str) -> None:
    start = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

    assert kb.lasted(start, start + timedelta(minutes=minutes)) == words


def test_ticks_become_code_and_everything_else_stays_text() -> None:
    assert kb.ticked("run `df -h` <b>") == "run <code>df -h</code> &lt;b&gt;"
    assert kb.ticked("`<script>`") == "<code>&lt;script&gt;</code>"
    assert kb.ticked("a lone ` tick") == "a lone ` tick"


def test_wrapped_lines_are_joined_and_paragraphs_and_lists_are_not() -> None:
    assert kb.ticked("one\ntwo\n\nthree\n- four\n1. five") == "one two\n\nthree\n- four\n1. five"


def test_only_addresses_of_the_web_become_links() -> None:
    assert kb.is_web("https://example.org") and kb.is_web("http://example.org")
    assert not kb.is_web("javascript:alert(1)") and not kb.is_web("") and not kb.is_web(" https://example.org")


def test_a_query_gains_and_loses_one_value_and_starts_on_the_first_page() -> None:
    query = QueryDict("q=dns&tag=a&tag=b&page=3")

    assert kb.query_with(query, "tag", "c & d") == "?q=dns&tag=a&tag=b&tag=c+%26+d"
    assert kb.query_without(query, "tag", "a") == "?q=dns&tag=b"
    assert query["page"] == "3"
