"""The queue: each job done once, tried again later, given up, put back; taken over from workers that are gone."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from kb.jobs import queue, schedule, working
from kb.jobs.models import BEAT, LEASE, RegularWork, Worker
from kb.jobs.retrying import Retry
from kb.search import engine
from tests.kb import jobs_of_tests as jobs

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    """The time it is, until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(NOON)
    monkeypatch.setattr(timezone, "now", clock)
    return clock


def the_job() -> queue.Row:
    return DBTaskResult.objects.get()


WorkOff = Callable[[], int]


# --- done, and not done ---


def test_a_job_is_done_once_and_its_result_kept(work_off: WorkOff, clock: Clock) -> None:
    jobs.add.enqueue(2, second=3)

    assert (work_off(), work_off()) == (1, 0)
    row = the_job()
    assert (row.status, row.return_value, row.finished_at) == (queue.DONE, 5, NOON)


def test_what_fails_is_tried_again_later_and_later_and_then_given_up(work_off: WorkOff, clock: Clock) -> None:
    jobs.fail.enqueue()
    tried = []

    for minute in range(30):
        clock.now = NOON + minute * MINUTE
        if work_off():
            tried.append(minute)

    row = the_job()
    assert tried == [0, 1, 4]
    assert (row.status, len(row.worker_ids), row.finished_at) == (queue.DEAD, 3, NOON + 4 * MINUTE)
    assert row.exception_class_path == "tests.kb.jobs_of_tests.Failing"
    assert "no route" in row.traceback


def test_an_error_that_quotes_anything_is_kept_as_the_databases_can(work_off: WorkOff) -> None:
    jobs.quote_much.enqueue()

    work_off()

    said = the_job().traceback
    assert said.endswith("x\ufffd ends\n") and len(said) == queue.LONGEST_TRACEBACK


def test_waits_grow_to_a_longest_one() -> None:
    retry = Retry(first=MINUTE, factor=3, longest=HOUR)

    waits = [retry.wait_after(attempt) for attempt in (1, 2, 3, 4, 5, 10_000)]

    assert waits == [MINUTE, 3 * MINUTE, 9 * MINUTE, 27 * MINUTE, HOUR, HOUR]


def test_a_result_that_cannot_be_kept_is_a_failure(work_off: WorkOff) -> None:
    jobs.unspeakable.enqueue()

    assert work_off() == 1
    assert the_job().status == queue.READY
    assert "TypeError" in the_job().exception_class_path


def test_a_job_whose_function_is_gone_waits_for_a_program_that_has_it(work_off: WorkOff) -> None:
    jobs.add.enqueue(1, 2)
    DBTaskResult.objects.update(task_path="tests.kb.jobs_of_tests.renamed")

    assert work_off() == 1
    assert the_job().status == queue.READY


def test_a_job_for_later_waits(work_off: WorkOff, clock: Clock) -> None:
    jobs.add.using(run_after=NOON + HOUR).enqueue(1, 2)

    assert work_off() == 0
    clock.now = NOON + HOUR
    assert work_off() == 1


def test_of_two_workers_one_gets_the_job() -> None:
    jobs.add.enqueue(1, 2)

    first, second = queue.claim("first", at=NOON), queue.claim("second", at=NOON)

    assert first is not None and first.worker_ids == ["first"]
    assert second is None


def test_a_claim_that_comes_too_late_changes_nothing() -> None:
    jobs.add.enqueue(1, 2)
    seen = the_job()
    queue.claim("first", at=NOON)

    assert not queue._move(seen, queue.READY, status=queue.RUNNING, worker_ids=["late"])
    assert the_job().worker_ids == ["first"]


# --- workers that are gone ---


def test_a_job_is_taken_from_a_worker_that_says_nothing_any_more() -> None:
    jobs.add.enqueue(1, 2)
    Worker.objects.beat("killed", at=NOON)
    queue.claim("killed", at=NOON)

    assert queue.recover(at=NOON + LEASE - MINUTE) == 0
    assert queue.recover(at=NOON + LEASE) == 1
    again = queue.claim("other", at=NOON + LEASE)
    assert again is not None and again.worker_ids == ["killed", "other"]


def test_a_long_job_is_not_taken_while_its_worker_lives() -> None:
    jobs.add.enqueue(1, 2)
    queue.claim("busy", at=NOON)

    for beat in range(4 * LEASE // BEAT):
        Worker.objects.beat("busy", at=NOON + beat * BEAT)
        assert queue.recover(at=NOON + beat * BEAT + BEAT) == 0


def test_a_worker_that_was_taken_for_dead_changes_nothing_any_more() -> None:
    jobs.add.enqueue(1, 2)
    asleep = queue.claim("asleep", at=NOON)
    assert asleep is not None
    queue.recover(at=NOON)
    queue.finish(asleep, "from its dream", at=NOON)
    assert the_job().status == queue.READY
    other = queue.claim("other", at=NOON)
    assert other is not None

    queue.finish(asleep, "from its dream", at=NOON)
    queue.fail(asleep, ValueError(), at=NOON)
    assert the_job().status == queue.RUNNING

    queue.finish(other, 3, at=NOON)
    assert the_job().return_value == 3


def test_a_worker_frees_what_it_held_itself_and_could_not_finish() -> None:
    jobs.add.enqueue(1, 2)
    Worker.objects.beat("me", at=NOON)
    queue.claim("me", at=NOON)

    assert queue.recover(at=NOON, idle="me") == 1


def test_a_job_that_kills_each_worker_is_given_up() -> None:
    jobs.fail.enqueue()

    for n in range(3):
        assert queue.claim(f"worker-{n}", at=NOON) is not None
        queue.recover(at=NOON)

    assert queue.claim("worker-4", at=NOON + HOUR) is None
    assert the_job().status == queue.DEAD
    assert the_job().exception_class_path == "kb.jobs.queue.WorkerLost"


def test_a_dead_letter_put_back_has_all_its_attempts_again(work_off: WorkOff, clock: Clock) -> None:
    jobs.fail.enqueue()
    for hour in range(3):
        clock.now = NOON + hour * HOUR
        work_off()
    assert the_job().status == queue.DEAD

    assert queue.put_back(the_job().pk, at=clock.now)

    assert not queue.put_back(the_job().pk, at=clock.now)
    assert (work_off(), the_job().status, len(the_job().worker_ids)) == (1, queue.READY, 1)


def test_of_two_dead_letters_one_is_put_back(clock: Clock) -> None:
    for _ in range(2):
        jobs.fail.enqueue()
    DBTaskResult.objects.update(status=queue.DEAD, finished_at=NOON)
    first, second = queue.dead()

    assert queue.put_back(first.pk, at=NOON)

    assert list(queue.dead()) == [second]


def test_dead_letters_and_workers_that_were_seen_lately_stay() -> None:
    for status, age in ((queue.DONE, queue.KEEP_DONE), (queue.DEAD, queue.KEEP_DEAD)):
        for late in (timedelta(0), MINUTE):
            job = jobs.add.enqueue(1, 2)
            DBTaskResult.objects.filter(pk=job.id).update(status=status, finished_at=NOON - age - late)
    for name, seen in (("gone", 11 * LEASE), ("quiet", 9 * LEASE)):
        Worker.objects.beat(name, at=NOON - seen)

    assert queue.prune(at=NOON) == 2
    assert set(DBTaskResult.objects.values_list("status", "finished_at")) == {
        (queue.DONE, NOON - queue.KEEP_DONE),
        (queue.DEAD, NOON - queue.KEEP_DEAD),
    }
    assert list(Worker.objects.values_list("name", flat=True)) == ["quiet"]


def test_old_results_go_and_what_waits_stays(work_off: WorkOff, clock: Clock) -> None:
    jobs.add.enqueue(1, 2)
    work_off()
    waiting = jobs.add.using(run_after=NOON + 400 * 24 * HOUR).enqueue(1, 2)

    assert queue.prune(at=NOON + queue.KEEP_DONE) == 0
    assert queue.prune(at=NOON + queue.KEEP_DONE + MINUTE) == 1
    assert str(the_job().pk) == waiting.id


# --- regular work ---


def put_in(at: datetime) -> list[str]:
    return schedule.enqueue_due(at=at, table=jobs.TIMETABLE)


def test_regular_work_is_due_at_full_hours_and_days(clock: Clock) -> None:
    found: dict[str, list[datetime]] = {}
    for minute in range(0, 48 * 60, 10):
        clock.now = NOON + MINUTE * 5 + MINUTE * minute
        for name in put_in(clock.now):
            found.setdefault(name, []).append(clock.now)
        DBTaskResult.objects.update(status=queue.DONE)

    midnights = [NOON.replace(day=day, hour=0, minute=5) for day in (3, 4)]
    assert found["fail"] == [NOON.replace(minute=5), *midnights]
    assert len(found["add"]) == 48
    assert {at.minute for at in found["add"]} == {5}


def test_what_was_missed_is_done_once() -> None:
    put_in(NOON)
    DBTaskResult.objects.all().delete()

    assert sorted(put_in(NOON + 30 * 24 * HOUR)) == ["add", "fail"]
    assert DBTaskResult.objects.count() == 2


def test_work_that_still_waits_is_not_put_in_again() -> None:
    put_in(NOON)

    assert put_in(NOON + HOUR) == []
    assert DBTaskResult.objects.count() == 2


def test_of_two_workers_that_look_at_once_one_puts_it_in() -> None:
    put_in(NOON)
    DBTaskResult.objects.all().delete()
    (work, *_) = jobs.TIMETABLE
    due = RegularWork.objects.get(name="add").next_at

    assert [schedule._enqueue(work, due, due) for _ in range(2)] == [True, False]

    DBTaskResult.objects.all().delete()  # the first one has done it before the second looks
    assert not schedule._enqueue(work, due, due)


def test_the_programs_own_timetable_names_jobs_that_can_be_done(
    work_off: WorkOff, settings: Any, tmp_path: Any
) -> None:
    settings.DATA_DIR = tmp_path

    due = schedule.enqueue_due(at=timezone.now())

    assert {"send_left_mail", "sync_index", "prune_results"} <= set(due)
    assert work_off() == len(due)
    assert set(DBTaskResult.objects.values_list("status", flat=True)) == {queue.DONE}
    engine.backend().close()


# --- a worker ---


def test_draining_does_what_is_due_and_leaves_no_worker_behind(settings: Any) -> None:
    settings.REGULAR_WORK = "tests.kb.jobs_of_tests.TIMETABLE"
    for _ in range(3):
        jobs.write.enqueue(str(settings.DATA_DIR / "words"), "done")

    assert working.Working().drain() == 5  # with the two regular ones
    assert not Worker.objects.exists()


@pytest.mark.parametrize("life", ["drain", "go_on"])
def test_a_worker_says_that_it_lives_while_its_job_takes_long(life: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = threading.Event()

    class Saying(working.Working):
        def beat_on(self) -> None:
            said.set()

        def listen(self) -> None:
            pass

        def should_stop(self) -> bool:
            return said.wait(10)

    getattr(Saying(), life)()

    assert said.is_set() and not Worker.objects.exists()


def test_readyz_says_that_jobs_wait_in_vain(client: Client) -> None:
    engine.backend().rebuild([])
    jobs.add.enqueue(1, 2)

    answer = client.get("/readyz").json()
    assert answer["ready"]
    assert "1 jobs wait and no worker is running" in answer["notes"][0]

    Worker.objects.beat("gone", at=timezone.now() - 2 * LEASE)
    assert client.get("/readyz").json()["notes"]

    Worker.objects.beat("living", at=timezone.now())
    assert client.get("/readyz").json()["notes"] == []
