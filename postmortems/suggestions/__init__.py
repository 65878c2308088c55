"""Which earlier resolutions may help with an incident, and why. Reads only."""

from postmortems.suggestions.answer import Group, Part, Reason, Report, Suggestion, Suggestions
from postmortems.suggestions.asking import report_of, suggest
from postmortems.suggestions.weighing import engine_version

__all__ = [
    "Group",
    "Part",
    "Reason",
    "Report",
    "Suggestion",
    "Suggestions",
    "engine_version",
    "report_of",
    "suggest",
]
