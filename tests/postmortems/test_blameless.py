"""Blameless help: what is marked and what never is, on single sentences, on any text, and on the labelled set."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.template.loader import render_to_string
from hypothesis import given, settings
from hypothesis import strategies as st

from postmortems import blameless
from postmortems.blameless import measuring

BLAMING = "Bob broke the deploy. The engineer forgot to check."
PIECES = st.sampled_from(
    [
        *("Bob", "@alice", "the engineer", "who", "broke", "forgot to check", "should have", "noticed", "human error"),
        *(
            "the root cause",
            "was",
            "careless",
            "they",
            "and",
            ",",
            "by",
            "(",
            ")",
            "José\u2019s",
            "[a](b)",
            "<b>",
            "https://x",
        ),
        *(
            "`",
            "``",
            "```",
            "\n",
            "\n\n",
            "> ",
            "    ",
            "- ",
            '"',
            "“",
            "”",
            "'",
            "---\n",
            "<!--",
            "-->",
            "\ufffc",
            "\0",
        ),
    ]
)
texts = st.lists(PIECES | st.text(max_size=5), max_size=60).map(" ".join) | st.text(max_size=300)
widely = settings(deadline=None, max_examples=400)


def marked(text: str) -> list[tuple[str, str]]:
    return [(hint.rule.key, hint.words) for hint in blameless.hints(text)]


# --- single sentences, one for each thing that the rules tell apart ---


@pytest.mark.parametrize(
    ("text", "rule", "wording"),
    [
        ("Bob broke the deploy.", "agent", "Bob broke"),
        ("Anna Smith broke the deploy.", "agent", "Anna Smith broke"),
        ("It was broken by @alice.", "agent", "broken by @alice"),
        ("Łukasz ran the wrong script.", "agent", "Łukasz ran the wrong"),
        ("Maria's commit broke the page.", "agent", "Maria's commit broke"),
        ("The on-call engineer forgot to renew it.", "omission", "engineer forgot"),
        ("The engineer on call failed to look.", "omission", "engineer on call failed to look"),
        ("She didn\u2019t notice it.", "omission", "She didn\u2019t notice"),
        ("In March Bob failed to rotate it.", "omission", "Bob failed to rotate"),
        ("The pods restarted, and nobody checked.", "omission", "nobody checked"),
        ("The engineers deployed it, but they failed to look.", "omission", "they failed to look"),
        ("We should have alerted earlier.", "counterfactual", "We should have alerted"),
        ("Members of the storage team ignored it.", "agent", "Members of the storage team ignored"),
        ("If Bob had looked, it would be up.", "counterfactual", "If Bob had looked"),
        ("It was human error.", "error-label", "human error"),
        ("It was a careless change.", "judgement", "careless"),
        ("The outage is Priya's fault.", "blame", "Priya's fault"),
        ("The root cause was a full disk.", "single-cause", "root cause"),
        ("## Root cause\n\nA full disk.", "single-cause", "Root cause"),
    ],
)
def test_a_person_as_the_cause_is_marked_with_the_words_that_say_so(text: str, rule: str, wording: str) -> None:
    assert marked(text) == [(rule, wording)]


@pytest.mark.parametrize(
    "text",
    [
        "The health check failed to fire.",
        "The failover should have been faster.",
        "The Postgres operator failed to reconcile.",
        "The page to Bob failed to arrive.",
        "Bob's laptop failed to start.",
        "The developer portal broke.",
        "The config was pushed by the deploy pipeline.",
        "The config was wrong, and the deploy was finished by Bob.",
        "We should have enough disks.",
        "The on-call should have been paged.",
        "Nobody could have known.",
        "The set has no primary if several members had stalled.",
        "No notice was sent, as nobody had asked for one.",
        "We did not detect any loss.",
        "We failed over to Frankfurt.",
        "Users failed to log in.",
        "The pods came back, but they failed to join.",
        "The user error rate rose.",
        "There was no single root cause.",
        "The root cause analysis took a week.",
        "The cause is unknown, and the root cause is still not found.",
        "As planned for the game day, Bob broke the link.",
        "Adding an engineer could have helped.",
        "We do not accept human error as an answer.",
        "The Kubernetes operator error repeats.",
        "Le développeur a oublié la clé. Der Techniker hat es übersehen.",
        "",
    ],
)
def test_systems_facts_plans_and_other_languages_are_innocent(text: str) -> None:
    assert marked(text) == []


@pytest.mark.parametrize(
    "frame",
    [
        "> {}",
        "> a quote\n{}",
        "- > {}",
        '"{}"',
        "“{}”",
        "„{}“",
        "„{}”",
        "«{}»",
        "the note '{}' said",
        "`{}`",
        "``a ` {}``",
        "```\n{}\n```",
        "~~~ text\n\n{}\n~~~",
        "```\n{}",
        "text:\n\n    {}\n",
        "- item\n\n        {}\n",
        "---\ntitle: {}\n---\n",
        "[page](https://x.example/{})",
        "[page]: https://x.example 'title {}'",
        "<!-- {} -->",
    ],
)
def test_quotes_code_addresses_and_front_matter_are_never_marked(frame: str) -> None:
    assert marked(frame.replace("{}", BLAMING)) == []
    assert marked("{}\n\n" + BLAMING)  # the same words in prose are


def test_behind_what_is_skipped_marking_goes_on() -> None:
    text = f"---\ntitle: x\n---\n> quote\n\n```\ncode\n```\n\n{BLAMING}"

    assert [(hint.line, hint.words) for hint in blameless.hints(text)] == [(10, "Bob broke"), (10, "engineer forgot")]


def test_a_wording_is_shown_with_its_line_and_what_surrounds_it() -> None:
    text = "First line.\nAt 14:05, after a long hand-over with many open questions, Bob broke the deploy.\nLast."

    (hint,) = blameless.hints(text)

    assert (hint.line, text[hint.start : hint.end]) == (2, "Bob broke")
    assert hint.before == "…a long hand-over with many open questions, "
    assert hint.after == " the deploy."
    assert hint.question.endswith("?")


def test_wordings_never_overlap_and_the_longer_one_is_shown() -> None:
    assert marked("Bob carelessly broke it.") == [("agent", "Bob carelessly broke")]
    assert marked("Bob broke it and forgot the rest.") == [("agent", "Bob broke"), ("omission", "forgot")]


def test_there_are_never_more_hints_than_a_reader_can_read() -> None:
    assert len(blameless.hints("Human error. " * 1000)) == blameless.MAX_HINTS


def test_a_wording_with_code_inside_is_marked_by_its_verb() -> None:
    assert marked("The engineer of `payments` forgot the index.") == [("omission", "forgot")]


def test_every_rule_says_why_and_asks_how_or_what() -> None:
    for rule in blameless.RULES:
        assert rule.why.endswith(".")
        assert rule.question.startswith(("What", "How", "Which"))
        assert "who" not in rule.question.lower().split()


def test_the_count_is_that_of_all_sections_together() -> None:
    assert blameless.count([BLAMING, "All well.", "Human error."]) == 3
    assert blameless.count([]) == 0


# --- any text ---


@widely
@given(texts)
def test_any_text_gives_hints_in_order_that_stand_where_they_say(text: str) -> None:
    hints = blameless.hints(text)

    behind = 0
    for hint in hints:
        assert behind <= hint.start < hint.end <= len(text)
        assert text[hint.start : hint.end] == hint.words
        assert text.count("\n", 0, hint.start) + 1 == hint.line
        assert hint.words.strip() == hint.words
        behind = hint.end


@widely
@given(texts.filter(lambda text: "`" not in text), texts)
def test_code_is_never_marked_whatever_it_holds(code: str, after: str) -> None:
    start = len("A line.\n\n```\n")
    text = "A line.\n\n```\n" + code + "\n```\n\n" + after

    assert [hint for hint in blameless.hints(text) if hint.start < start + len(code)] == []


@widely
@given(texts.filter(lambda text: not set('"`<\n') & set(text)), texts)
def test_quoted_speech_is_never_marked_whatever_it_holds(speech: str, after: str) -> None:
    text = 'It said: "x' + speech + '" and\n\n' + after

    assert [hint for hint in blameless.hints(text) if hint.start < len(speech) + 12] == []


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "[",
            "](",
            "](a(",
            "should ",
            "should really ",
            "<",
            "<!--",
            "<a ",
            "`",
            "` ``",
            '"',
            " '",
            "“",
            "> ",
            "- ",
            "1. ",
        ),
        *(
            "Bob, ",
            "and forgot ",
            "they forgot ",
            "who ",
            "of the engineer ",
            "by mistake ",
            "never ",
            "if we had ",
            "a.b@",
        ),
        *("root cause ", "http://", "---\n", "\n", "_", "(", "had ", "x", "é", "|", "~~~ ", "[a]: "),
    ],
)
def test_hostile_text_costs_its_length(piece: str) -> None:
    """Judged by the run's own time limit: what is quadratic takes minutes here."""
    hostile = (piece * 100_000)[:100_000]

    assert len(blameless.hints(hostile)) <= blameless.MAX_HINTS


def test_what_stands_beyond_the_limit_is_not_looked_at() -> None:
    assert blameless.hints("x " * (blameless.MAX_CHARS // 2) + BLAMING) == []


# --- how good it is ---


@pytest.mark.parametrize("split", [*measuring.SPLITS, None])
def test_on_our_labelled_sentences_hints_are_right_and_few_are_missed(split: str | None) -> None:
    sentences = [one for one in measuring.read() if split in (one.split, None)]

    measured = measuring.measure(sentences)

    assert measured.precision >= 0.9, measured.false_alarms
    assert measured.recall >= 0.7, measured.misses


def test_the_labelled_set_is_large_balanced_and_without_doubles() -> None:
    sentences = measuring.read()

    assert len(sentences) >= 240
    assert len({one.sentence for one in sentences}) == len(sentences)
    for split in measuring.SPLITS:
        half = [one.blames for one in sentences if one.split == split]
        assert len(half) == len(sentences) / 2
        assert sum(half) == len(half) / 2


def evaluate(*args: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command("evaluate_blameless", *args, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    file = tmp_path / "labelled.tsv"
    file.write_text(
        "# comment\n"
        "dev\tblames\tBob broke it.\n"
        "dev\tinnocent\tThe disk broke.\n"
        "heldout\tblames\tNothing to be found here.\n"
        "heldout\tinnocent\tBob forgot it.\n"
    )
    return file


def test_the_command_counts_hits_misses_and_false_alarms(labelled: Path) -> None:
    measured = json.loads(evaluate(labelled, json=True))

    assert measured["dev"] == {
        "sentences": 2, "precision": 1, "recall": 1, "found": 1, "misses": 0, "false_alarms": 0
    }  # fmt: skip
    assert (measured["heldout"]["precision"], measured["heldout"]["recall"]) == (0, 0)
    assert (measured["all"]["precision"], measured["all"]["recall"]) == (0.5, 0.5)


def test_the_command_lists_what_went_wrong_only_when_asked(labelled: Path) -> None:
    assert "Bob forgot it." not in evaluate(labelled)
    assert "heldout, false alarms:\n  Bob forgot it." in evaluate(labelled, verbosity=2)
    assert "heldout, missed:\n  Nothing to be found here." in evaluate(labelled, verbosity=2)


@pytest.mark.parametrize("line", ["dev\tmaybe\tBob.", "test\tblames\tBob.", "dev\tblames\t", "Bob broke it."])
def test_a_line_that_is_not_understood_is_named(line: str, labelled: Path) -> None:
    labelled.write_text(f"# comment\n{line}\n")

    with pytest.raises(CommandError, match="line 2"):
        evaluate(labelled)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        evaluate(tmp_path / "nothing.tsv")


# --- the piece of a page ---


def test_the_piece_shows_each_wording_with_why_and_a_question_and_escapes_it() -> None:
    hints = blameless.hints("<script>x</script> Bob broke it and forgot the rest.")

    html = render_to_string("postmortems/_blameless_hints.html", {"hints": hints})

    assert "2 wordings to look at" in html
    assert "<mark>Bob broke</mark>" in html
    assert hints[0].question in html
    assert "<script>" not in html


def test_one_wording_is_one_and_none_is_nothing() -> None:
    one = render_to_string("postmortems/_blameless_hints.html", {"hints": blameless.hints("Bob broke it.")})
    none = render_to_string("postmortems/_blameless_hints.html", {"hints": []})

    assert "1 wording to look at" in one
    assert none.strip() == ""
