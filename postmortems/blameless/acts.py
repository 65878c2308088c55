"""Detectors of acts: somebody broke it, ran the wrong command, forgot, failed to, did not check."""

from postmortems.blameless import words
from postmortems.blameless.matching import Match, by, is_adverb, is_duty, is_planned
from postmortems.blameless.sentences import Sentence, Token
from postmortems.blameless.subjects import agent, owner, person_after, unknown_somebody


def failed_to(sentence: Sentence, at: int) -> Match | None:
    """`failed to notice`, by people who do not merely use the thing that failed."""
    verb = sentence.at(at + 2)
    if sentence.low(at + 1) != "to" or not verb.is_word or verb.low in words.DETERMINERS or verb.raw[0].isupper():
        return None
    found = by("omission", sentence, at, at + 2)
    return None if found and sentence.low(found.first).rstrip("s") in words.USERS else found


def failure_to(sentence: Sentence, at: int) -> Match | None:
    """`the developer's failure to check`."""
    whose = at - 1 if owner(sentence, at - 1) else at - 2
    if sentence.low(at + 1) != "to" or not owner(sentence, whose):
        return None
    return Match("omission", whose, at + 2 if sentence.at(at + 2).is_word else at + 1, at)


def did_not(sentence: Sentence, at: int) -> Match | None:
    """`did not notice`, `had not tested`, `never read`, of what would have been a duty."""
    place = at + 1
    if sentence.low(at) in ("did", "had"):
        if sentence.low(place) not in ("not", "nothing"):
            return None
        if sentence.low(place) == "nothing":
            return by("omission", sentence, at, place)
        place += 1
    while sentence.low(place) in words.ADVERBS or is_adverb(sentence, place) or sentence.low(place) in ("been", "have"):
        place += 1
        if place > at + 5:
            return None
    if not is_duty(sentence.low(place)) or sentence.low(place + 1) in ("any", "no"):  # "we did not detect any loss"
        return None
    return by("omission", sentence, at, place)


def nobody_did(sentence: Sentence, at: int) -> Match | None:
    """`Nobody checked`, `no one had noticed`."""
    start = at - 1 if sentence.low(at) == "one" else at
    if sentence.low(at) == "one" and sentence.low(at - 1) != "no":
        return None
    place = at + 1
    while sentence.low(place) in words.AUXILIARIES or sentence.low(place) in words.ADVERBS:
        if sentence.low(place) in ("was", "were", "is", "has") or place > at + 4:
            return None
        place += 1
    asked_for = sentence.low(place + 1) == "for"  # a wish is no duty
    return Match("omission", start, place, place) if is_duty(sentence.low(place)) and not asked_for else None


def slip(sentence: Sentence, at: int) -> Match | None:
    """What only a mind does: forgot, misread. The person may have a name that we do not know."""
    if sentence.low(at - 1) in ("was", "were", "been", "be", "is", "are"):
        return None
    who = agent(sentence, at)
    if who is None:
        who = at - 1 if sentence.low(at - 1) == "they" else unknown_somebody(sentence, at)
    rule = "omission" if sentence.low(at) in ("forgot", "forgotten", "overlooked", "neglected") else "agent"
    return None if who is None else Match(rule, min(who, at), at, at)


def harm(sentence: Sentence, at: int) -> Match | None:
    """`broke`, `ignored`, `took down`, unless it was planned or is said of a target or a case."""
    low, last = sentence.low(at), at
    if low in words.DOWNING:
        last = next((p for p in range(at + 1, at + 8) if sentence.low(p) in ("down", "out")), at)
        if last == at or not all(sentence.at(p).is_word for p in range(at, last)):
            return None
    ahead = sentence.lows(at + 1, at + 5)
    if set(ahead) & words.HARMLESS_AFTER.get(low, frozenset()) or sentence.low(at - 1) in ("was", "were", "been"):
        return None
    if low == "caused" and sentence.low(at + 1) == "by":
        return None
    return None if is_planned(sentence, at) else by("agent", sentence, at, last)


def accident(sentence: Sentence, at: int) -> Match | None:
    """`accidentally deleted`, `by mistake`, by a person."""
    last = at + 1 if sentence.at(at + 1).is_word else at
    return by("agent", sentence, at, last)


def faulty_doing(sentence: Sentence, at: int) -> Match | None:
    """`ran the wrong command`, `made a mistake`, `introduced a bug`, `left the flag on`, `deployed without testing`."""
    if sentence.low(at - 1) in ("was", "were", "been", "be", "is", "are"):
        return None
    for place in range(at + 1, at + 7):
        token = sentence.at(place)
        if not token.is_word and token.low not in ("/",):
            break
        if token.low in words.FAULTY or token.low in words.BLUNDERS or token.low in ("by", "without"):
            bad = token.low in words.FAULTY or token.low in words.BLUNDERS
            after = sentence.low(place + 1)
            if bad or (token.low == "by" and after in ("mistake", "accident")):
                return by("agent", sentence, at, place + (token.low == "by"))
            if token.low == "without" and after.endswith("ing") and is_duty(after):
                return by("omission", sentence, at, place + 1)
    return None


def done_by(sentence: Sentence, at: int) -> Match | None:
    """`was broken by Bob`, `a mistake by the DBA`, `the wrong flag was set by an operator`, unless it was planned."""
    harmed = [place for place in range(max(at - 9, 0), at) if sentence.low(place) in words.HARMED]
    # A harm is done by whom its own `by` names; a wrong or accidental thing by whoever did it, a few words on.
    if not harmed or is_planned(sentence, at) or {"by", ",", "and", "but"} & {*sentence.lows(harmed[-1], at)}:
        return None
    who = person_after(sentence, at + 1)
    return None if who is None else Match("agent", harmed[-1], who, harmed[-1])


def their_work(sentence: Sentence, at: int) -> Match | None:
    """`Maria's commit broke the page`: a person in all but grammar."""
    harmful = sentence.low(at + 1) in words.HARMS | words.DOWNING
    named = owner(sentence, at - 1) and sentence.low(at - 1) not in ("our", "her", "his", "my", "your")
    if not harmful or not named or harm(_as_if_by_person(sentence, at), 1) is None:
        return None
    return Match("agent", at - 1, at + 1, at + 1)


def _as_if_by_person(sentence: Sentence, at: int) -> Sentence:
    """The same words behind a pronoun, to ask a rule whether they are harmful."""
    return Sentence([Token.of("we"), *sentence.tokens[at + 1 : at + 16]])
