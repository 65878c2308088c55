"""What a new postmortem starts with, and when one is due: data that administrators edit."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.db import models
from django.db.models import Q

from kb.clock import site_day
from postmortems import sections
from postmortems.models.incident import Incident, Kind, Severity

# What a review wants to read where no template says so.
REQUIRED = ("summary", "impact", "contributing_factors", "what_fixed_it")


class PostmortemTemplateQuerySet(models.QuerySet["PostmortemTemplate"]):
    def closest_to(self, *, kind: str, severity: str) -> "PostmortemTemplate | None":
        """For this kind and severity; else for the kind; else for the severity; else for all. None: no row fits."""
        fitting = self.filter(kind__in={"", kind}, severity__in={"", severity}).order_by("-kind", "-severity")
        return fitting.prefetch_related("sections").first()

    def required_keys(self, *, kind: str, severity: str) -> Sequence[str]:
        """The sections that are to be written before a review is asked for."""
        template = self.closest_to(kind=kind, severity=severity)
        if template is None:
            return REQUIRED
        return [section.key for section in template.sections.all() if section.is_required]


class PostmortemTemplate(models.Model):
    """Sections with prompts, for a kind and a severity; empty means any. The closest match is taken.

    Its texts are literal: there is no template language in them.
    """

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, blank=True)
    severity = models.CharField(max_length=4, choices=Severity.choices, blank=True)
    introduction = models.TextField(blank=True, help_text="Shown above the editor. Plain text.")

    objects = PostmortemTemplateQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "severity"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "severity"], name="one_template_per_kind_and_severity"),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateSection(models.Model):
    """One section of a template: its prompt, and text that the draft starts with."""

    template = models.ForeignKey(PostmortemTemplate, on_delete=models.CASCADE, related_name="sections")
    key = models.CharField(max_length=30, choices=sections.choices)
    prompt = models.TextField(blank=True, help_text="Empty: the section's usual question.")
    starter = models.TextField(blank=True, help_text="Markdown that the draft begins with.")
    is_required = models.BooleanField(default=False, help_text="To be written before a review can be asked for.")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["template", "key"], name="one_template_section_per_key")]

    def __str__(self) -> str:
        return f"{self.template}: {self.get_key_display()}"


class PostmortemPolicyQuerySet(models.QuerySet["PostmortemPolicy"]):
    def for_incident(self, incident: Incident) -> "PostmortemPolicy | None":
        """The rule for its severity: of its kind if there is one, else of any kind."""
        return self.filter(severity=incident.severity, kind__in=(incident.kind, "")).order_by("-kind").first()


class PostmortemPolicy(models.Model):
    """Whether an incident of this severity and kind (empty: any) wants a postmortem, and within how many days."""

    severity = models.CharField(max_length=4, choices=Severity.choices)
    kind = models.CharField(max_length=12, choices=Kind.choices, blank=True)
    is_required = models.BooleanField()
    days_until_due = models.PositiveSmallIntegerField(default=10, help_text="Counted from when it was resolved.")

    objects = PostmortemPolicyQuerySet.as_manager()

    class Meta:
        ordering = ["severity", "kind"]
        verbose_name_plural = "postmortem policies"
        constraints = [
            models.UniqueConstraint(fields=["severity", "kind"], name="one_policy_per_severity_and_kind"),
            models.CheckConstraint(condition=Q(days_until_due__gte=1), name="policy_leaves_a_day"),
        ]

    def __str__(self) -> str:
        required = f"within {self.days_until_due} days" if self.is_required else "not required"
        return f"{self.get_severity_display()} {self.get_kind_display()}: {required}"

    def due_on(self, incident: Incident) -> date | None:
        """By when, in the site's time zone; None while it is not over."""
        if incident.resolved_at is None:
            return None
        resolved_on = site_day(incident.resolved_at)
        return resolved_on + timedelta(days=self.days_until_due)
