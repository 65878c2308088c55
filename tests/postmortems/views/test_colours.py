"""The colours of app.css are readable in light and dark (WCAG 2.2 AA: 4.5 for text, 3 for borders of controls)."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

TEXT = 4.5
CONTROL = 3.0
GROUNDS = ("bg", "surface", "sunken")
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "muted", "accent", "good", "warn", "bad") for ground in GROUNDS),
    *((ink, "accent-soft", TEXT) for ink in ("ink", "muted", "accent", "good", "warn", "bad")),
    *(("accent-hover", ground, TEXT) for ground in GROUNDS),
    *((ink, ground, TEXT) for ink in ("ink", "good", "muted", "accent") for ground in ("good-soft", "good-faint")),
    *((ink, "warn-soft", TEXT) for ink in ("ink", "warn", "bad", "accent", "muted")),
    *((ink, "bad-soft", TEXT) for ink in ("ink", "bad")),
    *((f"on-sev{n}", f"sev{n}", TEXT) for n in (1, 2, 3)),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("ink", "mark", TEXT),
    *(("line-strong", ground, CONTROL) for ground in GROUNDS),
    *(("good-line", ground, CONTROL) for ground in ("bg", "surface")),
    # What is drawn: each piece against the card, by its fill or by its edge.
    *((piece, "surface", CONTROL) for piece in ("accent", "sev1", "bad", "warn", "good-line", "muted", "line-strong")),
]


def tokens(dark: bool) -> dict[str, str]:
    css = Path(str(finders.find("kb/app.css"))).read_text()
    found = re.findall(r"--([\w-]+): light-dark\(#([0-9a-f]{3,6}), #([0-9a-f]{3,6})\)", css)
    return {name: (in_dark if dark else in_light) for name, in_light, in_dark in found}


def luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    shares = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_pair_of_colours_is_readable(dark: bool) -> None:
    colours = tokens(dark)

    poor = {
        f"{ink} on {ground}": round(contrast(colours[ink], colours[ground]), 2)
        for ink, ground, least in PAIRS
        if contrast(colours[ink], colours[ground]) < least
    }

    assert poor == {}


def test_the_measure_is_right() -> None:
    assert round(contrast("000", "ffffff"), 1) == 21.0
    assert round(contrast("777777", "fff"), 2) == 4.48  # the known grey that just fails
