"""Regular work of the ground's own: the index learns what was left, old results go."""

from django.utils import timezone

from kb.jobs import queue
from kb.jobs.retrying import Retry, job
from kb.search import upkeep

NEXT_TIME = Retry(attempts=1)  # it comes again by itself


@job(retry=NEXT_TIME)
def sync_index() -> int:
    """Changes whose process was killed before it could teach them; how many."""
    return upkeep.sync()


@job(retry=NEXT_TIME)
def prune_results() -> int:
    return queue.prune(at=timezone.now())
