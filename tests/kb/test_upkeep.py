"""The index is disposable: made anew without disturbing anybody, compared with the database, mended."""

import logging
import os
import threading
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from kb.search import engine, outbox, upkeep
from kb.search.base import Corrupt, Unavailable
from kb.search.models import IndexChange
from tests.kb import sources

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("place")]


def damage(place: Path) -> None:
    """As a full disk or a careless hand leaves it."""
    for file in place.glob("index/gen-*/*.seg"):
        os.truncate(file, file.stat().st_size // 2)
    engine.backend().close()


# --- rebuild ---


def test_a_rebuild_learns_everything_and_forgets_what_is_gone(index: None) -> None:
    sources.save("doc-1", "pool")
    sources.write("doc-2", "pool")
    Session.objects.filter(pk="doc-1").delete()

    assert upkeep.rebuild() == 1
    assert sources.found("pool") == {"doc-2"}


def test_a_rebuild_tells_how_far_it_is() -> None:
    for n in range(3):
        sources.write(f"doc-{n}", "pool")
    told: list[int] = []

    upkeep.rebuild(told.append)

    assert told == [1, 2, 3]


def test_changes_that_are_pending_are_learned_by_the_rebuild(place: Path) -> None:
    sources.save("doc-1", "pool")
    assert outbox.pending() == ["doc-1"]

    upkeep.rebuild()

    assert outbox.pending() == []
    assert sources.found("pool") == {"doc-1"}


def test_what_is_saved_during_a_rebuild_is_not_lost(index: None) -> None:
    sources.write("doc-1", "pool")
    sources.SOURCE.meanwhile = lambda: sources.save("doc-0", "pool")  # behind the rows that were read already

    upkeep.rebuild()

    assert sources.found("pool") == {"doc-0", "doc-1"}
    assert outbox.pending() == []


def test_a_document_that_cannot_be_indexed_is_left_out_and_named(index: None) -> None:
    sources.write("doc-1", "pool")
    sources.write("doc-2", "pool", version=-1)

    assert upkeep.rebuild() == 1

    assert sources.found("pool") == {"doc-1"}
    assert upkeep.stats()["error doc-2"] == "ValueError: doc-2: -1 cannot be stored as a version"


def test_a_rebuild_that_fails_leaves_the_old_index(index: None, place: Path) -> None:
    sources.save("doc-1", "pool")
    sources.write("doc-2", "poison")

    with pytest.raises(ValueError, match="doc-2 cannot be made"):
        upkeep.rebuild()

    assert sources.found("pool") == {"doc-1"}
    assert len(list(place.glob("index/gen-*"))) == 1


def test_only_one_rebuilds(index: None) -> None:
    with outbox.drainer_lock() as held, pytest.raises(Unavailable, match="another process"):
        assert held
        upkeep.rebuild(wait=0)


def test_generations_do_not_pile_up(index: None, place: Path) -> None:
    for _ in range(3):
        upkeep.rebuild()

    before, current = sorted(path.name for path in place.glob("index/gen-*"))
    assert before.startswith("gen-000003-")  # stays for readers that still have it open
    assert (place / "index" / "current").read_text() == f"{current}\n"


# --- ensure, sync ---


def test_without_an_index_one_is_made() -> None:
    sources.write("doc-1", "pool")

    assert upkeep.ensure()

    assert not upkeep.ensure()
    assert sources.found("pool") == {"doc-1"}


def test_a_deleted_index_comes_back(index: None, place: Path) -> None:
    sources.save("doc-1", "pool")
    (place / "index").rename(place / "moved away")

    assert not upkeep.is_usable()
    assert upkeep.ensure()
    assert sources.found("pool") == {"doc-1"}


def test_a_damaged_index_is_made_anew(index: None, place: Path) -> None:
    sources.save("doc-1", "pool")
    damage(place)

    with pytest.raises(Corrupt):
        sources.found("pool")
    assert upkeep.ensure()
    assert sources.found("pool") == {"doc-1"}


def test_what_one_reader_found_damaged_is_not_used_again(index: None, place: Path) -> None:
    sources.save("doc-1", "pool")
    (file,) = place.glob("index/gen-*/*.seg")
    os.truncate(file, 100)  # the file is open: what was read of it is still known, what was not is missing

    with pytest.raises(Corrupt):
        sources.found("pool")
    assert not upkeep.is_usable()
    assert upkeep.ensure()
    assert sources.found("pool") == {"doc-1"}


def test_sync_learns_what_is_pending_and_tidies_up(index: None) -> None:
    with outbox.drainer_lock():
        sources.save("doc-1", "pool")
    for n in range(2, 6):
        sources.save(f"doc-{n}", "pool")
    with outbox.drainer_lock():
        sources.save("doc-6", "pool")

    assert upkeep.sync() == 1

    assert len(sources.found("pool")) == 6
    assert upkeep.stats()["segments"] == 1


def test_sync_makes_an_index_if_there_is_none() -> None:
    sources.write("doc-1", "pool")

    upkeep.sync()

    assert sources.found("pool") == {"doc-1"}


# --- verify ---


def test_verify_finds_what_differs_and_repair_mends_only_that(index: None) -> None:
    for n in range(5):
        sources.save(f"doc-{n}", "pool")
    before = engine.backend().stats()["commit"]
    sources.write("doc-1", "lease", version=2)
    sources.write("doc-9", "lease")
    Session.objects.filter(pk="doc-2").delete()

    found = upkeep.verify()

    assert found == upkeep.Differences(missing=("doc-9",), stale=("doc-1",), orphaned=("doc-2",))
    assert upkeep.verify(repair=True) == found
    assert upkeep.verify() == upkeep.Differences()
    assert sources.found("leas") == {"doc-1", "doc-9"}
    assert sources.found("pool") == {"doc-0", "doc-3", "doc-4"}
    assert int(engine.backend().stats()["commit"]) == int(before) + 1


def test_another_text_under_the_same_version_is_a_difference(index: None) -> None:
    sources.save("doc-1", "pool")
    sources.write("doc-1", "lease")

    assert upkeep.verify(repair=True).stale == ("doc-1",)
    assert sources.found("leas") == {"doc-1"}


def test_after_a_restored_backup_the_database_is_right(index: None) -> None:
    sources.save("doc-1", "lease", version=7)
    sources.write("doc-1", "pool", version=3)

    upkeep.verify(repair=True)

    assert sources.found("pool") == {"doc-1"}
    assert upkeep.verify().keys == ()


def test_what_is_saved_while_we_compare_is_no_difference(index: None) -> None:
    sources.save("doc-2", "pool")
    sources.SOURCE.meanwhile = lambda: sources.save("doc-1", "pool")  # learned, but behind what was read

    assert upkeep.verify() == upkeep.Differences()


def test_repairing_without_an_index_makes_one() -> None:
    sources.write("doc-1", "pool")

    with pytest.raises(Unavailable):
        upkeep.verify()
    assert upkeep.verify(repair=True) == upkeep.Differences()
    assert sources.found("pool") == {"doc-1"}


# --- stats, the background ---


def test_stats_tell_the_state_and_never_raise(place: Path) -> None:
    assert upkeep.stats()["state"] == "Unavailable: there is no index yet"

    upkeep.rebuild()
    sources.save("doc-1", "pool")
    with outbox.drainer_lock():
        sources.save("doc-2", "pool")
    said = upkeep.stats()

    assert said["state"] == "ready"
    assert (said["documents"], said["pending"], said["left_aside"]) == (1, 1, 0)
    assert said["segments"] == 1
    damage(place)
    assert str(upkeep.stats()["state"]).startswith("Corrupt: the index cannot be read")


def join_the_rebuilder() -> None:
    for thread in threading.enumerate():
        if thread.name == "index-rebuild":
            thread.join()


def test_the_index_is_made_anew_in_the_background(caplog: pytest.LogCaptureFixture) -> None:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
        connection.inc_thread_sharing()
    sources.write("doc-1", "pool")

    with caplog.at_level(logging.ERROR):
        assert upkeep.rebuild_in_background()
        join_the_rebuilder()

    assert caplog.records == []
    assert sources.found("pool") == {"doc-1"}


def test_while_another_process_rebuilds_the_background_leaves_it_to_that() -> None:
    with outbox.drainer_lock():
        assert upkeep.rebuild_in_background()
        join_the_rebuilder()

    assert not upkeep.is_usable()
    assert IndexChange.objects.count() == 0
