"""What administrators say of alerts: what becomes of them, and the secrets that vendors sign with."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from kb import sealing
from postmortems.models.access import Visibility
from postmortems.models.catalogue import Team
from postmortems.models.incident import Severity

SEALED_FOR = "postmortems.intake.signing_key"
# A source's word -> ours, where no rule says otherwise. `critical` is no crisis yet: a SEV1 asks for a commander.
SEVERITY_OF: Mapping[str, str] = {
    **dict.fromkeys(("sev1", "p1", "disaster", "emergency"), Severity.SEV1),
    **dict.fromkeys(("sev2", "p2", "critical", "page", "fatal", "high"), Severity.SEV2),
    **dict.fromkeys(("sev4", "p4", "p5", "info", "low", "debug", "none"), Severity.SEV4),
}


def severity_of(word: str) -> str:
    return SEVERITY_OF.get(word, Severity.SEV3)


class IntakePolicyQuerySet(models.QuerySet["IntakePolicy"]):
    def in_order(self, source: str) -> Self:
        return self.filter(source__in=("", source)).select_related("team").order_by("position", "pk")


class IntakePolicy(models.Model):
    """What becomes of an alert; the first rule that fits is taken. Where none fits, an incident is opened."""

    class Action(models.TextChoices):
        OPEN = "open", "Open an incident"
        ATTACH = "attach", "Attach it to the open incident of its service, if there is one"
        IGNORE = "ignore", "Only keep it"

    position = models.PositiveSmallIntegerField(default=10, help_text="Smaller numbers are asked first.")
    source = models.CharField(max_length=40, blank=True, help_text="alertmanager, pagerduty, ...; empty: any.")
    label = models.CharField(
        max_length=100, blank=True, help_text="Of the alert, or the word severity; empty: every alert fits."
    )
    values = models.TextField(blank=True, help_text="What the label may be, one a line; empty: the label is there.")
    action = models.CharField(max_length=6, choices=Action.choices, default=Action.OPEN)
    severity = models.CharField(
        max_length=4, choices=Severity.choices, blank=True, help_text="Of the incident; empty: by the alert's word."
    )
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.OPEN)
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="Share the incident with."
    )
    resolves = models.BooleanField(
        default=True, help_text="The end of the alert resolves its incident, if nobody has taken that over."
    )
    replies = models.BooleanField(default=False, help_text="The answer to the sender holds the top suggestion.")

    objects = IntakePolicyQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        verbose_name_plural = "intake policies"
        constraints = [
            models.CheckConstraint(condition=Q(action__in=["open", "attach", "ignore"]), name="intake_action_is_known"),
            models.CheckConstraint(condition=Q(visibility__in=Visibility.values), name="intake_visibility_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.source or 'any source'}, {self.label or 'any alert'}: {self.get_action_display().lower()}"

    def fits(self, *, severity: str, labels: Mapping[str, str]) -> bool:
        if not self.label:
            return True
        said = severity if self.label == "severity" and severity else labels.get(self.label, "")
        wanted = {line.strip().casefold() for line in self.values.splitlines() if line.strip()}
        return said.casefold() in wanted if wanted else bool(said)

    def severity_for(self, word: str) -> str:
        return self.severity or severity_of(word)


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def good(self, source: str) -> Self:
        """Several while they are exchanged. Without those of accounts that were switched off."""
        rows = self.filter(Q(account=None) | Q(account__is_active=True), source=source, revoked_at=None)
        return rows.select_related("account")


class SigningKey(models.Model):
    """A secret that a vendor signs its deliveries with: of alerts, or of the slash command in Slack.

    Kept encrypted, for we must compute with it. What a delivery does is done as `account`, a program's; Slack's come
    from people, who are known by their own accounts.
    """

    class Source(models.TextChoices):
        GRAFANA = "grafana", "Grafana"
        PAGERDUTY = "pagerduty", "PagerDuty"
        SENTRY = "sentry", "Sentry"
        SLACK = "slack", "Slack (slash command)"

    source = models.CharField(max_length=20, choices=Source.choices)
    name = models.CharField(max_length=100, help_text="To know it by: which team's PagerDuty, since when.")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        limit_choices_to={"is_integration": True},
        help_text="The program's account that alerts come in by. None for Slack.",
    )
    sealed_secret = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, help_text="From then on nothing signed with it is taken.")

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        ordering = ["source", "-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(sealed_secret=""), name="signing_key_has_a_secret"),
            models.CheckConstraint(
                condition=Q(account__isnull=False) | Q(source="slack"), name="signing_key_has_an_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.name}"

    def keep(self, secret: str) -> None:
        """Sets the secret; saving is the caller's."""
        self.sealed_secret = sealing.seal(secret, purpose=SEALED_FOR)

    @property
    def secret(self) -> str:
        """Raises `kb.sealing.InvalidToken` if the site's own key has changed since."""
        return sealing.unseal(self.sealed_secret, purpose=SEALED_FOR)

    def use(self, *, at: datetime) -> None:
        SigningKey.objects.filter(pk=self.pk).update(last_used_at=at)


def one_at_a_time(account: Any) -> None:
    """Inside a transaction: other deliveries of this account wait for its end. SQLite lets one writer in anyway."""
    rows = type(account)._default_manager.select_for_update(no_key=True)
    rows.values_list("pk", flat=True).get(pk=account.pk)
