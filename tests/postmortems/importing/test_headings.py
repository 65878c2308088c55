"""The headings people use, whatever their dress."""

import pytest

from postmortems.importing.headings import known


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("Summary", "summary"),
        ("1. Executive summary:", "summary"),
        ("**TL;DR**", "summary"),
        ("IMPACT", "impact"),
        ("3) Root cause(s)", "contributing_factors"),
        ("The 5 Whys", "contributing_factors"),
        ("\N{FIRE} Mitigation & Resolution", "what_fixed_it"),
        ("How was it fixed?", "what_fixed_it"),
        ("Lesson learned", "lessons"),
        ("What didn\N{RIGHT SINGLE QUOTATION MARK}t go so well?", "didnt_work"),
        ("Where did we get lucky", "lucky"),
        ("Follow-ups", "actions"),
        ("Corrective and preventative measures", "actions"),
        ("Detailed timeline of the incident", "timeline"),
        ("Timeline (all times UTC)", "timeline"),
        ("Attendees", "people"),
        ("Incident details", "metadata"),
    ],
)
def test_a_heading_is_known_in_any_dress(heading: str, key: str) -> None:
    found = known(heading)

    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    "heading", ["Background", "Incident", "General", "", "Checkout", "What we believe about impact"]
)
def test_other_headings_are_nothing(heading: str) -> None:
    assert known(heading) is None


@pytest.mark.parametrize(
    ("heading", "stays"),
    [("Root cause", False), ("Root cause (preliminary)", True), ("Five whys", True), ("Impact: EU only", True)],
)
def test_a_heading_that_says_more_than_the_section_stays(heading: str, stays: bool) -> None:
    found = known(heading)

    assert found is not None
    assert found.stays == stays
