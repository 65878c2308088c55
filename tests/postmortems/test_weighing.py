"""The weighing, for any text and any record: what it promises holds everywhere, not only in examples."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems.suggestions.weighing import RECENT, Features, Record, engine_version, parts_of

counts = st.integers(0, 30)
records = st.builds(Record, worked=counts, partly=counts, no_effect=counts, made_worse=counts)
texts = st.dictionaries(st.sampled_from(["Words", "Names", "Log lines"]), st.floats(0.001, 500), min_size=1)
features = st.builds(
    Features,
    same_service=st.booleans(),
    same_environment=st.booleans(),
    days_ago=st.none() | st.integers(-1, 5000),
    records=st.lists(records, max_size=4).map(tuple),
)
quickly = settings(deadline=None, max_examples=200)


def score(text: dict[str, float], known: Features) -> float:
    return sum(part.value for part in parts_of(text, known))


def with_record(known: Features, place: int, record: Record) -> Features:
    """The same, with another record of one of its fixes."""
    fixes = list(known.records) or [Record()]
    fixes[place % len(fixes)] = record
    return replace(known, records=tuple(fixes))


def record_at(known: Features, place: int) -> Record:
    return known.records[place % len(known.records)] if known.records else Record()


@quickly
@given(texts, features, st.integers(0, 3))
def test_a_success_never_lowers_a_rank(text: dict[str, float], known: Features, place: int) -> None:
    record = record_at(known, place)
    before = with_record(known, place, record)

    after = with_record(known, place, replace(record, worked=record.worked + 1))

    assert score(text, after) >= score(text, before) - 1e-9


@quickly
@given(texts, features, st.integers(0, 3))
def test_having_made_it_worse_never_lifts(text: dict[str, float], known: Features, place: int) -> None:
    record = record_at(known, place)
    before = with_record(known, place, record)

    after = with_record(known, place, replace(record, made_worse=record.made_worse + 1))

    assert score(text, after) <= score(text, before) + 1e-9


@quickly
@given(texts, features, records)
def test_what_made_it_worse_stands_below_what_nobody_has_tried(
    text: dict[str, float], known: Features, record: Record
) -> None:
    worse = replace(known, records=(replace(record, made_worse=record.made_worse + 1),))
    untried = replace(known, records=(Record(),))

    assert score(text, worse) < score(text, untried)


@quickly
@given(texts, features)
def test_parts_are_the_text_and_what_was_added_and_none_is_empty(text: dict[str, float], known: Features) -> None:
    parts = {part.name: part.value for part in parts_of(text, known)}

    assert {name: parts[name] for name in text} == text
    assert all(parts.values())
    assert 0.9 * sum(text.values()) <= sum(parts.values()) <= 1.33 * sum(text.values())


@quickly
@given(texts, features, st.integers(0, 1000), st.integers(0, 1000))
def test_of_two_the_newer_is_never_lower(text: dict[str, float], known: Features, one: int, other: int) -> None:
    newer, older = sorted([one, other])

    assert score(text, replace(known, days_ago=newer)) >= score(text, replace(known, days_ago=older))


def test_a_year_is_long_ago() -> None:
    text = {"Words": 100.0}

    assert score(text, Features(days_ago=0)) == pytest.approx(100 * (1 + RECENT))
    assert score(text, Features(days_ago=365)) == score(text, Features(days_ago=None)) == 100.0


def test_the_record_is_laplaces_rule() -> None:
    assert Record().standing == 0.5
    assert Record(worked=3, no_effect=1).standing == pytest.approx(4 / 6)
    assert Record(partly=1).standing == pytest.approx(0.5)
    assert Record(worked=99, made_worse=1).standing == 0.45


def test_the_version_names_the_engine_and_the_numbers() -> None:
    name, digest = engine_version().split(" ")

    assert (name, len(digest)) == ("whoosh", 8)
    assert engine_version() == f"{name} {digest}"
