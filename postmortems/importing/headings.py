"The headings people use, as data, and which section each of them is. To know a new one, add it here."

import re
from dataclasses import dataclass
from functools import lru_cache

from postmortems.importing.base import ACTIONS, TIMELINE
from postmortems.importing.inline import DASH, one_line
from postmortems.importing.tables import names

METADATA = "metadata"  # date, severity, category: see metadata.py
PEOPLE = "people"
NARRATIVE = "narrative"
SUMMARY = "summary"

# These say no more than the section's own heading and are not repeated.
SAME = {
    SUMMARY: "summary, overview, abstract, tl dr, tldr, synopsis, in short",
    "impact": "impact, effects, consequences",
    "detection": "detection, how was it detected, how did we detect it, how was this detected",
    "trigger": "trigger, triggers, triggering event",
    "contributing_factors": """contributing factors, contributing causes, contributing conditions, factors, causes,
        root cause, root causes, cause""",
    "what_fixed_it": """what fixed it, resolution, fix, solution, how was it fixed, how did we fix it, how it was
        fixed, how was it resolved, how it was resolved, how did we resolve it, how was this resolved""",
    "prevention": """prevention, how do we prevent it, how can we prevent it, how can we prevent this, preventing
        recurrence, prevention of recurrence, recurrence prevention, future prevention""",
    "worked_well": """what went well, went well, things that went well, what worked, what worked well, what we did
        well""",
    "didnt_work": """what went wrong, what didnt go well, what did not go well, what didnt go so well, what went
        poorly, things that went poorly, what went badly, what didnt work, what did not work, what didnt work well,
        went wrong""",
    "lucky": "where we got lucky, where did we get lucky, lucky, luck, got lucky, what was lucky",
    "surprised": "what surprised us, surprises, surprised, what was surprising",
    "lessons": """lessons, lessons learned, lessons learnt, learnings, what we learned, what did we learn, what have
        we learned, takeaways, key takeaways, lessons and risks""",
    "supporting": """supporting information, supporting material, supporting data, supporting documentation,
        additional information""",
    TIMELINE: """timeline, timeline of events, chronology, sequence of events, event log, log of events, course of
        events""",
    ACTIONS: """action items, actions, action, follow up, follow ups, follow up actions, follow up items, follow up
        tasks, next steps, corrective actions, corrective action, preventive actions, preventative actions,
        corrective and preventive actions, corrective and preventative measures, corrective and preventative
        actions, preventive measures, preventative measures, remediation items, remediation actions, improvement
        actions, improvements, todo, todos, to do, tasks, recommendations""",
    METADATA: """stats, statistics, metadata, meta data, meta, key facts, at a glance, incident details, incident
        information, general information, basic information""",
    PEOPLE: """attendees, atendees, participants, authors, author, responders, people, people involved,
        contributors, who was involved, involved, document owner, owner, owners, incident commander, facilitator""",
}
# These belong to the section and say more than its heading: they stay in its text.
PART = {
    SUMMARY: "problem summary, short description",
    "impact": """customer impact, user impact, business impact, impact on customers, impact on users, affected
        services, affected systems, affected users, affected customers, scope, scope of impact, blast radius,
        damage, services affected, service impact, symptoms, what was the impact""",
    "detection": """monitoring, alerting, discovery, detection and alerting,
        detection and response""",
    "trigger": "leadup, lead up, what changed, change that caused it",
    "contributing_factors": """fault, five whys, 5 whys, the five whys, the 5 whys, root cause analysis, root causes
        analysis, root cause identification, rca, cause analysis, why did it happen, why did this happen, analysis,
        underlying cause, root cause and trigger, root causes and trigger, contributing factor analysis, causal
        analysis, technical cause, vulnerability, conditions, how did it happen""",
    "what_fixed_it": """mitigation, mitigations, remediation, recovery, workaround, workarounds, restoration,
        repair, resolution and recovery, recovery and resolution, mitigation and resolution, remediation and
        recovery, resolution steps, recovery steps, mitigation steps, recovery actions, immediate actions, immediate
        action, immediate actions taken, immediate fix, actions taken, steps taken, steps taken to resolve,
        temporary fix, short term fix, permanent fix, long term fix, rollback, response and recovery, response and
        resolution, what did we do to fix it, how did we recover, how we fixed it, recovery process, resolution
        details""",
    "prevention": """how will we prevent this, how do we prevent this from happening again, avoiding recurrence,
        future work""",
    "worked_well": "positives, things that worked, good, the good, kudos",
    "didnt_work": """what could have gone better, what could be better, what could have been better, areas for
        improvement, what could be improved, what needs improvement, negatives, bad, the bad, what can we do better,
        what to improve, opportunities for improvement""",
    "lessons": "lessons and next steps, reflections, retrospective, conclusions, conclusion, recurrence",
    "supporting": """references, reference, links, link, related links, appendix, resources, graphs, graphs and
        logs, screenshots, images, logs, irc logs, chat logs, slack logs, evidence, attachments, glossary,
        terminology, messaging, internal email, internal message, internal communication, external message, external
        email, external communication, communication, communications, tickets, related tickets, related incidents,
        related postmortems, further reading, backlog check, metrics, dashboards, documentation, see also, notes""",
}
# A summary if the document has no other, else an account of its own.
ACCOUNT = (
    "what happened, description, incident description, problem description, problem, incident, what happened and why"
)
# Words around a heading that change nothing: `Detailed timeline of the incident`.
_AROUND = frozenset(
    names(
        "the, a, our, this, of, incident, outage, event, postmortem, detailed, brief, high, level, executive, section"
    )
)
_NUMBERING = re.compile(
    r"\(?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[a-z]|[ivx]{1,4})[.):](?=\s)|\d{1,2}(?:\.\d{1,2}){0,3}(?=\s)", re.IGNORECASE
)
_MORE = re.compile(rf"\s*[(\[].*|\s*:\s.*|\s+[{DASH}]\s.*", re.DOTALL)


@dataclass(frozen=True)
class Known:
    """What a heading stands for. `stays`: its words say more than that, and are kept."""

    key: str
    stays: bool


@lru_cache(maxsize=10_000)  # the same few dozen words, asked for again and again
def canonical(heading: str) -> str:
    """`**2. Lessons Learned:** 🎓` -> `lesson learned`."""
    text = (
        one_line(heading).lower().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "").replace("&", " and ")
    )
    if match := _NUMBERING.match(text):
        text = text[match.end() :]
    return " ".join(_singular(word) for word in re.findall(r"[^\W_]+", text))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


_SAME = {canonical(name): key for key, listed in SAME.items() for name in names(listed)}
_PART = {canonical(name): key for key, listed in PART.items() for name in names(listed)}
_ACCOUNTS = frozenset(canonical(name) for name in names(ACCOUNT))


def known(heading: str) -> Known | None:
    "The section of this heading, whatever its case, number, emoji, or remark in brackets behind it."
    if found := _look_up(canonical(heading)):
        return found
    shorter = _MORE.sub("", one_line(heading))
    found = _look_up(canonical(shorter)) if shorter else None
    return Known(found.key, stays=True) if found else None


def is_exactly_known(heading: str) -> bool:
    return _look_up(canonical(heading)) is not None


def is_account(heading: str) -> bool:
    return canonical(heading) in _ACCOUNTS


def _look_up(name: str) -> Known | None:
    for table, stays in ((_SAME, False), (_PART, True)):
        if key := table.get(name):
            return Known(key, stays)
    bare = _without_edges(name)
    return _look_up(bare) if bare and bare != name else None


def _without_edges(name: str) -> str:
    words = name.split()
    while words and words[0] in _AROUND:
        words.pop(0)
    while words and words[-1] in _AROUND:
        words.pop()
    return " ".join(words)
