"""What the workers do by themselves, and how often."""

from datetime import timedelta

from kb.jobs import chores
from kb.jobs.schedule import Regular
from postmortems.workflows import mailing

TIMETABLE = (
    Regular(mailing.send_left_mail, every=timedelta(minutes=5)),
    Regular(chores.sync_index, every=timedelta(minutes=5)),
    Regular(chores.prune_results, every=timedelta(days=1)),
)
