"""What ended it -> drafts of fixes: from a section that says so, else from sentences and moments that do.

Conservative: a sentence about plans, about prevention, or about an attempt that did not help is no fix. No fix at all
is better than a wrong one at 3 a.m.
"""

import re
from collections.abc import Iterable, Sequence

from postmortems.importing.base import ParsedFix, ParsedTimelineEntry
from postmortems.importing.blocks import Kind, blocks_of
from postmortems.importing.inline import one_line, sentences, title_of
from postmortems.importing.reading import lines_of
from postmortems.importing.tables import any_of

MAX_SENTENCES = 6
MAX_MOMENTS = 6

_DONE = r"(?:resolved|mitigated|fixed|remediated|corrected|repaired|restored|solved|alleviated)"
_REPAIR = r"(?:resolution|remediation|mitigation|recovery|fix|workaround|solution)"
_WAS = rf"\b(?:was|were|has been|have been|had been|got) (?:\w+ ){{0,2}}{_DONE}"
# `by 14:30 UTC` says when, not how.
_NOT_WHEN = (
    r"(?! (?:~?\d|about|around|approximately|noon|midnight|late|early|mid|the (?:end|next|following)"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]*\b))"
)
_OPENS = re.compile(
    r"To (?:\w+ )?(?:resolve|mitigate|fix|remediate|restore|recover|alleviate|correct|remedy)\b"
    rf"|(?:[\w'-]+ ){{0,3}}{_REPAIR}(?: \w+){{0,2}} (?:came|involved|included|consisted|required|was to)\b"
    rf"|As (?:an? |part of )(?:[\w-]+ ){{0,2}}{_REPAIR}\b"
    r"|In response, .{0,80}\b(?:immediately|temporarily|halted|shut down|paused|disabled|rotat)"
    rf"|(?:[\w'-]+ ){{0,4}}implemented (?:\w+ ){{0,2}}{_REPAIR}"
    rf"|(?:\w+ ){{0,3}}{_REPAIR}s? (?:was|were) (?:implemented|put in place)",
    re.IGNORECASE,
)
_TELLS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_WAS} (?:by|with|via|through|using)\b{_NOT_WHEN}",
        rf"{_WAS} (?:\w+ ){{0,4}}?(?:after|when|once)\b{_NOT_WHEN}",
        rf"\b(?:fixed|resolved|mitigated|solved|remedied) (?:the|this|it|by)\b{_NOT_WHEN}",
        r"\b(?:rolled|rolling) (?:\w+ ){0,4}back\b|\bperformed a rollback\b|\brollback (?:was|of|restored)\b",
        r"\brevert(?:ed|ing)\b|\bapplied the (?:revert|fix|patch|rollback)\b|\bfailed over to\b",
        r"\bwhich (?:solved|fixed|resolved|mitigated)\b",
        r"\b(?:fix|hotfix|patch|workaround) (?:was|has been|were) (?:\w+ly )?"
        r"(?:deployed|rolled out|applied|released|pushed|developed)\b",
        r"\b(?:deployed|applied|released|rolled out|pushed) (?:an? |the )?(?:\w+ )?(?:fix|hotfix|patch|workaround)\b",
        r"\brestor(?:ed|ing) (?:\w+ ){0,4}(?:services?|access|functionality|connectivity|availability|operations?)\b",
        r"\bmanually (?:\w+ ){0,2}(?:restart|attach|reattach|restor|patch|remov|delet|increas|rebuil|repair)\w*",
        r"\b(?:engineers?|team|operators?|staff|they|we) (?:\w+ly )?"
        r"(?:restored|restarted|rebooted|rebuilt|repaired|reverted)\b",
    )
)
_IS_PLAN = any_of(
    """to prevent, prevent future, prevent recurrence, prevent similar, in the future, going forward, plan, plans,
    planned, planning, will, committed to, future, long-term, longer-term, should, would have, could have,
    intend*, aims, lesson*, learned, commitment, is implementing, are implementing, is improving, are improving,
    is working, are working, is actively, are actively, preventative, preventive, include, includes, recommended,
    recommendations, improvement*, considered"""
)
# What an opening sentence may not say: that it has not been done yet, or that it is for the next time.
_IS_NOT_DONE = any_of(
    """plans to, planned, planning, will, committed to, going forward, in the future, is implementing, are
    implementing, is working, are working, is actively, are actively, intends, aims, considered, no remediation,
    improv*, enhanc*"""
)
_DID_NOT_HELP = any_of(
    """attempt*, tried, trying, unable, could not, couldn't, can't, cannot, did not, didn't, failed to, fails to,
    unsuccessful*, not possible, not sufficient, on its own, without success, no effect, no isolated effect, only
    bought, however, hamper*, prolong*, delay*, difficult*, ineffective, no fix, not been, not yet, made it worse,
    unintention*, unexpected*, accident*, mistaken*, inadvertent*, caused, causing, triggered, triggering, led to,
    leading to, resulted in, unfortunately, rendered, broke, broken, unresponsive, unavailable, lost, out-of-date"""
)
_MOMENT_ENDS = re.compile(
    r"\b(?:resolved|mitigated|fixed|solved|restored|recovered|recovery|reverted|re-?attached|operational|downgraded)\b"
    r"|\b(?:roll(?:ed|ing)?[ -]?back|rollback)\b(?! (?:was |is )?(?:initiated|started|considered|planned))"
    r"|\b(?:back to normal|it works|working (?:again|as (?:intended|expected))|up and running|all healthy)\b"
    r"|\bconfirmed working\b",
    re.IGNORECASE,
)
_MOMENT_DOES = any_of(
    """roll back, rolled back, rolling back, rollback, rolled over, rollover completed, revert*, restarted,
    rebooted, killed, deleted, deleting, removed, disabled, drained, uncordoned, replaced, terminated, downgraded,
    upgraded, scaled, scaling, patched, applied, applying, reattached, re-attached, re-queued, rerun, re-run,
    recreated, redeployed, failed over, failover, switched, renewed, generated, marked, cleared, updated,
    migrated, moved, set, increased, raised, lowered, manually, toggling, hotfix, released, silenced, mitigated
    with, mitigated by, resolved by, fixed by"""
)
_MOMENT_ONLY_LOOKS = any_of(
    """investigat*, attempt*, try, trying, unable, started to, starting, ask, asked, asking, planned, decision,
    decided, not, no, still, may, might, should, needs, expire*, expires, will, caused, causing, fail*,
    unintention*, unexpected*, accidental*, commenced, initiated, began, issue raised, ticket, delayed, unstable,
    but, gets, get, report*"""
)
_KINDS = {
    "rollback": any_of(
        "rolled back, rolling back, roll back, rollback, revert*, downgrad*, previous version, prior release"
    ),
    "failover": any_of(
        "failover, failed over, failing over, fail over, rerout*, redirected traffic, evacuat*, standby"
    ),
    "restore": any_of(
        "from backup, from a backup, from backups, backup, backups, snapshot, snapshots, restored the data"
    ),
    "workaround": any_of("workaround, work around, worked around, temporarily, temporary"),
    "permanent": any_of("permanent*, long-term fix, hotfix, bug fix, bugfix, code change, patch, patched"),
}
_LEAD_IN = re.compile(
    rf"To [^,.]{{3,90}}, (?=\w)|[^.]{{0,90}}?{_WAS} by (?=\w)"
    rf"|(?:[\w'-]+ ){{0,3}}{_REPAIR}(?: \w+){{0,2}} (?:involved|included|consisted of|required) (?=\w)",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(r"\b(?:several|two|three|four|multiple|various|the following|a number of)\b", re.IGNORECASE)
_WRITTEN_TIME = re.compile(r"\A\W{0,3}\d{4}-\d\d-\d\d[\w:~? -]{0,20}?: (?=\S)")


def kind_of(text: str) -> str:
    return next((kind for kind, words in _KINDS.items() if words.search(text)), "mitigation")


def of_section(heading: str, body: str) -> ParsedFix | None:
    """The fix a section describes: its text as the steps, its code as the commands."""
    text = body.strip()
    if not text or not re.search(r"\w", text):
        return None
    blocks = blocks_of(lines_of(text))
    first = next(
        (one_line(block.text) for block in blocks if block.kind in (Kind.PARAGRAPH, Kind.LIST, Kind.TABLE)), ""
    )
    title = _title(re.sub(r"\A(?:[-*+•]|\d{1,4}[.)])\s+(?:\[[ xX]\] )?", "", first)) or title_of(heading) or "Fix"
    commands = "\n".join(_code_of(block.text) for block in blocks if block.kind is Kind.CODE).strip("\n")
    return ParsedFix(title, text, kind_of(f"{heading}\n{text}"), commands)


def _code_of(text: str) -> str:
    lines = text.split("\n")
    if lines[0].lstrip().startswith(("```", "~~~")):
        lines = lines[1:-1] if lines[-1].strip().strip("`~") == "" and len(lines) > 1 else lines[1:]
    return "\n".join(lines)


def told(texts: Iterable[str], timeline: Sequence[ParsedTimelineEntry]) -> ParsedFix | None:
    """The fix that sentences and moments tell of, where no section does. None: they tell of none."""
    found: list[str] = []
    for text in texts:
        found += [told for told in _of_text(text) if told not in found]
    moments = _of_timeline(timeline)
    if not found and not moments:
        return None
    title = _title(found[0]) if found else _title_of_moment(moments[0])
    steps = "\n\n".join([*found, "\n".join(f"- {moment}" for moment in moments)]).strip()
    return ParsedFix(title, steps, kind_of(steps))


def _of_text(text: str) -> list[str]:
    """A paragraph for each paragraph that tells of it, with the sentences that do."""
    found: list[str] = []
    left = MAX_SENTENCES
    for block in blocks_of(lines_of(text)):
        if block.kind is not Kind.PARAGRAPH or left <= 0:
            continue
        telling = _telling(sentences(one_line(block.text)))[:left]
        left -= len(telling)
        if telling:
            found.append(" ".join(telling))
    return found


def _telling(told: Sequence[str]) -> list[str]:
    """Behind a sentence that opens the story of the repair, all count until one speaks of plans."""
    found: list[str] = []
    is_story = False
    for sentence in told:
        opens = bool(_OPENS.match(sentence)) and not _IS_NOT_DONE.search(sentence)
        if not opens and _IS_PLAN.search(sentence):
            is_story = False
            continue
        is_story = is_story or opens
        if not opens and _DID_NOT_HELP.search(sentence):
            continue
        if is_story or any(pattern.search(sentence) for pattern in _TELLS):
            found.append(sentence)
    return found


def _of_timeline(timeline: Sequence[ParsedTimelineEntry]) -> list[str]:
    """Moments that did something and ended it. A moment that only says it is over: the last deed before it.

    What was done before anyone saw the trouble was no repair. Where nothing says that it is over, a deed at the very
    end ended it.
    """
    found: list[str] = []
    is_seen = False
    last_deed = ""
    for entry in timeline:
        text = _WRITTEN_TIME.sub("", one_line(entry.text))
        only_looks = bool(_MOMENT_ONLY_LOOKS.search(text))
        does = is_seen and bool(_MOMENT_DOES.search(text)) and not only_looks
        is_seen = is_seen or entry.kind in ("detection", "diagnosis") or only_looks
        last_deed = text if does else last_deed
        ends = bool(_MOMENT_ENDS.search(text)) and not only_looks
        if (ends or (entry is timeline[-1] and does and not found)) and last_deed and last_deed not in found:
            found.append(last_deed)
    return found[-MAX_MOMENTS:]


def _title(text: str) -> str:
    """Without `To resolve the issue,` in front: what was done comes first."""
    text = one_line(text)
    first, *others = sentences(text) or [text]
    if others and len(first.split()) < 9 and _ANNOUNCES.search(first):
        text = " ".join(others)
    lead_in = _LEAD_IN.match(text)
    title = title_of(text[lead_in.end() :] if lead_in else text)
    return title[:1].upper() + title[1:]


def _title_of_moment(text: str) -> str:
    return _title(next((sentence for sentence in sentences(text) if _MOMENT_DOES.search(sentence)), text))
