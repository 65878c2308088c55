"""Snippets: which place of a text is shown, what is marked in it, and that it is safe HTML."""

import re
from html.parser import HTMLParser

import pytest
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.search.highlight import score_of, snippet
from kb.search.query import parse

FILLER = "Nothing of interest happened for quite a while in this part. " * 12


def wanted(typed: str) -> frozenset[tuple[str, str]]:
    return parse(typed, {}).tokens


# --- what is marked ---


@pytest.mark.parametrize(
    ("typed", "text", "shown"),
    [
        ("pool", "The pools were empty", "The <mark>pools</mark> were empty"),
        ("pool", "the ConnPool was empty", "the <mark>ConnPool</mark> was empty"),
        ("naive", "A naïve retry", "A <mark>naïve</mark> retry"),
        ("cafe", "the cafe\u0301 page", "the <mark>cafe\u0301</mark> page"),
        ("exhau*", "The pool was exhausted.", "The pool was <mark>exhausted</mark>."),
        ("ora-015*", "got ORA-01555: too old", "got <mark>ORA-01555</mark>: too old"),
        ('"disk full"', "disk (full) again", "<mark>disk</mark> (<mark>full</mark>) again"),
        ("db-1:5432", "refused by db-1:5432, again", "refused by <mark>db-1:5432</mark>, again"),
        ("foo::bar", "in (foo::bar).", "in (<mark>foo::bar</mark>)."),
        ("続エラー", "接続エラーが発生", "接<mark>続エラー</mark>が発生"),
        ("pool -disk", "the pool and the disk", "the <mark>pool</mark> and the disk"),
        ("queue", "the pool", "the pool"),
        ("1:5432", "1 of 1", "1 of 1"),  # single characters would light up everywhere
    ],
)
def test_words_of_the_query_are_marked(typed: str, text: str, shown: str) -> None:
    assert snippet(text, wanted(typed)) == shown


def test_the_text_is_escaped_and_only_our_marks_are_tags() -> None:
    shown = snippet("<script>x</script>&lt;img onerror=pool&gt; & \"pool\" '<'", wanted("pool"))

    assert shown == ("x &lt;img onerror=<mark>pool</mark>&gt; &amp; &quot;<mark>pool</mark>&quot; &#x27;&lt;&#x27;")


def test_markdown_reads_as_prose() -> None:
    text = "## The *pool*\n\n> **was** `empty`\n\n| at | what |\n|----|------|\n| 14:05 | see [runbook](http://x/y) |"

    assert snippet(text, wanted("empty")) == "The pool was <mark>empty</mark> at what 14:05 see runbook"


# --- which place is shown ---


def test_the_place_with_most_of_the_words_is_shown() -> None:
    text = f"A pool. {FILLER} The pool was exhausted. {FILLER} Exhausted."

    shown = snippet(text, wanted("pool exhausted"), words=10)

    assert "The <mark>pool</mark> was <mark>exhausted</mark>." in shown


def test_cut_ends_are_shown_as_such() -> None:
    text = f"{FILLER} The pool was exhausted. {FILLER}"

    shown = snippet(text, wanted("pool"), words=10)

    assert re.fullmatch(r"… The <mark>pool</mark> was exhausted\. .* …", shown)


def test_a_whole_text_has_no_cut_ends() -> None:
    assert snippet("The pool was exhausted.", wanted("pool")) == "The <mark>pool</mark> was exhausted."


def test_without_a_match_the_beginning_is_shown() -> None:
    shown = snippet("At first " + FILLER, wanted("pool"), words=5)

    assert shown == "At first Nothing of interest …"


def test_a_match_in_the_middle_of_a_long_sentence_has_some_words_before_it() -> None:
    text = "word " * 100 + "pool " + "word " * 100

    shown = snippet(text, wanted("pool"), words=20)

    assert shown == "… " + "word " * 6 + "<mark>pool</mark>" + " word" * 13 + " …"


def test_a_match_at_the_very_end_still_has_its_words_before_it() -> None:
    shown = snippet("word " * 100 + "pool", wanted("pool"), words=20)

    assert shown == "… " + "word " * 19 + "<mark>pool</mark>"


def test_nothing_to_show_is_shown_as_nothing() -> None:
    assert snippet("", wanted("pool")) == ""
    assert snippet("```\n```", wanted("pool")) == ""


# --- choosing a section ---


def test_the_section_with_more_of_the_words_scores_higher() -> None:
    tokens = wanted("pool exhausted")

    none, one, often, both = (
        score_of(text, tokens) for text in ("disk", "the pool", "pool pool pool", "the pool was exhausted")
    )

    assert 0 == none < one < often < both


def test_a_name_counts_whole_and_in_parts() -> None:
    tokens = wanted("ConnPool")

    assert (
        score_of("the ConnPool", tokens) > score_of("the conn and the pool", tokens) > score_of("the pool", tokens) > 0
    )


# --- anything at all ---

HOSTILE = [
    "[" * 100_000,
    "x" * 1_000_000,
    "pool " * 200_000,
    "\0pool\0" * 10_000,
    "\ud800 pool",
    "‮pool שלום",
    "👩‍👩‍👧 pool",
    "接" * 100_000,
    "<mark>pool</mark>" * 10_000,
    "a." * 50_000 + "pool",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.timeout(20)
def test_hostile_text_makes_a_short_snippet(text: str) -> None:
    shown = snippet(text, wanted("pool a.pool 接接"))

    assert isinstance(shown, SafeString)
    assert len(shown) < 10_000


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("pol <>&\"'*_[](/é接続.:-x\n") | st.characters()), st.integers(1, 40))
def test_any_text_makes_safe_html_with_no_tag_but_mark(text: str, words: int) -> None:
    page = _Tags()

    page.feed(snippet(text, wanted("pool x* 接続 po.l:10"), words=words))

    assert page.tags <= {"mark"}
