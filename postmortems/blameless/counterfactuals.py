"""Detectors of what did not happen: should have, could have, if only somebody had."""

from postmortems.blameless import words
from postmortems.blameless.matching import Match, by, is_adverb, is_nobody, is_owed, is_participle
from postmortems.blameless.sentences import Sentence
from postmortems.blameless.subjects import agent, is_person


def counterfactual(sentence: Sentence, at: int) -> Match | None:
    """`should (not) have noticed`, `ought to have`, `could've tested`, by a person."""
    modal = sentence.low(at)
    base = modal.removesuffix("'ve").removesuffix("n't")
    negated, place = modal.endswith("n't"), at + 1
    if not modal.endswith("'ve"):
        while (
            sentence.low(place) in ("not", "to") or sentence.low(place) in words.ADVERBS or is_adverb(sentence, place)
        ):
            negated |= sentence.low(place) in ("not", "never")
            place += 1
            if place > at + 5:
                return None
        if sentence.low(place) != "have":
            return None
        place += 1
    while sentence.low(place) in words.ADVERBS or is_adverb(sentence, place):
        place += 1
        if place > at + 8:
            return None
    if base != "should" and base != "ought" and (negated or sentence.low(place) in words.NARROW_ESCAPES):
        return None
    if not is_participle(sentence.low(place)) or is_owed(sentence, place):
        return None
    found = by("counterfactual", sentence, at, place)
    users = found and sentence.low(found.first).rstrip("s") in words.USERS
    nobody = found and base != "should" and is_nobody(sentence, found.first)
    return None if users or nobody else found


def hindsight(sentence: Sentence, at: int) -> Match | None:
    """`If Bob had checked`, `Had the team read`, of what somebody did not do."""
    start = at + 1 if sentence.low(at) == "if" else at
    had = next((place for place in range(start, start + 9) if sentence.low(place) == "had"), None)
    if had is None:
        return None
    if sentence.low(at) == "had":
        who = next((place for place in range(at + 1, at + 6) if is_person(sentence, place)), None)
        verb = None if who is None else _next_verb(sentence, who + 1)
    else:
        who, verb = agent(sentence, had), _next_verb(sentence, had + 1)
    if who is None or verb is None or not at < who < verb or not is_participle(sentence.low(verb)):
        return None
    return None if is_owed(sentence, verb) else Match("counterfactual", at, verb, verb)


def _next_verb(sentence: Sentence, place: int) -> int | None:
    """The first participle within five words."""
    return next((at for at in range(place, place + 5) if is_participle(sentence.low(at))), None)
