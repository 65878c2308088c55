"""What is true. One file per aggregate; nobody outside this folder calls `.save()` or sets a state field."""

from postmortems.models.access import Restrictable, Visibility
from postmortems.models.action_item import ActionItem
from postmortems.models.alert import Alert, AlertReceipt
from postmortems.models.attachment import Attachment
from postmortems.models.audit import AuditEvent
from postmortems.models.catalogue import Service, Tag, Team
from postmortems.models.comparison import Comparison
from postmortems.models.fix import Fix, FixUse
from postmortems.models.follow_up import ActionDuePolicy, SavedFilter, Tracker
from postmortems.models.gap import KnowledgeGap
from postmortems.models.glossary import GlossaryEntry
from postmortems.models.incident import Environment, Incident, Kind, Severity
from postmortems.models.indexed import Indexed
from postmortems.models.intake import IntakePolicy, SigningKey
from postmortems.models.invitation import Invitation
from postmortems.models.kept_answer import KeptAnswer
from postmortems.models.participant import Participant
from postmortems.models.postmortem import ImportedFile, Postmortem, SectionText
from postmortems.models.problem import CauseCategory, Problem
from postmortems.models.reading import Reading
from postmortems.models.reminding import Digest, ReminderChoice, Rhythm, Weekday
from postmortems.models.review import Comment, ReviewRequest, ReviewVerdict
from postmortems.models.revision import Revision, WorkingCopy
from postmortems.models.slack import SlackAccount
from postmortems.models.suggestion import SuggestionOpening, SuggestionRun, SuggestionVerdict
from postmortems.models.template import PostmortemPolicy, PostmortemTemplate, TemplateSection
from postmortems.models.timeline import TimelineEntry
from postmortems.models.token import ApiToken, Scope
from postmortems.models.user import User
from postmortems.models.watching import Notification, Watch
from postmortems.models.webhook import Webhook, WebhookDelivery, WebhookEvent, WebhookFormat

__all__ = [
    "ActionDuePolicy",
    "ActionItem",
    "Alert",
    "AlertReceipt",
    "ApiToken",
    "Attachment",
    "AuditEvent",
    "CauseCategory",
    "Comment",
    "Comparison",
    "Digest",
    "Environment",
    "Fix",
    "FixUse",
    "GlossaryEntry",
    "ImportedFile",
    "Incident",
    "Indexed",
    "IntakePolicy",
    "Invitation",
    "KeptAnswer",
    "Kind",
    "KnowledgeGap",
    "Notification",
    "Participant",
    "Postmortem",
    "PostmortemPolicy",
    "PostmortemTemplate",
    "Problem",
    "Reading",
    "ReminderChoice",
    "Restrictable",
    "ReviewRequest",
    "ReviewVerdict",
    "Revision",
    "Rhythm",
    "SavedFilter",
    "Scope",
    "SectionText",
    "Service",
    "Severity",
    "SigningKey",
    "SlackAccount",
    "SuggestionOpening",
    "SuggestionRun",
    "SuggestionVerdict",
    "Tag",
    "Team",
    "TemplateSection",
    "TimelineEntry",
    "Tracker",
    "User",
    "Visibility",
    "Watch",
    "Webhook",
    "WebhookDelivery",
    "WebhookEvent",
    "WebhookFormat",
    "Weekday",
    "WorkingCopy",
]
