"""What the workers do by themselves, and how often."""

from datetime import timedelta

from kb.jobs import chores
from kb.jobs.schedule import Regular
from postmortems.workflows import bringing, learning, mailing, reminding, webhooks

TIMETABLE = (
    # Somewhere it is eight o'clock each quarter of an hour: not all zones are whole hours apart.
    Regular(reminding.remind_people, every=timedelta(minutes=15)),
    Regular(webhooks.announce_overdue, every=timedelta(hours=1)),
    Regular(webhooks.forget_deliveries, every=timedelta(days=1)),
    Regular(mailing.send_left_mail, every=timedelta(minutes=5)),
    Regular(learning.ask_gaps_again, every=timedelta(hours=1)),
    Regular(bringing.forget_files, every=timedelta(hours=1)),
    Regular(chores.sync_index, every=timedelta(minutes=5)),
    Regular(chores.prune_results, every=timedelta(days=1)),
)
