"""YAML at the top: strings only, and nothing that explodes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems.importing import front_matter
from postmortems.importing.base import Unreadable


def parsed(text: str) -> dict[str, object]:
    block, _ = front_matter.split(text)
    values = front_matter.parse(block)
    return {key: value.items if value.is_list else value.text for key, value in values.items()}


def test_every_value_is_text() -> None:
    text = (
        "---\nyes: on\non: 2021-02-30\nsum: 017\nempty: ''\nnothing: ~\ntags:\n- a\n- 1.0\nflow: [b, null]\n---\nBody"
    )

    assert parsed(text) == {
        "yes": "on",
        "on": "2021-02-30",
        "sum": "017",
        "empty": "",
        "nothing": "",
        "tags": ["a", "1.0"],
        "flow": ["b"],
    }


def test_the_block_and_the_rest_are_the_text() -> None:
    text = "---\r\ntitle: A\r\n---\r\n\r\n# B\r\n"

    block, rest = front_matter.split(text)

    assert block == "---\r\ntitle: A\r\n---\r\n"
    assert block + rest == text


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: never closed\n\nText",
        "---\nA rule, prose, and a rule: no front matter.\n---\nText",
        " ---\ntitle: A\n---\n",
        "--- \n\n---",
        "Text\n---\ntitle: A\n---\n",
    ],
)
def test_what_only_looks_like_front_matter_is_text(text: str) -> None:
    block, rest = front_matter.split(text)

    assert parsed(text) == {}
    assert block + rest == text


def test_tabs_are_taken_for_spaces() -> None:
    assert parsed("---\ntitle:\tA\ntags:\n\t- b\n---\n") == {"title": "A", "tags": ["b"]}


@pytest.mark.parametrize(
    ("block", "line", "reason"),
    [
        ("a: &x [1]\nb: *x", 2, "anchors and aliases"),
        ("a: 1\nb: *x", 3, "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]", 2, "tags"),
        ("a: 1\nb: 2\na: 3", 4, "'a' is given twice"),
        ("a: " + "[" * 3000, 2, "nested more than 6 deep"),
        ("a: 1\n? [b]\n: 2", 3, "a key must be a word"),
        ("a: b: c", 2, "mapping values are not allowed"),
        ("a: 1\nb: 'open", 3, "end of stream"),
        ("a: \x01", 1, "special characters"),
        ('a: 1\nb: "\\ud800"', 3, "no text"),
        ('a: "\\0"', 2, "no text"),
    ],
)
def test_what_yaml_can_do_beyond_text_is_refused_with_its_line(block: str, line: int, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as refused:
        parsed(f"---\n{block}\n---\n")

    assert refused.value.line == line


def test_a_bomb_of_aliases_is_refused_before_it_unfolds() -> None:
    levels = "\n".join(f"l{n}: &l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, 40))

    with pytest.raises(Unreadable, match="anchors and aliases"):
        parsed(f"---\nl0: &l0 [a, a]\n{levels}\n---\n")


def test_what_is_deep_is_kept_as_written() -> None:
    block, _ = front_matter.split("---\ntitle: A\nlinks:\n  status:\n    page: x\nlast: z\n---\n")

    values = front_matter.parse(block)

    assert values["links"].is_deep
    assert values["links"].raw == "links:\n  status:\n    page: x"
    assert values["last"].text == "z"


@settings(deadline=None)
@given(st.text(st.sampled_from("ab-:[]{}#&*!|>'\"%@`,? \t\n~0")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    block, rest = front_matter.split(f"---\n{text}\n---\nrest")

    assert block + rest == f"---\n{text}\n---\nrest"
    try:
        front_matter.parse(block or "---\n---\n")
    except Unreadable as refused:
        assert refused.line
