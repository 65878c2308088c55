"""What is true. One file per aggregate; nobody outside this folder calls `.save()` or sets a state field."""

from postmortems.models.access import Restrictable, Visibility
from postmortems.models.action_item import ActionItem
from postmortems.models.catalogue import Service, Tag, Team
from postmortems.models.fix import Fix, FixUse
from postmortems.models.glossary import GlossaryEntry
from postmortems.models.incident import Environment, Incident, Kind, Severity
from postmortems.models.indexed import Indexed
from postmortems.models.postmortem import ImportedFile, Postmortem, SectionText
from postmortems.models.problem import CauseCategory, Problem
from postmortems.models.suggestion import SuggestionOpening, SuggestionRun, SuggestionVerdict
from postmortems.models.timeline import TimelineEntry
from postmortems.models.user import User

__all__ = [
    "ActionItem",
    "CauseCategory",
    "Environment",
    "Fix",
    "FixUse",
    "GlossaryEntry",
    "ImportedFile",
    "Incident",
    "Indexed",
    "Kind",
    "Postmortem",
    "Problem",
    "Restrictable",
    "SectionText",
    "Service",
    "Severity",
    "SuggestionOpening",
    "SuggestionRun",
    "SuggestionVerdict",
    "Tag",
    "Team",
    "TimelineEntry",
    "User",
    "Visibility",
]
