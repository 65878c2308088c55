"""What ended it, told by a section, by sentences or by moments."""

from datetime import UTC, datetime

import pytest

from postmortems.importing import fixes
from postmortems.importing.base import ParsedTimelineEntry
from postmortems.importing.timeline import kind_of


def moments(*texts: str) -> list[ParsedTimelineEntry]:
    return [
        ParsedTimelineEntry(datetime(2021, 6, 22, 8, minute, tzinfo=UTC), text, kind_of(text))
        for minute, text in enumerate(texts)
    ]


def test_a_section_is_the_steps_and_its_code_the_commands() -> None:
    body = "1. Roll back to the *previous* image.\n2. Wait.\n\n```sh\nkubectl rollout undo deploy/web\n```"

    fix = fixes.of_section("Resolution", body)

    assert fix is not None
    assert fix.title == "Roll back to the previous image"
    assert fix.steps == body
    assert fix.commands == "kubectl rollout undo deploy/web"


def test_a_section_that_says_nothing_is_no_fix() -> None:
    assert fixes.of_section("Resolution", "-\n\n...") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("We rolled back the release.", "rollback"),
        ("Traffic was moved by a failover to the standby.", "failover"),
        ("Rows were copied from a backup.", "restore"),
        ("As a workaround the queue was paused.", "workaround"),
        ("A code change shipped the permanent cure.", "permanent"),
        ("More disks were added.", "mitigation"),
    ],
)
def test_the_kind_is_told_by_its_words(text: str, kind: str) -> None:
    fix = fixes.of_section("Resolution", text)

    assert fix is not None
    assert fix.kind == kind


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Carts were empty. The issue was resolved by raising the limit to 64.", "Raising the limit to 64"),
        ("To restore service, operators drained the west cell.", "Operators drained the west cell"),
        ("Remediation involved rebuilding the index on both nodes.", "Rebuilding the index on both nodes"),
        ("At 10:00 engineers rolled the proxy back.", "At 10:00 engineers rolled the proxy back"),
        ("A fix was deployed at noon.", "A fix was deployed at noon"),
        ("Several remediations were implemented. First, the cache was split.", "First, the cache was split"),
    ],
)
def test_a_sentence_that_tells_how_it_ended_is_a_fix(text: str, title: str) -> None:
    fix = fixes.told([text], [])

    assert fix is not None
    assert fix.title == title
    assert fix.steps in text


@pytest.mark.parametrize(
    "text",
    [
        "The incident was resolved by 14:30 UTC.",
        "We will restore service faster in the future.",
        "To prevent this, the limit was fixed by policy.",
        "An attempt to restart the workers failed to restore service.",
        "The deploy was unintentionally rolled back, which caused the outage.",
        "Remediation plans are being improved.",
        "A change that would have mitigated the issue was not shipped.",
        "Nothing was done.",
    ],
)
def test_times_plans_and_failures_are_no_fix(text: str) -> None:
    assert fixes.told([text], []) is None


def test_the_story_of_a_repair_goes_on_until_it_speaks_of_plans() -> None:
    text = (
        "To fix this, the index was dropped. Then the table was copied. All queues drained.\n\n"
        "Going forward, tables will be checked. Copies will be kept."
    )

    fix = fixes.told([text], [])

    assert fix is not None
    assert fix.steps == "To fix this, the index was dropped. Then the table was copied. All queues drained."


@pytest.mark.parametrize(
    ("texts", "steps"),
    [
        (("Alert: queue is full", "Workers restarted", "All is back to normal"), ["Workers restarted"]),
        (("Alert: queue is full", "Bad release reverted (resolved)"), ["Bad release reverted (resolved)"]),
        (("New release applied", "Alert: queue is full", "Service operational"), []),
        (("Alert: queue is full", "Attempt to restart failed", "Pod killed"), ["Pod killed"]),
        (("Alert: queue is full", "Decision to roll back"), []),
    ],
)
def test_moments_that_did_something_after_it_was_seen_and_ended_it_are_a_fix(
    texts: tuple[str, ...], steps: list[str]
) -> None:
    fix = fixes.told([], moments(*texts))

    assert (fix.steps.splitlines() if fix else []) == [f"- {step}" for step in steps]
