"""What postmortems start with, until somebody who administers the site says otherwise."""

from django.db import migrations

# key, prompt, text that the draft starts with, whether it must be written before a review
GENERAL = [
    ("summary", "In three sentences for somebody who was not there: what happened, what it meant, how it ended.", "", True),
    ("impact", "What could people not do, how many of them, from when to when? Which numbers show it?", "", True),
    ("detection", "What told us first? Which signal was there earlier and was not seen?", "", False),
    ("trigger", "What had changed just before: a deploy, a load, a date, a limit?", "", False),
    ("contributing_factors",
     "Which conditions had to come together? For each: what made it possible, and what had made it look reasonable?", "", True),
    ("what_fixed_it",
     "What ended it, step by step, for a reader at 3 a.m. who does not know this system? What did not help?", "", True),
    ("prevention", "What would make this impossible, harmless, or seen at once?", "", False),
    ("worked_well", "Which tools, habits and preparations made it shorter or smaller?", "", False),
    ("didnt_work", "What made it hard to see, to understand or to repair?", "", False),
    ("lucky", "What could as well have gone differently, and made this much worse?", "", False),
    ("lessons", "What should a team know that runs something similar?", "", False),
]
SEV1 = [
    ("summary", "Three sentences that a customer would understand: what happened, what it meant, how it ended.", "", True),
    ("impact", "Who could not do what, how many of them, for how long? What data, money or promise was affected?",
     "- People affected:\n- From, until:\n- Data lost or wrong:\n- Promises not kept:\n", True),
    ("detection", "How long was it broken before we knew? What would have told us within a minute?", "", True),
    ("trigger", "What had changed just before: a deploy, a load, a date, a limit?", "", False),
    ("contributing_factors",
     "Which conditions had to come together, and for how long had each been there? What kept each of them unseen?", "", True),
    ("what_fixed_it",
     "What ended it, step by step, for a reader at 3 a.m. who does not know this system? What was tried before, and why "
     "did it not help?", "", True),
    ("prevention", "What would make this impossible, harmless, or seen at once? Which part of it can be done this week?", "", True),
    ("worked_well", "Which tools, habits and preparations made it shorter or smaller?", "", False),
    ("didnt_work", "What slowed detection, diagnosis, repair, or telling people about it?", "", True),
    ("lucky", "What could as well have gone differently, and made this much worse?", "", False),
    ("surprised", "Which belief about the system turned out to be wrong?", "", False),
    ("lessons", "What should every team here know?", "", False),
    ("supporting", "Graphs, logs, commands and announcements that a later reader will want.", "", False),
]
SECURITY = [
    ("summary", "What was exposed, altered or out of reach, since when, and what is the state now?", "", True),
    ("impact", "Which data, accounts and systems? How do we know that it was these, and no others?",
     "- Known to be affected:\n- Known to be safe, and how we know:\n- Not known yet:\n", True),
    ("detection", "What showed it? Which log or signal would have shown it earlier?", "", True),
    ("trigger", "Which way in was used, and since when was it open?", "", False),
    ("contributing_factors",
     "Which conditions made it possible, and which made it spread? Which control was expected to stop it?", "", True),
    ("what_fixed_it",
     "What contained it, what removed it, and how was it shown to be gone? Which secrets were replaced?", "", True),
    ("prevention", "Which way in is closed for good, and which is only watched?", "", True),
    ("worked_well", "Which control, log or habit limited it?", "", False),
    ("didnt_work", "What was missing: logs, access, contacts, a decision?", "", False),
    ("lessons", "What may be told to other teams, and what not yet?", "", False),
    ("supporting", "Where the evidence is kept, who was told and when. Never paste secrets or personal data here.", "", False),
]
NEAR_MISS = [
    ("summary", "What almost happened, and what stopped it?", "", True),
    ("impact", "What would people have noticed, how many of them, had it gone on?", "", True),
    ("detection", "What showed it in time: a check, a habit, chance?", "", False),
    ("contributing_factors", "Which conditions were all there but the last one?", "", True),
    ("what_fixed_it", "What stopped it, and would it stop it again on a Sunday night?", "", True),
    ("lucky", "How much of it was luck, and what would replace the luck?", "", False),
    ("prevention", "What would make this impossible, harmless, or seen earlier?", "", False),
    ("lessons", "Who else is one step away from the same?", "", False),
]
EXERCISE = [
    ("summary", "What was broken on purpose, and what was it meant to show?", "", True),
    ("impact", "What did people notice? What did we expect them to notice?", "", True),
    ("detection", "Which alerts came, how soon, and which were expected and did not come?", "", False),
    ("contributing_factors", "Where did the system, the tools or the written steps differ from what we believed?", "", True),
    ("what_fixed_it", "How was it brought back, and could the written steps be followed as they stand?", "", True),
    ("worked_well", "What held as it was meant to?", "", False),
    ("didnt_work", "What was missing, slow or hard to find?", "", False),
    ("surprised", "Which belief about the system turned out to be wrong?", "", False),
    ("prevention", "What is to be changed before this is tried again?", "", False),
]
BLAMELESS = "Write of conditions, not of persons: whoever acted did what made sense with what was known then."
TEMPLATES = [
    ("Postmortem", "", "", BLAMELESS, GENERAL),
    ("Postmortem of a SEV1", "", "sev1", f"{BLAMELESS} This one will be read by people who were not there.", SEV1),
    ("Security incident", "security", "",
     f"{BLAMELESS} Only its members and administrators see this page, until it is shared.", SECURITY),
    ("Near miss", "near_miss", "", f"{BLAMELESS} Nothing broke: the cheapest lesson there is.", NEAR_MISS),
    ("Exercise", "exercise", "", f"{BLAMELESS} An exercise in which nothing was learned was too easy.", EXERCISE),
]


def fill(apps, schema_editor):
    alias = schema_editor.connection.alias
    templates = apps.get_model("postmortems", "PostmortemTemplate").objects.using(alias)
    sections = apps.get_model("postmortems", "TemplateSection")
    if templates.exists():  # somebody has begun to write their own
        return
    for name, kind, severity, introduction, rows in TEMPLATES:
        template = templates.create(name=name, kind=kind, severity=severity, introduction=introduction)
        sections.objects.using(alias).bulk_create(
            sections(template=template, key=key, prompt=prompt, starter=starter, is_required=required)
            for key, prompt, starter, required in rows
        )


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0011_comparison_may_be_undecided"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
