"""Which characters of a Markdown text are its author's own prose: the same text with everything else blotted out.

Not prose: front matter, code, quotes, quoted speech, addresses, tags. Every step looks at a character a bounded number
of times, whatever the text holds. Offsets stay those of the text.
"""

import re
from collections.abc import Iterator

# What stands for code and quoted speech: a word nobody knows, so that a sentence around it keeps its shape.
OPAQUE = "\ufffc"

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(?:(?!---).*\n)*?---[ \t]*(?:\r?\n|\Z)")
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_DEFINITION = re.compile(r" {0,3}\[[^\[\]\n]{1,200}\]:[ \t]*\S")
_TICKS = re.compile(r"`+")
# Quote mark -> what closes it. A straight mark opens at the beginning of a word only: 6" is a length. Single marks are
# apostrophes as well, and close only behind a word.
APOSTROPHES = "'\u2019"
_CLOSING = {
    '"': re.compile('"'),
    "“": re.compile("”"),
    "„": re.compile("[“”]"),
    "«": re.compile("»"),
    "\u2018": re.compile(r"\u2019(?!\w)"),
    "'": re.compile(r"'(?!\w)"),
}
_OPENING = re.compile(r"""(?<![\w"'\u2019\\])["“„«\u2018'](?=\S)""")
_INVISIBLE = re.compile(
    r"</?[A-Za-z][^<>]*>|<[a-z]+:[^<>\s]*>"
    r"|(?<=\])\([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)*+\)|(?<=\])\[[^\[\]\n]*\]"
    r"|\bhttps?://[^\s<>()]*+|\bwww\.[^\s<>()]*+|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++"
)


def prose_of(text: str) -> str:
    """As long as the text, line ends in place; blanks or `OPAQUE` instead of what is not prose."""
    masked = list(text)
    for start, end in _blocks_to_skip(text):
        _blot(masked, start, end, " ")
    for start, end in _comments("".join(masked)):
        _blot(masked, start, end, " ")
    for start, end in _paragraphs("".join(masked)):
        _blot_inline(masked, start, end)
    return "".join(masked)


def _blot(masked: list[str], start: int, end: int, mark: str) -> None:
    masked[start:end] = [char if char == "\n" else mark for char in masked[start:end]]


def _lines(text: str, start: int) -> Iterator[tuple[int, int]]:
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, end
        start = end


def _blocks_to_skip(text: str) -> Iterator[tuple[int, int]]:
    """Front matter, fenced and indented code, quotes with the lines that lazily go on, addresses of links."""
    front = _FRONT_MATTER.match(text)
    if front:
        yield front.span()
    fence, in_quote, in_list, after_blank = "", False, False, True
    for start, end in _lines(text, front.end() if front else 0):
        line = text[start:end].rstrip()
        body = line.expandtabs(4)
        indent = len(body) - len(body.lstrip(" "))
        opening = _FENCE.match(line)
        item = _ITEM.match(line)
        content = line[item.end() :] if item else line.lstrip()
        if fence:
            yield start, end
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opening and not in_quote:
            fence = opening[1]
            yield start, end
        elif not line:
            in_quote = False
        elif content.startswith(">") or in_quote:
            in_quote = True
            yield start, end
        elif (indent >= (8 if in_list else 4) and after_blank) or _DEFINITION.match(line):
            yield start, end
            continue  # the next indented line is code too
        elif item or not indent:
            in_list = bool(item) or (in_list and not after_blank)
        after_blank = not line


def _comments(text: str) -> Iterator[tuple[int, int]]:
    start = text.find("<!--")
    while start >= 0 and (end := text.find("-->", start + 4)) >= 0:
        yield start, end + 3
        start = text.find("<!--", end + 3)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Runs of lines that are not blank: no inline mark reaches beyond."""
    begin = None
    for start, end in _lines(text, 0):
        if not text[start:end].strip():
            if begin is not None:
                yield begin, start
            begin = None
        elif begin is None:
            begin = start
    if begin is not None:
        yield begin, len(text)


def _blot_inline(masked: list[str], start: int, end: int) -> None:
    for first, last in _code_spans("".join(masked[start:end])):
        _blot(masked, start + first, start + last, OPAQUE)
    for match in _INVISIBLE.finditer("".join(masked[start:end])):
        _blot(masked, start + match.start(), start + match.end(), " ")
    for first, last in _quotations("".join(masked[start:end])):
        _blot(masked, start + first, start + last, OPAQUE)


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """From a run of backticks to the next run of the same length."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    later: dict[int, list[int]] = {}
    for start, end in reversed(runs):
        later.setdefault(end - start, []).append(start)
    behind = 0
    for start, end in runs:
        same = later[end - start]
        while same and same[-1] < max(end, behind):
            same.pop()
        if start >= behind and same:
            behind = same.pop() + end - start
            yield start, behind


def _quotations(text: str) -> Iterator[tuple[int, int]]:
    behind, never_closed = 0, set()
    for match in _OPENING.finditer(text):
        if match.start() < behind or match[0] in never_closed:
            continue
        if closing := _CLOSING[match[0]].search(text, match.end()):
            behind = closing.end()
            yield match.start(), behind
        else:
            never_closed.add(match[0])
