"""Which word sets off which detector. Each looks at few words around its own, so a text costs its length."""

from collections.abc import Callable, Iterator

from postmortems.blameless import acts, counterfactuals, verdicts, words
from postmortems.blameless.matching import Match
from postmortems.blameless.sentences import Sentence

Detector = Callable[[Sentence, int], Match | None]


def _table() -> dict[str, list[Detector]]:
    table: dict[str, list[Detector]] = {}
    for triggers, detector in (
        (
            ("should", "could", "might", "ought", "shouldn't", "should've", "could've", "might've"),
            counterfactuals.counterfactual,
        ),
        (("if", "had"), counterfactuals.hindsight),
        (("failed", "fail", "fails"), acts.failed_to),
        (("failure",), acts.failure_to),
        (("did", "didn't", "had", "hadn't", "never"), acts.did_not),
        (("nobody", "one", "noone"), acts.nobody_did),
        (words.SLIPS, acts.slip),
        (words.HARMS | words.DOWNING, acts.harm),
        (words.ACCIDENTS, acts.accident),
        (words.DOINGS, acts.faulty_doing),
        (("by",), acts.done_by),
        (words.THEIR_WORK, acts.their_work),
        (words.OWN_FAULTS, verdicts.own_fault),
        (("blame", "blamed", "blames", "fault", "responsible"), verdicts.to_blame),
        (("was", "were", "wasn't", "weren't"), verdicts.shortcoming),
        (words.ERROR_WORDS, verdicts.error_label),
        (words.CONDEMNING, verdicts.condemning),
        (tuple(words.TERMS_OF_ART), verdicts.technical_or_condemning),
        (("lazy",), verdicts.lazy),
        (("mistake", "mistakes", "error", "errors"), verdicts.belittling),
        (("lack",), verdicts.lack_of),
        (("judgement", "judgment", "decision", "decisions"), verdicts.poor_judgement),
        (("dropped", "lost", "inexperienced", "unskilled", "incapable"), verdicts.idiom),
        (("cause", "root-cause"), verdicts.single_cause),
    ):
        for trigger in sorted(triggers):
            table.setdefault(trigger, []).append(detector)
    return table


_DETECTORS = _table()


def matches(sentence: Sentence) -> Iterator[Match]:
    """What any rule finds in the sentence, by the order of the words that set it off."""
    for place in range(len(sentence)):
        for detector in _DETECTORS.get(sentence.low(place), ()):
            if match := detector(sentence, place):
                yield match
