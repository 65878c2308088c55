"""The suggestion panel says each of its states in words, with the next step."""

from dataclasses import replace
from typing import Any

import pytest
from django.template.loader import render_to_string

from postmortems.models import Fix, Incident, Problem, User
from postmortems.search import Near
from postmortems.suggestions import Reason, Report, Suggestion, Suggestions
from tests import factory


@pytest.fixture
def suggestion(alice: User) -> Suggestion:
    postmortem = factory.postmortem("Pool ran dry")
    fix = factory.fix("Recycle the pool", postmortem=postmortem)
    factory.fix_use(fix, factory.incident("Last time"))
    return Suggestion(
        item=postmortem,
        ref=postmortem.ref,
        kind="postmortem",
        title=postmortem.title,
        url=postmortem.get_absolute_url(),
        score=1.0,
        confidence="strong",
        occurred_on=postmortem.occurred_on,
        severity="SEV1",
        services=("Checkout",),
        parts=(),
        why=(Reason("Checkout", "service", 0.0), Reason("pool", "title", 0.4), Reason("dry", "title", 0.2)),
        matched_line="ERROR pool <timeout>",
        what_fixed_it="Recycled the pool.",
        fixes=tuple(Fix.objects.with_track_record(alice)),
        open_actions=(factory.action_item("Alert on the pool", postmortem=postmortem),),
    )


def panel(found: Suggestions, **context: Any) -> str:
    return render_to_string("postmortems/_suggestions.html", {"found": found, "report": Report(), **context})


def test_before_anything_is_typed_it_says_what_it_is_for() -> None:
    assert "As you write" in panel(Suggestions())


def test_a_suggestion_tells_why_what_fixed_it_and_how_often(suggestion: Suggestion) -> None:
    text = " ".join(panel(Suggestions(results=(suggestion,))).split())

    assert "Strong match" in text and "Recycled the pool." in text
    assert "<i>same service</i> <b>Checkout</b>" in text and "<i>in title</i> <b>pool, dry</b>" in text
    assert "ERROR pool &lt;timeout&gt;" in text
    assert "Worked 1 of 1" in text and "Alert on the pool" in text


def test_outcomes_are_asked_for_inside_an_incident_only(suggestion: Suggestion) -> None:
    inside = {"incident": Incident.objects.get(), "uses": {}}
    author, reader = factory.user("dora"), factory.user("rita", roles=("reader",))

    assert "It worked" not in panel(Suggestions(results=(suggestion,)), user=author)
    assert "It worked" in panel(Suggestions(results=(suggestion,)), user=author, **inside)
    assert "It worked" not in panel(Suggestions(results=(suggestion,)), user=reader, **inside)


def test_a_possible_duplicate_comes_first(suggestion: Suggestion) -> None:
    now = factory.incident("Pool dry again")
    twin = replace(suggestion, item=now, ref=now.ref, kind="incident", title=now.title, url=now.get_absolute_url())

    text = panel(Suggestions(results=(suggestion,), happening_now=(twin,)))

    assert text.index("Happening now: a duplicate?") < text.index("Pool dry again") < text.index("Pool ran dry")


def test_look_alikes_of_one_problem_are_told_apart_once(suggestion: Suggestion) -> None:
    problem = Problem.objects.create(title="Pools leak", discriminating_check="Count the `idle` ones.")
    one, other = replace(suggestion, problem=problem), replace(suggestion, problem=problem, title="Pool ran dry before")

    together, alone = panel(Suggestions(results=(one, other))), panel(Suggestions(results=(one,)))

    assert "2 of one known problem:" in together and together.count("Count the <code>idle</code> ones.") == 1
    assert "Known problem" not in alone and alone.count("Count the <code>idle</code> ones.") == 1


def test_nothing_similar_is_said_with_how_much_was_looked_at() -> None:
    text = panel(Suggestions(abstained=True, total_candidates=281), report=Report(title="Cart & orders"))

    assert "Nothing similar among 281" in text
    assert "/search/?q=Cart%20%26%20orders" in text


def test_words_that_do_occur_lead_to_a_search() -> None:
    text = panel(Suggestions(abstained=True, total_candidates=281, nearest=(Near("etcd", 3),)))

    assert 'href="/search/?q=etcd"' in text and "in 3" in text


def test_an_index_that_does_not_answer_is_said_and_not_taken_for_nothing() -> None:
    text = panel(Suggestions(degraded="The search index is being rebuilt."))

    assert "The search index is being rebuilt." in text and "Nothing similar" not in text
