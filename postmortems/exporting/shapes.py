"""What a copy of the knowledge base consists of: the records, their fields, and what hangs on them.

Exporting writes records by these shapes and `workflows/restoring.py` reads them by the same: a new field of a model is
one word here. HTML, the numbers of the index, accounts, tokens, notifications and logs are no part of a copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postmortems.models import (
    ActionItem,
    Attachment,
    Comment,
    Comparison,
    Fix,
    FixUse,
    ImportedFile,
    Incident,
    Participant,
    Postmortem,
    Problem,
    ReviewRequest,
    ReviewVerdict,
    Revision,
    SectionText,
    Service,
    SuggestionVerdict,
    Tag,
    Team,
    TimelineEntry,
)
from postmortems.models.indexed import Referable


@dataclass(frozen=True)
class Shape:
    """`home`: the field by which a part hangs on the record above it. `key`: what makes a row without a ref the same
    again. `only`: which rows. `inherits`: further fields that are as of the record above. `stays`: a history, which is
    written with a new row and never over one that is there."""

    model: Any
    fields: tuple[str, ...]
    parts: Mapping[str, "Shape"] = field(default_factory=dict)
    home: str = ""
    key: tuple[str, ...] = ()
    only: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ("pk",)
    inherits: tuple[str, ...] = ()
    stays: bool = False
    kind: str = ""  # of a record that stands for itself

    @property
    def has_ref(self) -> bool:
        return issubclass(self.model, Referable)


# Who is let in is told to administrators only.
GUARDED = frozenset({"members", "shared_with"})
# Of a review: told to those who may read it.
REVIEW = frozenset({"comments", "review_requests", "verdicts"})
NAMES = ("slug", "name", "aliases")
ACCESS = ("visibility", "members", "shared_with")
MOMENT = ("at", "kind", "text", "evidence_url", "by")
ACTION = (
    *("title", "kind", "details", "done_when", "owner", "due_on", "priority", "state", "reason", "approved_by"),
    *("external_url", "ticket", "created_at", "done_at", "done_by", "evidence", "verified_by", "verified_at"),
    *("declined_at", "reopened_at"),
)
REMARK = ("section", "revision", "body", "by", "at", "resolved_by", "resolved_at")
USE = ("incident", "outcome", "minutes_to_effect", "note", "recorded_by", "at")
FIX = (
    *("title", "kind", "steps", "commands", "preconditions", "risk", "undo", "problem", "services", "state"),
    *("last_confirmed", "confirm_every_months", "confirmed_by", "retired_reason", "created_by", "created_at"),
    *ACCESS,
)
USES = Shape(FixUse, USE, home="fix", key=("incident",))
FIXES = Shape(Fix, FIX, {"uses": USES}, home="postmortem")
ATTACHMENTS = Shape(
    Attachment, ("token", "name", "content_type", "size", "by", "at"), home="postmortem", key=("token",)
)
REPLIES = Shape(Comment, REMARK, home="reply_to", inherits=("postmortem",))
VERDICTS = Shape(ReviewVerdict, ("reviewer", "decision", "checklist", "note", "at"), home="revision")

INCIDENT = Shape(
    Incident,
    (
        *("title", "kind", "severity", "status", "services", "environment", "detection_source", "started_at"),
        *("detected_at", "acknowledged_at", "mitigated_at", "resolved_at", "closed_at", "cancelled_at", "created_at"),
        *("reported_by", "commander", "commander_since", "cancel_reason", "close_reason", "source", "dedup_key"),
        *("external_url", "symptoms", "error_excerpt", "first_report", *ACCESS),
    ),
    {
        "timeline": Shape(TimelineEntry, MOMENT, home="incident", order=("at", "pk")),
        "participants": Shape(
            Participant, ("user", "joined_at", "released_at", "note"), home="incident", key=("user",)
        ),
        "suggestion_verdicts": Shape(SuggestionVerdict, ("key", "verdict", "by", "at"), home="incident", key=("key",)),
        "action_items": Shape(ActionItem, ACTION, home="incident", only={"postmortem": None}),
    },
    kind="incident",
)
POSTMORTEM = Shape(
    Postmortem,
    (
        *("title", "status", "kind", "severity", "services", "tags", "environment", "cause_category", "occurred_on"),
        *("started_at", "ended_at", "incidents", "problem", "owner", "team", "authors", "source_url", "due_on"),
        *("created_at", "updated_at", "published_at", "archived_at", "revision", *ACCESS),
    ),
    {
        "timeline": Shape(TimelineEntry, MOMENT, home="postmortem", order=("at", "pk")),
        "action_items": Shape(ActionItem, ("incident", *ACTION), home="postmortem"),
        "fixes": FIXES,
        "sections": Shape(SectionText, ("key", "body"), home="postmortem", key=("key",)),
        "comments": Shape(
            Comment, REMARK, {"replies": REPLIES}, home="postmortem", only={"reply_to": None}, stays=True
        ),
        "review_requests": Shape(
            ReviewRequest, ("reviewer", "requested_by", "requested_at"), home="postmortem", key=("reviewer",)
        ),
        "revisions": Shape(
            Revision,
            ("number", "content", "by", "at", "note"),
            {"verdicts": VERDICTS},
            home="postmortem",
            key=("number",),
            stays=True,
        ),
        "source": Shape(
            ImportedFile, ("identity", "path", "content_hash", "text"), home="postmortem", key=("identity",), stays=True
        ),
    },
    kind="postmortem",
)
ATTACHMENT = Shape(Attachment, ("postmortem", *ATTACHMENTS.fields), key=("token",), kind="attachment")

# In the order in which they can be read back: what is named stands before what names it.
SHAPES = (
    Shape(Team, (*NAMES, "members"), key=("slug",), kind="team"),
    Shape(Service, (*NAMES, "owner_team", "tier", "description", "retired_at"), key=("slug",), kind="service"),
    Shape(Tag, NAMES, key=("slug",), kind="tag"),
    Shape(Problem, ("title", "cause_category", "state", "discriminating_check"), kind="problem"),
    INCIDENT,
    POSTMORTEM,
    Shape(Fix, FIX, {"uses": USES}, only={"postmortem": None}, kind="fix"),
    Shape(
        Comparison,
        ("postmortem", "earlier", "verdict", "how_to_tell", "by", "at"),
        key=("postmortem", "earlier"),
        kind="comparison",
    ),
    ATTACHMENT,
)
BY_KIND = {shape.kind: shape for shape in SHAPES}
