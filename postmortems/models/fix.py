"""The fix: what the searcher came for, and its track record."""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Q, Value, When
from django.db.models.functions import ExtractDay, ExtractMonth, ExtractYear
from django.urls import reverse

from kb import markdown
from kb.errors import DomainError
from postmortems.models.access import Restrictable, RestrictableQuerySet
from postmortems.models.catalogue import Service
from postmortems.models.incident import TITLE_LENGTH, Incident
from postmortems.models.indexed import Indexed
from postmortems.models.postmortem import Postmortem
from postmortems.models.problem import Problem

MOST_MONTHS = 36  # a confirmation that holds longer than three years says nothing of systems as they are


class NotThatFix(DomainError):
    """The fix is in a state that this step does not start from, or was changed meanwhile."""


class Overtaken(NotThatFix):
    """Somebody saved it since it was read."""


class Freshness(models.TextChoices):
    FRESH = "fresh", "Fresh"
    TO_CONFIRM = "to_confirm", "To be confirmed"
    STALE = "stale", "Stale"


class FixQuerySet(RestrictableQuerySet["Fix"]):
    # A fix hangs on its postmortem: hidden there, hidden here.
    def open_where(self, at: str = "") -> Q:
        home = Q(**{f"{at}postmortem": None}) | Postmortem.objects.open_where(f"{at}postmortem__")
        return home & super().open_where(at)

    def seen_where(self, user: Any, at: str = "") -> Q:
        home = Q(**{f"{at}postmortem": None}) | Postmortem.objects.seen_where(user, f"{at}postmortem__")
        return home & (super().open_where(at) | self.names(user, at))

    def in_use(self) -> Self:
        return self.exclude(state=Fix.State.RETIRED)

    def with_freshness(self, on: date) -> Self:
        """Annotates `freshness` as it is on that day; of a retired fix it is empty.

        Stale: marked so, or all its services are retired. To be confirmed: never was, or longer ago than it holds.
        """
        through = self.model.services.through.objects.filter(fix=OuterRef("pk"))
        gone = Exists(through) & ~Exists(through.filter(service__retired_at=None))
        gone_by = on.year * 12 + on.month - ExtractYear("last_confirmed") * 12 - ExtractMonth("last_confirmed")
        due = Q(last_confirmed=None) | Q(months_gone__gt=F("confirm_every_months"))
        due |= Q(months_gone=F("confirm_every_months"), day_confirmed__lte=on.day)
        return self.alias(months_gone=gone_by, day_confirmed=ExtractDay("last_confirmed")).annotate(
            freshness=Case(
                When(state=Fix.State.RETIRED, then=Value("")),
                When(Q(state=Fix.State.STALE) | gone, then=Value(Freshness.STALE.value)),
                When(due, then=Value(Freshness.TO_CONFIRM.value)),
                default=Value(Freshness.FRESH.value),
                output_field=models.CharField(),
            )
        )

    def with_track_record(self, user: Any, *, before: datetime | None = None) -> Self:
        """Annotates `worked, partly, no_effect, made_worse, tried, last_outcome_at`: of incidents this user may see.

        `before`: as it stood at that moment.
        """
        seen = Incident.objects.visible_where(user, "uses__incident__")
        if before:
            seen &= Q(uses__at__lt=before)
        counts = {
            outcome.value: Count("uses", filter=seen & Q(uses__outcome=outcome.value), distinct=True)
            for outcome in FixUse.Outcome
        }
        return self.annotate(
            **counts,
            tried=Count("uses", filter=seen, distinct=True),
            last_outcome_at=Max("uses__at", filter=seen),
        )


class Fix(Indexed, Restrictable):
    """A known resolution. `commands` are copyable lines; `undo` says how to go back."""

    class Kind(models.TextChoices):
        MITIGATION = "mitigation", "Mitigation"
        WORKAROUND = "workaround", "Workaround"
        ROLLBACK = "rollback", "Rollback"
        FAILOVER = "failover", "Failover"
        RESTORE = "restore", "Restore"
        PERMANENT = "permanent", "Permanent fix"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        VERIFIED = "verified", "Verified"
        STALE = "stale", "Stale"
        RETIRED = "retired", "Retired"

    # What people write; of these, what the next reader runs.
    WRITTEN = (
        *("title", "kind", "steps", "commands", "preconditions", "risk", "undo"),
        "confirm_every_months",
    )
    FOLLOWED = ("steps", "commands", "preconditions", "undo")
    search_kind = "fix"
    ref_prefix = "FIX"

    title = models.CharField(max_length=TITLE_LENGTH)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MITIGATION)
    steps = models.TextField(blank=True, help_text="What to do, in order. Markdown.")
    steps_html = models.TextField(blank=True, editable=False)
    commands = models.TextField(blank=True, help_text="Lines to copy.")
    preconditions = models.TextField(blank=True, help_text="When this applies, and what to check first.")
    risk = models.TextField(blank=True, help_text="What can go wrong.")
    undo = models.TextField(blank=True, help_text="How to go back.")
    problem = models.ForeignKey(Problem, null=True, blank=True, on_delete=models.SET_NULL, related_name="fixes")
    postmortem = models.ForeignKey(Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="fixes")
    services = models.ManyToManyField(Service, blank=True, related_name="fixes")
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    last_confirmed = models.DateField(null=True, blank=True)
    freshness: str  # where `with_freshness` annotated it
    confirm_every_months = models.PositiveSmallIntegerField(default=6, help_text="How long a confirmation holds.")
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    retired_reason = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FixQuerySet.as_manager()

    class Meta:
        ordering = ["title", "pk"]
        verbose_name_plural = "fixes"
        constraints = [
            *Restrictable.Meta.constraints,
            models.CheckConstraint(condition=~Q(title=""), name="fix_has_title"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "verified", "stale", "retired"]), name="fix_state_is_known"
            ),
            models.CheckConstraint(condition=Q(confirm_every_months__gte=1), name="confirmation_holds_a_month"),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("fix_detail", args=[self.ref])

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.steps_html = markdown.render(self.steps)
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "steps_html"}
        super().save(*args, **kwargs)

    def belong_to(self, problem: Problem | None) -> None:
        """It helps with this problem, and with no other."""
        self.problem = problem
        self.save(update_fields=["problem"])

    def confirm(self, *, on: date, by: Any = None) -> None:
        """Someone saw it work, or says so: the steps are still right. What was stale is not any more."""
        rows = Fix.objects.filter(pk=self.pk).exclude(state=self.State.RETIRED)
        rows.filter(state=self.State.STALE).update(state=self.State.VERIFIED)
        rows.filter(Q(last_confirmed=None) | Q(last_confirmed__lte=on)).update(last_confirmed=on, confirmed_by=by)
        self.refresh_from_db(fields=["last_confirmed", "confirmed_by", "state"])

    def content(self) -> dict[str, Any]:
        """What people write of it, as plain values: what an edit is compared by."""
        return {name: getattr(self, name) for name in self.WRITTEN} | {
            "problem": self.problem_id,
            "services": sorted(service.slug for service in self.services.all()),
        }

    def fingerprint(self) -> str:
        """Differs as soon as somebody wrote something else."""
        text = json.dumps(self.content(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def rewrite(self, *, seen: str, services: Iterable[Service], by: Any, **fields: Any) -> None:
        """Save what was written. `seen`: its fingerprint when it was read: of two edits none overwrites the other.

        Whoever changes what is run of a verified fix has not shown that it works.
        """
        self.refresh_from_db(from_queryset=Fix.objects.select_for_update(of=("self",)))
        if self.fingerprint() != seen:
            raise Overtaken(f"{self.ref} was changed while you wrote.")
        changed = any(getattr(self, name) != fields.get(name, getattr(self, name)) for name in self.FOLLOWED)
        if changed and self.state == self.State.VERIFIED:
            self.state = self.State.DRAFT
        for name, value in fields.items():
            setattr(self, name, value)
        self.created_by = self.created_by or by  # what an import guessed is somebody's from now on
        self.save(update_fields=[*fields, "state", "created_by"])
        self.services.set(services)

    @property
    def is_guessed(self) -> bool:
        """An import took it from a postmortem's text; nobody wrote or checked it."""
        return self.state == self.State.DRAFT and self.created_by_id is None and self.postmortem_id is not None

    def verify(self, *, by: Any, on: date) -> None:
        """Somebody tried it, or checked each step."""
        if not (self.steps.strip() or self.commands.strip()):
            raise NotThatFix("There is nothing to verify: write down the steps or the commands first.")
        self._step({self.State.DRAFT, self.State.STALE}, state=self.State.VERIFIED, last_confirmed=on, confirmed_by=by)

    def retire(self, *, reason: str) -> None:
        """Not to be used any more; kept for the record, suggested to nobody."""
        if not reason.strip():
            raise NotThatFix("Say why it is retired, and what helps instead.")
        live = {self.State.DRAFT, self.State.VERIFIED, self.State.STALE}
        self._step(live, state=self.State.RETIRED, retired_reason=reason)

    def take_back(self) -> None:
        """Of use again; somebody verifies it anew."""
        self._step({self.State.RETIRED}, state=self.State.DRAFT, retired_reason="")

    def _step(self, starts: set[Any], **values: Any) -> None:
        moved = Fix.objects.filter(pk=self.pk, state__in=starts).update(**values)
        self.refresh_from_db(fields=[*values, "search_version"])
        if not moved:
            raise NotThatFix(f"{self.ref} is {self.get_state_display().lower()}: this step does not start from there.")


class FixUseQuerySet(models.QuerySet["FixUse"]):
    """What came of fixes."""

    def visible_to(self, user: Any) -> Self:
        incident = Incident.objects.visible_where(user, "incident__")
        return self.filter(incident, Fix.objects.visible_where(user, "fix__"))

    def record(self, *, fix: Fix, incident: Incident, outcome: str, by: Any, at: datetime, **details: Any) -> "FixUse":
        """What came of this fix in this incident; said again, the newer answer counts."""
        use, _ = self.update_or_create(
            fix=fix, incident=incident, defaults={"outcome": outcome, "recorded_by": by, "at": at, **details}
        )
        return use


class FixUse(models.Model):
    """One try of a fix in an incident. The sum of these is the fix's track record, and feeds the ranking."""

    class Outcome(models.TextChoices):
        WORKED = "worked", "It worked"
        PARTLY = "partly", "Partly"
        NO_EFFECT = "no_effect", "No effect"
        MADE_WORSE = "made_worse", "Made it worse"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="fix_uses")
    fix = models.ForeignKey(Fix, on_delete=models.CASCADE, related_name="uses")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    minutes_to_effect = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField()

    objects = FixUseQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "fix"], name="one_outcome_per_fix_and_incident"),
            models.CheckConstraint(
                condition=Q(outcome__in=["worked", "partly", "no_effect", "made_worse"]),
                name="outcome_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fix.ref} in {self.incident.ref}: {self.get_outcome_display()}"
