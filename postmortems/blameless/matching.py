"""What detectors are made of: the match they give, and small questions about a word in its sentence."""

from typing import NamedTuple

from postmortems.blameless import words
from postmortems.blameless.sentences import Sentence
from postmortems.blameless.subjects import agent


class Match(NamedTuple):
    """Tokens from `first` to `last`, both included; `word` is the one that matters most."""

    rule: str
    first: int
    last: int
    word: int


def by(rule: str, sentence: Sentence, at: int, last: int) -> Match | None:
    """A match from the person who does it to the last word of what is done; None if it is no person."""
    who = agent(sentence, at)
    return None if who is None else Match(rule, min(who, at), last, at)


def is_participle(low: str) -> bool:
    """noticed, been, taken: a verb of the past, and not `need`."""
    return (low.endswith("ed") and low not in words.NOT_A_PARTICIPLE) or low in words.IRREGULAR_PARTICIPLES


def is_adverb(sentence: Sentence, place: int) -> bool:
    low = sentence.low(place)
    return low.endswith("ly") and low not in ("rely", "apply", "reply", "comply", "supply")


def is_duty(low: str) -> bool:
    """A form of one of the verbs in DUTIES: notice, noticed, noticing, thought."""
    irregular = {
        "thought": "think",
        "told": "tell",
        "ran": "run",
        "understood": "understand",
        "paid": "pay",
        "foresaw": "foresee",
    }
    low = irregular.get(low, low)
    stems = {low, low.removesuffix("d"), low.removesuffix("ed"), low.removesuffix("ing"), low.removesuffix("ing") + "e"}
    if low.endswith("ing") and low[-4:-3] == low[-5:-4]:  # running
        stems.add(low[:-4])
    if low.endswith("ied"):
        stems.add(low.removesuffix("ied") + "y")
    return bool(stems & words.DUTIES)


def is_owed(sentence: Sentence, place: int) -> bool:
    """`been paged`: somebody was owed it."""
    passive = sentence.low(place) == "been" and set(sentence.lows(place + 1, place + 3)) & words.OUGHT_PASSIVES
    return bool(passive) or sentence.low(place) == "received"


def is_nobody(sentence: Sentence, place: int) -> bool:
    return sentence.low(place) in words.NOBODY or (sentence.low(place) == "one" and sentence.low(place - 1) == "no")


def is_planned(sentence: Sentence, at: int) -> bool:
    return bool(set(sentence.lows(at - 15, at + 15)) & words.PLANNED)
