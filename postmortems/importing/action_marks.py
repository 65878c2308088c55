"What marks an action item: its owner, due date, priority, state, kind and ticket, in a column or in its text."

import re
from collections.abc import Mapping
from dataclasses import replace

from postmortems.importing.base import ParsedAction
from postmortems.importing.inline import DASH, first_url, one_line, plain
from postmortems.importing.tables import any_of, names, normal
from postmortems.importing.times import date_in

MAX_OWNER = 200

COLUMNS = {
    "title": names(
        """action item, action items, action, actions, item, task, todo, to do, follow up, remediation, improvement,
        recommendation, what, title, summary, description, corrective action, work item, step"""
    ),
    "owner": names("owner, owners, assignee, assigned to, assigned, responsible, who, dri, lead, team, person"),
    "due": names("due, due date, deadline, target date, target, eta, by when, when, date, timeline"),
    "kind": names("type, kind, category, class"),
    "priority": names("priority, prio, severity, importance, urgency"),
    "state": names("status, state, progress, done, completed"),
    "link": names("ticket, tickets, bug, bugs, issue, issues, link, links, jira, url, tracking, pr, reference"),
}
STATES = {
    "done": names(
        "done, closed, complete, completed, fixed, resolved, finished, shipped, merged, implemented, yes, x, ✅, ✔, ☑"
    ),
    "verified": names("verified"),
    "in_progress": names("in progress, started, ongoing, wip, doing, in review, underway, under way, 🚧, 🔄"),
    "open": names("open, todo, to do, not started, new, backlog, planned, pending, tbd, no, ⬜, ☐"),
    "wont_do": names(
        """wont do, won t do, wont fix, won t fix, wontfix, wontdo, will not do, not doing, cancelled, canceled,
        rejected, declined, obsolete, dropped, n a, ❌, 🚫"""
    ),
}
PRIORITIES = {
    "high": names("high, highest, critical, urgent, blocker, major, must, p0, p1, prio 1, priority 1, 1"),
    "medium": names("medium, normal, moderate, med, should, p2, prio 2, priority 2, 2"),
    "low": names("low, lowest, minor, trivial, nice to have, could, p3, p4, p5, prio 3, priority 3, 3, 4"),
}
KINDS = {
    "prevent": names("prevent, prevention, preventive, preventative, prevent recurrence, corrective"),
    "detect": names("detect, detection, detective, monitoring, alerting, observability"),
    "mitigate": names("mitigate, mitigation, repair, response, respond, recover, recovery, remediate, reduce impact"),
    "process": names("process, documentation, training, communication, organizational, organisational, people"),
}
# Where no type is given: what its first words speak of. Everything else prevents.
_GUESSES = {
    "detect": any_of(
        "alert, alerts, alerting, alarm, alarms, monitor, monitors, monitoring, dashboard*, detect*, metric*, probe"
    ),
    "process": any_of(
        """document, documents, documented, documenting, documentation, wiki, runbook*, playbook*, procedure*,
        process, processes, guideline*, train, training, checklist*, communicat*, on-call, oncall, discuss, agree,
        teach"""
    ),
}

_WORD = r"[^\W\d_][\w.'" + "\N{RIGHT SINGLE QUOTATION MARK}-]*"
_NAME = rf"{_WORD}(?: {_WORD}){{0,3}}"
_OWNER = re.compile(
    rf"[ ]?[(\[{DASH}]?[ ]?\b(?:owners?|assignees?|assigned to|dri|responsible)[ ]?[:=][ ]?"
    rf"(?P<who>@?{_NAME}(?:[ ]?[,&/][ ]?@?{_NAME}){{0,4}})[ ]?[)\]]?",
    re.IGNORECASE,
)
_BRACKET_OWNER = re.compile(rf"\A\[(?P<first>{_NAME})\][ ](?=\S)|[ ]\[(?P<last>{_NAME})\][ .]?\Z")
_MENTION = re.compile(r"(?:\A|(?<=[ (]))@(?P<who>\w[\w.-]{0,60}\b)")
_EDGE_MENTION = re.compile(
    rf"\A@(?P<first>[\w.-]{{1,60}})[ ]?[:{DASH}]?[ ](?=\S)|[ ][({DASH}]?[ ]?@(?P<last>[\w.-]{{1,60}}?)[)]?[.]?\Z"
)
_DUE = re.compile(
    rf"[ ]?[(\[,{DASH}]?[ ]?\b(?:due(?: date| on| by)?|deadline|eta|target(?: date)?|by)\b[ ]?[:=]?[ ]?"
    r"(?P<date>[^()\[\]\n]{4,40}?)[)\]]?[ .]?\Z",
    re.IGNORECASE,
)
_EDGE_WORD = re.compile(
    rf"\A[(\[](?P<first>[^()\[\]\n]{{1,20}})[)\]][ ]?[:{DASH}]?[ ]?(?=\S)"
    rf"|[ ](?:[(\[](?P<last>[^()\[\]\n]{{1,60}})[)\]]|[{DASH}][ ](?P<dash>[^()\[\]\n]{{1,20}}))[ .]?\Z"
)
_TAIL = re.compile(rf" [{DASH}] | ?[:(,;] ?")


def lookup(table: Mapping[str, tuple[str, ...]], text: str) -> str:
    """The value whose names hold this text; "" if none does."""
    words = normal(text) or text.strip("\N{VARIATION SELECTOR-16} ")
    return next((value for value, names in table.items() if words in names), "")


def guess_kind(title: str) -> str:
    start = " ".join(title.split()[:8])
    return next((kind for kind, words in _GUESSES.items() if words.search(start)), "prevent")


def with_detail(action: ParsedAction, label: str, text: str) -> ParsedAction:
    line = f"{label}: {plain(text)}" if label else plain(text)
    return replace(action, details=f"{action.details}\n{line}".strip("\n"))


def with_attribute(action: ParsedAction, name: str, label: str, text: str) -> ParsedAction:
    """What cannot be read as what its label says stays in the details, with the label."""
    words = one_line(text)
    if name == "owner" and len(words) <= MAX_OWNER:
        return replace(action, owner=words.lstrip("@"))
    if name == "due" and (due := date_in(words)) and len(words) <= 30:
        return replace(action, due_on=due)
    if name == "priority" and (priority := lookup(PRIORITIES, words)):
        return replace(action, priority=priority)
    if name == "kind" and (kind := lookup(KINDS, words)):
        return replace(action, kind=kind)
    if name == "state":
        return _with_state(action, label, words)
    if name == "link":
        return _with_link(action, label, text)
    return with_detail(action, label, text)


def _with_state(action: ParsedAction, label: str, words: str) -> ParsedAction:
    state, reason = _state_of(words)
    if not state:
        return with_detail(action, label, words)
    return replace(action, state=state, reason=reason)


def _state_of(words: str) -> tuple[str, str]:
    """`Won't do: too costly` -> (wont_do, too costly)."""
    if state := lookup(STATES, words):
        return state, f"Marked “{words}” in the imported document." if state == "wont_do" else ""
    head, _, tail = _TAIL.sub("\0", words, count=1).partition("\0")
    state = lookup(STATES, head)
    if state == "wont_do" and tail:
        return state, tail.rstrip(") ")
    return "", ""


def _with_link(action: ParsedAction, label: str, text: str) -> ParsedAction:
    """A ticket, sometimes with its state behind it: `Bug 5554823 TODO`, `n/a DONE`."""
    words = one_line(text)
    *head, last = words.split() or [""]
    if head and last.isupper() and (state := lookup(STATES, last)) and state != "wont_do":
        action = replace(action, state=state)
        words = " ".join(head)
    url = first_url(words)
    if url:
        action = replace(action, external_url=url)
    label = "" if words.lower().startswith(label.lower()) else label
    return action if words in (url, "", "n/a", "N/A") else with_detail(action, label, words)


def with_marks(action: ParsedAction, text: str) -> tuple[ParsedAction, str]:
    "Takes `(owner: X)`, `@x`, `[X]`, `(due 2021-06-01)`, `(P1)`, `(done)` out of the text."
    for _ in range(4):
        before = text
        action, text = _with_edge_word(action, text)
        action, text = _with_due(action, text)
        action, text = _with_owner(action, text)
        if text == before:
            break
    if not action.owner and (match := _MENTION.search(text)):
        action = replace(action, owner=match["who"])
    return action, text.strip().rstrip(" ,;")


def _with_edge_word(action: ParsedAction, text: str) -> tuple[ParsedAction, str]:
    match = _EDGE_WORD.search(text)
    if not match:
        return action, text
    word = match["first"] or match["last"] or match["dash"]
    without = (text[: match.start()] + text[match.end() :]).strip()
    state, reason = _state_of(word)
    priority = lookup(PRIORITIES, word) if not word.isdigit() else ""
    kind = lookup(KINDS, word) if match["first"] else ""
    if state and without and action.state == "open":
        return replace(action, state=state, reason=reason), without
    if priority and without:
        return replace(action, priority=priority), without
    return (replace(action, kind=kind), without) if kind and without else (action, text)


def _with_due(action: ParsedAction, text: str) -> tuple[ParsedAction, str]:
    match = _DUE.search(text)
    if not match or action.due_on or not (due := date_in(match["date"])):
        return action, text
    return replace(action, due_on=due), text[: match.start()].rstrip()


def _with_owner(action: ParsedAction, text: str) -> tuple[ParsedAction, str]:
    if action.owner:
        return action, text
    for pattern in (_OWNER, _BRACKET_OWNER, _EDGE_MENTION):
        if match := pattern.search(text):
            who = next(name for name in match.groups() if name)
            without = (text[: match.start()] + text[match.end() :]).strip()
            if without and len(who) <= MAX_OWNER and not _is_other_mark(who):
                return replace(action, owner=who.strip().lstrip("@")), without
    return action, text


def _is_other_mark(who: str) -> bool:
    """`[Done]`, `[High]`, `[Detection]` name nobody."""
    return any(lookup(table, who) for table in (STATES, PRIORITIES, KINDS))
