"""Who does what a verb says: a person or a team, or nobody we know. English word order, no dictionary of everything.

Left of the verb stands its subject; between the two there may be adverbs, auxiliaries, "on call", "from the payments
team", "who did not read it". What a preposition governs is no subject: in "the page to the engineer failed"
it is the page.
"""

from postmortems.blameless import words
from postmortems.blameless.names import GIVEN_NAMES
from postmortems.blameless.prose import APOSTROPHES, OPAQUE
from postmortems.blameless.sentences import Sentence, Token

REACH = 14  # words to the left; further off, whoever stands there is the subject of something else
_MODIFIERS = 4  # words between a preposition and the noun it governs: "by one of the senior engineers"
_POSSESSIVE = ("'s", "s'")


def agent(sentence: Sentence, verb: int) -> int | None:
    """Where the person stands who does what the verb at this place says, from the first name on."""
    who = _agent(sentence, verb)
    while who is not None and sentence.at(who).is_capitalised and is_name(sentence.at(who - 1)):
        who -= 1
    return who


def _agent(sentence: Sentence, verb: int) -> int | None:
    place = _skip_adverbs(sentence, verb - 1)
    low = sentence.low(place)
    if low == ",":
        return _behind_comma(sentence, place)
    if low in ("who", "whoever"):
        return _antecedent(sentence, place)
    if low in words.CONJUNCTIONS:
        return _opening_subject(sentence, place)
    return _head(sentence, place, limit=verb - REACH)


def is_person(sentence: Sentence, place: int) -> bool:
    """The word at this place names somebody, and not whose something is."""
    token = sentence.at(place)
    low, before = token.low, sentence.low(place - 1)
    if low in words.PRONOUNS or low.startswith("@"):
        return True
    if low == "one":
        return before == "no"
    if low == "they":
        earlier = range(max(0, place - REACH), place)
        return any(is_person(sentence, other) for other in earlier if sentence.low(other) != "they")
    if low in words.TITLES:
        return before in words.TITLES[low] or (low.startswith("member") and _of_a_team(sentence, place + 1))
    if low in words.PERSON_NOUNS or low.removeprefix("non-") in words.PERSON_NOUNS:
        return not _is_machine(sentence, place)
    surname = token.is_capitalised and is_name(sentence.at(place - 1)) and not low.endswith(_POSSESSIVE)
    return is_name(token) or surname


def _of_a_team(sentence: Sentence, place: int) -> bool:
    """`Members of the storage team`, not those of a replica set."""
    return sentence.low(place) == "of" and not words.TEAMS.isdisjoint(sentence.lows(place + 1, place + 6))


def is_name(token: Token) -> bool:
    """A given name, or a capitalised word with letters that English lacks."""
    low = token.low
    if not token.raw[0].isupper() or low.endswith(_POSSESSIVE):
        return False
    return low in GIVEN_NAMES or (token.is_capitalised and not low.isascii() and low.isalpha())


def owner(sentence: Sentence, place: int) -> bool:
    """`Bob's`, `the engineers'`, `her`: the word says whose something is, and that is a person."""
    token = sentence.at(place)
    if token.low in ("my", "his", "her", "our", "your"):
        return True
    if token.low.endswith("'s"):
        stem = Token.of(token.raw[:-2])
        others = [*sentence.tokens[max(0, place - 2) : place], stem]
        return is_person(Sentence(others), len(others) - 1)
    return token.low.endswith("s") and sentence.low(place + 1) in APOSTROPHES and is_person(sentence, place)


def person_after(sentence: Sentence, place: int) -> int | None:
    """Behind `by`: where the person stands who did it; None for "by the deploy bot" and "by the team's script"."""
    for at in range(place, place + _MODIFIERS + 3):
        token = sentence.at(at)
        if not token.is_word or token.low in words.CONJUNCTIONS or (token.low in words.PREPOSITIONS - {"of"}):
            return None
        if is_person(sentence, at) and not _goes_on(sentence, at + 1):
            return at
    return None


def unknown_somebody(sentence: Sentence, verb: int) -> int | None:
    """A capitalised word of no known meaning right before what only people do: a name that our list lacks."""
    place = _skip_adverbs(sentence, verb - 1)
    token = sentence.at(place)
    plain = token.is_capitalised and token.low.isalpha() and token.low not in words.SOFTWARE | words.DETERMINERS
    noun = token.low.endswith(("ing", "tion", "ment", "ity", "er", "or", "s")) or token.low in _SENTENCE_OPENERS
    return place if plain and not noun and sentence.low(place - 1) not in words.DETERMINERS else None


_SENTENCE_OPENERS = (
    words.SUBORDINATORS | words.PREPOSITIONS | words.CONJUNCTIONS | words.ADVERBS | words.AUXILIARIES | {"it", "they"}
)


def _skip_adverbs(sentence: Sentence, place: int) -> int:
    for _ in range(6):
        low = sentence.low(place)
        if low == ")":
            place = _before_bracket(sentence, place)
        elif (
            low in words.ADVERBS
            or low in words.AUXILIARIES
            or (low.endswith("ly") and low not in ("reply", "assembly"))
        ):
            place -= 1
        else:
            break
    return place


def _before_bracket(sentence: Sentence, place: int) -> int:
    for at in range(place, max(place - 10, -1), -1):
        if sentence.low(at) == "(":
            return at - 1
    return place - 1


def _head(sentence: Sentence, place: int, *, limit: int) -> int | None:
    """The person whose noun phrase ends here, prepositions and what they govern taken off."""
    while place >= max(limit, 0):
        token = sentence.at(place)
        if not (token.is_word or token.low == ")") or token.low in words.SUBORDINATORS:
            return None
        link = _governed_by(sentence, place)
        if is_person(sentence, place) and (link is None or sentence.low(link) not in words.PREPOSITIONS):
            return None if _is_object_of_gerund(sentence, place) else place
        if link is None:
            return None
        place = link - 1
    return None


def _governed_by(sentence: Sentence, place: int) -> int | None:
    """Where the preposition stands that the word at this place hangs on."""
    named = is_name(sentence.at(place)) or sentence.low(place) in words.PRONOUNS
    for at in range(place - 1, place - 2 - _MODIFIERS, -1):
        token = sentence.at(at)
        if token.low in words.LINKS:
            # "Before Bob forgot ...", "since we should": at the beginning it joins sentences
            return at if at > 0 or token.low not in words.SUBORDINATORS else None
        if not token.is_word or token.low in words.SUBORDINATORS or token.low in words.CONJUNCTIONS:
            return None
        if named and not is_name(token):  # "in March Bob failed": a name needs no words before it
            return None
    return None


def _is_object_of_gerund(sentence: Sentence, place: int) -> bool:
    """`Appointing a manager could have helped`: it is the appointing that could have."""
    before = next((at for at in range(place - 1, place - 5, -1) if sentence.low(at) in ("a", "an", "the")), None)
    return before is not None and sentence.low(before - 1).endswith("ing") and before < 3


def _antecedent(sentence: Sentence, place: int) -> int | None:
    """Who `who` is: the person right before it, whatever governs them. Only people are who."""
    before = place - 2 if sentence.low(place - 1) == "," else place - 1
    for at in range(before, before - 5, -1):
        if is_person(sentence, at):
            return at
    return place


def _behind_comma(sentence: Sentence, comma: int) -> int | None:
    """`The operator, who was new, forgot`; `Bob deployed, waited, forgot`; but `In May, forgot` has no subject."""
    for at in range(comma - 1, max(comma - 10, -1), -1):
        if sentence.low(at) == ",":
            return at - 1 if is_person(sentence, at - 1) else None
    return None


def _opening_subject(sentence: Sentence, conjunction: int) -> int | None:
    """The subject of the first verb goes on being that of `... and forgot`."""
    start = conjunction - 1
    while start > 0 and conjunction - start < 2 * REACH:
        low = sentence.low(start - 1)
        if low in (",", ":", ".") or low in words.SUBORDINATORS:
            break
        start -= 1
    for at in range(start, min(start + 5, conjunction)):
        if is_person(sentence, at) and not _goes_on(sentence, at + 1):
            return at
    return None


def _goes_on(sentence: Sentence, place: int) -> bool:
    """The noun before goes on with another noun (`developer portal`, `Bob 's script`): it is not the head."""
    token = sentence.at(place)
    low = token.low
    if not token.is_word:
        return low in APOSTROPHES
    if low in words.LINKS or low in words.CONJUNCTIONS or low in words.SUBORDINATORS or low in words.AUXILIARIES:
        return False
    if low in words.ADVERBS or low.endswith(("ed", "n't", "ly", "ing")) or is_name(token):
        return False
    return low not in words.VERBS


def _is_machine(sentence: Sentence, place: int) -> bool:
    """`The Kubernetes operator`, `the bot's admin user`, an operator in code marks."""
    if not sentence.low(place).startswith(("operator", "admin", "agent")):
        return sentence.low(place - 1) in ("bot", "robot", "automated", "virtual")
    before = sentence.at(place - 1)
    return before.low in words.MACHINE_QUALIFIERS or before.low in words.SOFTWARE or before.raw[0] == OPAQUE
