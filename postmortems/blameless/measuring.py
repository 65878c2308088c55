"""How good the hints are: precision and recall on sentences that people labelled."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from postmortems.blameless import hints

LABELLED = Path(__file__).with_name("labelled.tsv")
SPLITS = ("dev", "heldout")
LABELS = ("blames", "innocent")


class Unreadable(Exception):
    """The file is not what it should be; the message says where."""


@dataclass(frozen=True)
class Labelled:
    """A sentence, and whether anything in it should be marked."""

    split: str
    blames: bool
    sentence: str


@dataclass(frozen=True)
class Measured:
    """What the linter made of labelled sentences. A share of nothing is 1: nothing was wrong."""

    sentences: int
    found: int
    misses: tuple[str, ...]
    false_alarms: tuple[str, ...]

    @property
    def precision(self) -> float:
        marked = self.found + len(self.false_alarms)
        return self.found / marked if marked else 1.0

    @property
    def recall(self) -> float:
        blaming = self.found + len(self.misses)
        return self.found / blaming if blaming else 1.0

    def as_json(self) -> dict[str, float]:
        shares = {"precision": round(self.precision, 4), "recall": round(self.recall, 4)}
        wrong = {"misses": len(self.misses), "false_alarms": len(self.false_alarms)}
        return {"sentences": self.sentences, **shares, "found": self.found, **wrong}


def read(path: Path = LABELLED) -> list[Labelled]:
    """The sentences of a file. Raises `Unreadable`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
    return [_labelled(path, n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]


def measure(sentences: Iterable[Labelled]) -> Measured:
    """A sentence counts once, however many of its words are marked."""
    listed = [(labelled, bool(hints(labelled.sentence))) for labelled in sentences]
    return Measured(
        sentences=len(listed),
        found=sum(marked and labelled.blames for labelled, marked in listed),
        misses=tuple(labelled.sentence for labelled, marked in listed if labelled.blames and not marked),
        false_alarms=tuple(labelled.sentence for labelled, marked in listed if marked and not labelled.blames),
    )


def _labelled(path: Path, number: int, line: str) -> Labelled:
    split, _, rest = line.partition("\t")
    label, _, sentence = rest.partition("\t")
    if split not in SPLITS or label not in LABELS or not sentence.strip():
        raise Unreadable(f"{path}, line {number}: dev or heldout, a tab, blames or innocent, a tab and a sentence.")
    return Labelled(split, label == "blames", sentence)
