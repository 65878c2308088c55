"""Detectors of verdicts: human error, careless, at fault, slow to respond, the root cause."""

from postmortems.blameless import words
from postmortems.blameless.matching import Match, by, is_adverb
from postmortems.blameless.sentences import Sentence
from postmortems.blameless.subjects import is_person, owner, person_after

DASHES = ("\u2013", "\u2014")


def own_fault(sentence: Sentence, at: int) -> Match | None:
    """`Bob's fault`, `my mistake`, `a mistake of the operator`."""
    if owner(sentence, at - 1):
        return Match("blame", at - 1, at, at)
    if sentence.low(at + 1) == "of" and sentence.low(at) in ("fault", "mistake", "carelessness", "negligence"):
        who = person_after(sentence, at + 2)
        return None if who is None else Match("blame", at, who, at)
    return None


def to_blame(sentence: Sentence, at: int) -> Match | None:
    """`is to blame`, `at fault`, `blamed Bob`, `responsible for the outage`, of a person."""
    low = sentence.low(at)
    if low == "responsible":
        caused = set(sentence.lows(at + 2, at + 6)) & words.DISASTERS
        return by("blame", sentence, at, at + 1) if sentence.low(at + 1) == "for" and caused else None
    if low == "blame" and sentence.low(at - 1) == "to":
        return by("blame", sentence, at - 1, at)
    if low == "fault" and sentence.low(at - 1) == "at":
        return by("blame", sentence, at - 1, at)
    if low in ("blame", "blamed", "blames") and is_person(sentence, at + 1):
        return Match("blame", at, at + 1, at)
    return None


def shortcoming(sentence: Sentence, at: int) -> Match | None:
    """`was slow to respond`, `was not paying attention`, `was supposed to`, of a person."""
    place = at + 1
    while sentence.low(place) in words.ADVERBS or is_adverb(sentence, place) or sentence.low(place) in ("so", "very"):
        place += 1
        if place > at + 4:
            return None
    low, after = sentence.low(place), sentence.low(place + 1)
    if (low, after) == ("supposed", "to"):
        return by("omission", sentence, at, place + 1)
    negated = place > at + 1 or sentence.low(at).endswith("n't")
    if negated and (low, after) == ("paying", "attention"):
        return by("judgement", sentence, at, place + 1)
    if low in ("late", "absent") and after not in ("to", "in"):
        return None
    return by("judgement", sentence, at, place) if low in words.SHORTCOMINGS else None


def error_label(sentence: Sentence, at: int) -> Match | None:
    """`human error`, unless it is refused, or is the name of something (`user error rate`, an operator's error log)."""
    if sentence.low(at - 1) not in words.ERROR_MAKERS or sentence.low(at + 1) in words.ERROR_NOUNS:
        return None
    software = sentence.low(at - 1) != "human" and sentence.low(at - 2) in words.MACHINE_QUALIFIERS
    if software or set(sentence.lows(at - 7, at - 1)) & words.NEGATIONS:
        return None
    return Match("error-label", at - 1, at, at)


def condemning(sentence: Sentence, at: int) -> Match | None:
    return Match("judgement", at, at, at)


def technical_or_condemning(sentence: Sentence, at: int) -> Match | None:
    """`sloppy work`, not `sloppy quorum`."""
    after = sentence.low(at + 1)
    return None if after in words.TERMS_OF_ART[sentence.low(at)] else Match("judgement", at, at, at)


def lazy(sentence: Sentence, at: int) -> Match | None:
    """`a lazy review`, `lazy of us`; computers are lazy by design."""
    after = sentence.low(at + 1)
    if after in words.JUDGED or after == "of":
        return Match("judgement", at, at + (after != "of"), at)
    return None


def belittling(sentence: Sentence, at: int) -> Match | None:
    """`a rookie mistake`."""
    return Match("judgement", at - 1, at, at - 1) if sentence.low(at - 1) in words.BELITTLING else None


def lack_of(sentence: Sentence, at: int) -> Match | None:
    """`lack of care`."""
    if sentence.low(at + 1) == "of" and sentence.low(at + 2) in words.LACKED | {"common"}:
        return Match("judgement", at, at + 2, at)
    return None


def poor_judgement(sentence: Sentence, at: int) -> Match | None:
    """`poor judgement`, `bad decision by ...`."""
    if sentence.low(at - 1) in ("poor", "bad", "questionable", "terrible"):
        return Match("judgement", at - 1, at, at)
    return None


def idiom(sentence: Sentence, at: int) -> Match | None:
    """`dropped the ball`, `lost track of`, `should know better`, `an inexperienced engineer`."""
    phrase = tuple(sentence.lows(at, at + 3))
    if phrase == ("dropped", "the", "ball") or phrase[:2] == ("lost", "track"):
        return by("omission", sentence, at, at + len(phrase) - 1)
    if phrase[0] in ("inexperienced", "unskilled", "incapable") and is_person(sentence, at + 1):
        return Match("judgement", at, at + 1, at)
    return None


def single_cause(sentence: Sentence, at: int) -> Match | None:
    """`the root cause was`, `found the root cause`, a heading of these words; not an analysis, not `no root cause`."""
    if sentence.low(at) != "root-cause" and (sentence.low(at - 1) != "root" or sentence.low(at) != "cause"):
        return None
    first = at if sentence.low(at) == "root-cause" else at - 1
    before = set(sentence.lows(first - 6, first))
    if before & (words.NEGATIONS | {"one", "each", "any", "looking", "searching", "called"}):
        return None
    after, then = sentence.low(at + 1), sentence.low(at + 2)
    unknown = {"not", "unknown", "still", "unclear", "never", "under", "yet", "being"}
    alone = first == 0 and len(sentence) <= at + 2 and after in ("\0", ":")
    says = after in ("was", "is", "were", "lies", "lay", "appears", "seems", "turned", ":", "=", *DASHES, "being") or (
        (after, then) == ("to", "be")
    )
    stressed = bool(before & {"found", "identified", "determined", "established", "true", "real", "actual", "single"})
    if alone or (says and then not in unknown) or (stressed and after in ("\0", ",", "to", "in", "of", "and", "for")):
        return Match("single-cause", first, at, at)
    return None
