"""What was saved is learned: once, by one drainer, in spite of bad documents, a missing index and killed processes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from kb.jobs.models import Worker
from kb.search import engine, outbox, upkeep
from kb.search.base import Unavailable
from kb.search.models import IndexChange
from tests.kb import sources

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("place")]


# --- learning ---


def test_what_is_saved_is_found_after_the_commit(index: None) -> None:
    sources.save("doc-1", "the pool is exhausted")

    assert sources.found("pool") == {"doc-1"}
    assert outbox.pending() == []


def test_what_is_rolled_back_is_neither_found_nor_pending(index: None) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        sources.save("doc-1", "pool")
        raise RuntimeError("the second half of the work fails")

    assert sources.found("pool") == set()
    assert outbox.pending() == []


def test_what_is_deleted_is_forgotten(index: None) -> None:
    sources.save("doc-1", "pool")

    sources.delete("doc-1")

    assert sources.found("pool") == set()
    assert upkeep.verify().keys == ()


def test_several_changes_of_a_document_are_one_row_each_and_learned_once(index: None) -> None:
    with transaction.atomic():
        sources.write("doc-1", "pool")
        outbox.record(["doc-1", "doc-1"])
        outbox.record(["doc-1"])

        assert IndexChange.objects.count() == 2

    assert sources.found("pool") == {"doc-1"}
    assert outbox.pending() == []


def test_nothing_to_record_is_nothing_to_do(index: None) -> None:
    outbox.record([])

    assert outbox.drain() == 0


def test_many_changes_wait_for_whoever_drains_next(index: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "AT_ONCE", 2)
    for n in range(3):
        sources.write(f"doc-{n}", "pool")

    outbox.record([f"doc-{n}" for n in range(3)])

    assert sources.found("pool") == set()
    assert outbox.pending() == ["doc-0", "doc-1", "doc-2"]
    assert outbox.drain() == 3
    assert sources.found("pool") == {"doc-0", "doc-1", "doc-2"}


def test_more_rows_than_a_batch_are_drained(index: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH", 4)
    for n in range(10):
        sources.write(f"doc-{n}", "pool")

    outbox.record(f"doc-{n}" for n in range(10))

    assert len(sources.found("pool")) == 10
    assert outbox.pending() == []


@pytest.fixture
def a_long_drain(index: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Six changes are saved at once, two fit a batch, and the saver has enough of it after the first one."""
    monkeypatch.setattr(outbox, "BATCH", 2)
    monkeypatch.setattr(outbox, "FAIR_SHARE", 0.0)

    def save() -> None:
        for n in range(6):
            sources.write(f"doc-{n}", "pool")
        outbox.record(f"doc-{n}" for n in range(6))

    return save


def test_a_saver_leaves_to_a_worker_what_takes_long(
    a_long_drain: Callable[[], None], work_off: Callable[[], int]
) -> None:
    Worker.objects.beat("a worker", at=timezone.now())

    a_long_drain()
    assert sources.found("pool") == {"doc-0", "doc-1"}
    assert outbox.pending() == [f"doc-{n}" for n in range(2, 6)]

    assert work_off() == 1
    assert sources.found("pool") == {f"doc-{n}" for n in range(6)}
    assert outbox.pending() == []


@pytest.mark.parametrize("seen", [None, timedelta(hours=1)])
def test_without_a_living_worker_a_saver_finishes_it(
    a_long_drain: Callable[[], None], work_off: Callable[[], int], seen: timedelta | None
) -> None:
    if seen:
        Worker.objects.beat("a worker of old", at=timezone.now() - seen)

    a_long_drain()

    assert outbox.pending() == []
    assert work_off() == 0


def test_a_saver_who_is_done_in_time_bothers_no_worker(index: None, work_off: Callable[[], int]) -> None:
    Worker.objects.beat("a worker", at=timezone.now())

    sources.save("doc-1", "pool")

    assert sources.found("pool") == {"doc-1"}
    assert work_off() == 0


# --- one drainer ---


def test_while_another_drains_saving_returns_and_the_row_stays(index: None) -> None:
    with outbox.drainer_lock() as held:
        assert held

        sources.save("doc-1", "pool")

        assert outbox.drain() == 0
        assert outbox.pending() == ["doc-1"]
    assert outbox.drain() == 1
    assert sources.found("pool") == {"doc-1"}


def test_a_drainer_can_wait_for_another(index: None) -> None:
    with outbox.drainer_lock() as held, outbox.drainer_lock(wait=0.05) as also_held:
        assert (held, also_held) == (True, False)

    with outbox.drainer_lock(wait=0.05) as held:
        assert held


def test_a_change_that_comes_while_its_drainer_is_at_work_is_not_overlooked(index: None) -> None:
    sources.SOURCE.meanwhile = lambda: sources.save("doc-2", "pool")  # its own drain finds the lock taken

    sources.save("doc-1", "pool")

    assert sources.found("pool") == {"doc-1", "doc-2"}
    assert outbox.pending() == []


def test_a_change_between_the_last_look_and_the_unlocking_is_not_overlooked(index: None) -> None:
    looks: list[str] = []

    def save_after_the_second_look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and f"LIMIT {outbox.BATCH}" in sql:
            looks.append(sql)
            if len(looks) == 2:  # the first found doc-1, this one nothing
                sources.save("doc-2", "pool")
        return result

    with connection.execute_wrapper(save_after_the_second_look):
        sources.save("doc-1", "pool")

    assert sources.found("pool") == {"doc-1", "doc-2"}
    assert outbox.pending() == []


def test_a_change_while_the_document_was_read_is_learned_too(index: None) -> None:
    sources.write("doc-1", "old pool")
    sources.SOURCE.meanwhile = lambda: sources.save("doc-1", "new lease", version=2)

    outbox.record(["doc-1"])

    assert sources.found("leas") == {"doc-1"}
    assert sources.found("pool") == set()


# --- trouble ---


def test_without_an_index_nobody_is_bothered_and_nothing_is_lost() -> None:
    sources.save("doc-1", "pool")

    with pytest.raises(Unavailable):
        outbox.drain()
    assert outbox.pending() == ["doc-1"]
    assert upkeep.ensure()
    assert sources.found("pool") == {"doc-1"}
    assert outbox.pending() == []


def test_a_damaged_index_learns_nothing_until_it_is_made_anew(index: None, place: Path) -> None:
    sources.save("doc-1", "pool")
    for file in place.glob("index/gen-*/*.toc"):
        file.write_bytes(b"")
    engine.backend().close()

    sources.save("doc-2", "pool")

    assert outbox.pending() == ["doc-2"]
    upkeep.ensure()
    assert sources.found("pool") == {"doc-1", "doc-2"}
    assert outbox.pending() == []


def test_a_document_that_cannot_be_made_does_not_hold_up_the_others(index: None) -> None:
    with transaction.atomic():
        for n in range(7):
            sources.save(f"doc-{n}", "poison" if n == 3 else "pool")

    assert sources.found("pool") == {f"doc-{n}" for n in range(7)} - {"doc-3"}
    (row,) = IndexChange.objects.all()
    assert (row.key, row.attempts, row.error) == ("doc-3", 1, "ValueError: doc-3 cannot be made")


def test_a_document_that_cannot_be_stored_does_not_hold_up_the_others(index: None) -> None:
    with transaction.atomic():
        sources.save("doc-1", "pool")
        sources.save("doc-2", "pool", version=2**80)  # no number that a column can hold

    assert sources.found("pool") == {"doc-1"}
    assert outbox.pending() == ["doc-2"]


def test_after_five_attempts_a_row_is_left_aside_and_shown() -> None:
    upkeep.rebuild()
    sources.save("doc-1", "poison")
    for _ in range(10):
        outbox.drain()

    (row,) = outbox.left_aside()
    assert row.attempts == outbox.MAX_ATTEMPTS
    assert upkeep.stats()["left_aside"] == 1
    assert upkeep.stats()["pending"] == 0
    assert upkeep.stats()["error doc-1"] == "ValueError: doc-1 cannot be made"


def test_what_was_left_aside_is_learned_when_the_document_is_mended(index: None) -> None:
    sources.save("doc-1", "poison")
    for _ in range(5):
        outbox.drain()

    sources.save("doc-1", "pool", version=2)

    assert sources.found("pool") == {"doc-1"}
    assert IndexChange.objects.count() == 0


def test_a_database_that_is_away_is_not_the_documents_fault(index: None) -> None:
    def go_away() -> None:
        raise OperationalError("the database went away")

    sources.SOURCE.meanwhile = go_away
    sources.save("doc-1", "pool")  # tried, logged

    (row,) = IndexChange.objects.all()
    assert row.attempts == 0
    assert outbox.drain() == 1


def test_pending_keys_come_oldest_first_and_once() -> None:
    with transaction.atomic():
        outbox.record(["doc-2", "doc-1"])
        outbox.record(["doc-2", "doc-3"])

    assert outbox.pending() == ["doc-2", "doc-1", "doc-3"]
    assert outbox.pending(limit=1) == ["doc-2"]
