"""SECTIONS as data: what a postmortem consists of, in reading order. Adding one is one line here, no migration.

Every prompt asks for conditions, never for persons.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One part of a postmortem: its stable key, its heading, the question it answers, and the search field it feeds."""

    key: str
    title: str
    prompt: str
    search_field: str = "body"


SECTIONS = (
    Section("summary", "Summary", "In three sentences: what happened, who noticed it, how did it end?", "summary"),
    Section("impact", "Impact", "What could people not do, how many of them, for how long?", "symptoms"),
    Section("detection", "Detection", "What told us, and what could have told us earlier?", "symptoms"),
    Section("trigger", "Trigger", "What changed just before: a deploy, a load, a date, a limit?", "cause"),
    Section(
        "contributing_factors",
        "Contributing factors",
        "Which conditions made this possible, and which made it worse?",
        "cause",
    ),
    Section(
        "what_fixed_it",
        "What fixed it",
        "What was done that ended it? Write it so that it can be followed at 3 a.m.",
        "fix",
    ),
    Section("prevention", "Prevention", "What would make this impossible, or harmless, or seen at once?"),
    Section("worked_well", "What went well", "Which tools, habits and preparations helped?"),
    Section("didnt_work", "What did not go well", "What slowed detection, diagnosis or repair?"),
    Section("lucky", "Where we got lucky", "What could have made this much worse, and by chance did not?"),
    Section("surprised", "What surprised us", "Which belief about the system turned out to be wrong?"),
    Section("lessons", "Lessons", "What would we tell a team that runs something similar?"),
    Section("supporting", "Supporting information", "Graphs, logs, commands and links that a later reader will want."),
    Section("narrative", "Further text", "Anything that fits nowhere else."),
)
BY_KEY = {section.key: section for section in SECTIONS}
KEYS = tuple(BY_KEY)


def choices() -> list[tuple[str, str]]:
    """For a model field: given as a function, so that a new section needs no migration."""
    return [(section.key, section.title) for section in SECTIONS]
