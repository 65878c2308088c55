"""Restricted rows with a word in every field of text, found by walking the models: a new field has its word."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.db import models

from postmortems import search
from postmortems.models import (
    ActionDuePolicy,
    ActionItem,
    AlertReceipt,
    Attachment,
    AuditEvent,
    Comment,
    Comparison,
    Digest,
    Fix,
    FixUse,
    GlossaryEntry,
    Incident,
    IntakePolicy,
    Invitation,
    KnowledgeGap,
    Notification,
    Participant,
    Postmortem,
    PostmortemPolicy,
    PostmortemTemplate,
    Problem,
    ReminderChoice,
    ReviewRequest,
    Revision,
    SectionText,
    Service,
    SigningKey,
    SlackAccount,
    SuggestionOpening,
    SuggestionRun,
    SuggestionVerdict,
    Tag,
    Team,
    TemplateSection,
    TimelineEntry,
    Tracker,
    User,
    Visibility,
    Watch,
    Webhook,
    WorkingCopy,
)
from postmortems.sections import KEYS
from tests.factory import NOON

# They belong to the whole site and to no document.
OF_THE_SITE = {
    SlackAccount,
    AlertReceipt,
    IntakePolicy,
    SigningKey,
    User,
    Team,
    GlossaryEntry,
    PostmortemTemplate,
    TemplateSection,
    PostmortemPolicy,
    Invitation,
    ActionDuePolicy,
    Tracker,
    ReminderChoice,
    Digest,
}
TEXT = (models.CharField, models.TextField, models.JSONField, models.FileField)
TOKEN = uuid.UUID("5ec2e7a0-0000-4000-8000-000000000001")


def word(*names: str) -> str:
    """One word that occurs nowhere else and has no stem: `zqxincidenttitle7`."""
    return "zqx" + "".join(names).replace("_", "").lower() + "7"


def revision_content(said: str) -> dict[str, Any]:
    texts = {key: f"{said} {word('revision', key)}" for key in ("summary", "what_fixed_it")}
    entry = {"at": NOON.isoformat(), "kind": "note", "text": word("revision", "timeline"), "evidence_url": ""}
    return {
        **{"title": said, "severity": "sev2", "environment": "production", "cause_category": "", "occurred_on": None},
        **{"sections": texts, "services": [word("service", "slug")], "tags": [], "timeline": [entry]},
    }


# Fields whose shape the program relies on; all others are filled with their word.
SHAPES: Mapping[tuple[type[models.Model], str], Any] = {
    (Revision, "content"): revision_content,
    (WorkingCopy, "content"): lambda said: {"title": said, "summary": said},
    (AuditEvent, "changes"): lambda said: {"title": [said, said]},
    (Incident, "first_report"): lambda said: {"title": said, "symptoms": said, "error_excerpt": said, "services": []},
    (Service, "aliases"): lambda said: [said],
    (Tag, "aliases"): lambda said: [said],
    (TimelineEntry, "evidence_url"): lambda said: f"https://example.org/{said}",
    (Incident, "external_url"): lambda said: f"https://example.org/{said}",
    (ActionItem, "external_url"): lambda said: f"https://example.org/{said}",
    (Postmortem, "source_url"): lambda said: f"https://example.org/{said}",
    (Attachment, "content_type"): lambda said: "text/plain",
    (Webhook, "events"): lambda said: ["action.overdue"],
}
# What a row cannot be without, beside what `Secret.fill` finds for itself.
GIVEN: Mapping[type[models.Model], list[dict[str, Any]]] = {
    TimelineEntry: [{"incident": None}, {"postmortem": None}],
    Watch: [{"postmortem": None, "service": None}, {"incident": None, "service": None}],
    Notification: [{"incident": None, "read_at": None, "mailed_at": None}, {"postmortem": None, "read_at": None}],
    Attachment: [{"token": TOKEN}],
    Service: [{"retired_at": None}],
    Participant: [{"released_at": None}],
    KnowledgeGap: [{"answered_at": None}],
    Comment: [{"reply_to": None, "resolved_at": None, "section": "summary"}],
    AuditEvent: [{"by": None, "object_key": key} for key in ("incident", "postmortem", "fix")],
    SuggestionRun: [{}, {"incident": None}],
    SuggestionOpening: [{}],
    SectionText: [{"key": key} for key in KEYS],
}


class Secret:
    """One restricted incident with everything that can hang on it. `open_*` are rows that everyone sees: what hangs
    between them and the secret is hidden too."""

    def __init__(self, *, member: User, former: User, team: Team, opened: Mapping[str, Any]) -> None:
        self.words: dict[str, str] = {}
        self.member, self.former, self.team, self.opened = member, former, team, opened
        self.rows: dict[type[models.Model], list[Any]] = {}
        for model in in_order():
            for number, given in enumerate(GIVEN.get(model, [{}])):
                self.rows.setdefault(model, []).append(self.make(model, given, number))
        self.connect()

    def one(self, model: type[models.Model]) -> Any:
        return self.rows[model][0]

    @property
    def incident(self) -> Incident:
        return self.one(Incident)  # type: ignore[no-any-return]

    @property
    def postmortem(self) -> Postmortem:
        return self.one(Postmortem)  # type: ignore[no-any-return]

    @property
    def fix(self) -> Fix:
        return self.one(Fix)  # type: ignore[no-any-return]

    def documents(self) -> tuple[Incident, Postmortem, Fix]:
        return self.incident, self.postmortem, self.fix

    def make(self, model: type[models.Model], given: dict[str, Any], number: int) -> Any:
        values = {field.name: self.fill(model, field, number) for field in model._meta.concrete_fields}
        known = {name: value for name, value in values.items() if value is not None} | given
        if "object_key" in given:
            known["object_key"] = self.one(
                {"incident": Incident, "postmortem": Postmortem, "fix": Fix}[given["object_key"]]
            ).search_key
        return model._default_manager.create(**known)

    def fill(self, model: type[models.Model], field: models.Field[Any, Any], number: int) -> Any:
        """Its word for a text; for anything else what leads to the secret, or what is usual."""
        name = field.name
        if field.primary_key or name.endswith("html"):
            return None
        if name == "key" and model in (SuggestionVerdict, SuggestionOpening):
            return self.postmortem.search_key
        if name == "shown":
            return [{"key": self.postmortem.search_key, "score": 9.0, "confidence": "strong", "parts": {"Words": 9.0}}]
        if field.is_relation:
            return self.related(model, field)
        if model is Service and name == "description":
            return ""
        if name == "visibility":
            return Visibility.RESTRICTED
        if name == "status":
            return {Incident: "resolved", Postmortem: "published"}.get(model)  # type: ignore[arg-type]
        if field.choices:
            return None if field.has_default() or field.blank else field.choices[0][0]  # type: ignore[index]
        if isinstance(field, TEXT):
            return self.text(model, field, number)
        if isinstance(field, models.DateTimeField):
            return NOON
        if isinstance(field, models.DateField):
            return NOON.date()
        return None if field.has_default() or field.null else 1

    def text(self, model: type[models.Model], field: models.Field[Any, Any], number: int) -> Any:
        name = model.__name__
        said = self.say(model, field, number)
        self.words[f"{name}.{field.name}.{number}"] = said
        shape = SHAPES.get((model, field.name))
        if isinstance(field, models.JSONField) and shape is None:
            return {"said": said}
        return shape(said) if shape else said

    def say(self, model: type[models.Model], field: models.Field[Any, Any], number: int) -> str:
        said, room = word(model.__name__, field.name, str(number) if number else ""), field.max_length
        return said if room is None or len(said) <= room else f"zqx{said[3 - room :]}"

    def related(self, model: type[models.Model], field: Any) -> Any:
        target = field.related_model
        if model is Comparison and field.name == "earlier":
            return self.opened["postmortem"]
        if target is User:
            mine = model in (Notification, Watch, WorkingCopy, ReviewRequest, Participant, ActionItem, SuggestionRun)
            return self.former if mine else self.member
        if target is Team:
            return None if model is Service else self.team  # a service with an owner is known to everyone
        return self.rows[target][0] if self.rows.get(target) else None

    def connect(self) -> None:
        """Who may see it, its names, and what lies between it and what everyone sees."""
        incident, postmortem, fix = self.documents()
        postmortem.incidents.add(incident)
        postmortem.tags.add(self.one(Tag))
        for row in self.documents():
            row.services.add(self.one(Service))
            row.members.add(self.member, self.former)
            row.members.remove(self.former)
            row.shared_with.add(self.team)
        other = self.opened
        FixUse.objects.create(fix=other["fix"], incident=incident, outcome="made_worse", note=self.said("a"), at=NOON)
        FixUse.objects.create(fix=fix, incident=other["incident"], outcome="worked", note=self.said("b"), at=NOON)
        ActionItem.objects.create(title=self.said("c"), postmortem=other["postmortem"], incident=incident)
        ActionItem.objects.create(title=self.said("d"), postmortem=postmortem, incident=other["incident"])
        shut = {"postmortem": other["postmortem"], "visibility": Visibility.RESTRICTED}
        Fix.objects.create(title=self.said("e"), steps=self.said("f"), commands=self.said("g"), **shut)
        postmortem.incidents.add(other["incident"])
        Comparison.objects.create(postmortem=other["postmortem"], earlier=postmortem, verdict="same_cause", at=NOON)
        for verdict, row in (("not_similar", postmortem), ("same_cause", fix)):
            SuggestionVerdict.objects.create(incident=other["incident"], key=row.search_key, verdict=verdict, at=NOON)
        SuggestionRun.objects.create(
            **{"incident": other["incident"], "user": self.member, "at": NOON, "engine": "x", "took_ms": 5.0},
            **{"candidates": 9, "abstained": False},
            shown=[{"key": postmortem.search_key, "score": 9.0, "confidence": "strong", "parts": {}}],
        )
        search.changed(*self.documents(), other["fix"], other["incident"], other["postmortem"])

    def said(self, name: str) -> str:
        return self.words.setdefault(f"between.{name}", word("between", name))


def in_order() -> list[type[models.Model]]:
    """Every model of a document, those first that others hang on."""
    first: list[type[models.Model]] = [Service, Tag, Problem, Incident, Postmortem, Fix, Revision, SuggestionRun]
    every = [model for model in apps.get_app_config("postmortems").get_models() if model not in OF_THE_SITE]
    return [*first, *(model for model in every if model not in first)]
