"""Webhooks, for administrators: where to, what came of each delivery, and again. A secret is told once."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kb import outgoing
from kb.api_schema import sent_like, taking
from postmortems import roles
from postmortems.api import fields
from postmortems.api.base import Fields, Numbered, Step
from postmortems.models import User, Webhook, WebhookDelivery, WebhookEvent, WebhookFormat
from postmortems.workflows import webhooks

EVENTS = [choice for choice in WebhookEvent.choices if choice[0] != WebhookEvent.TEST]
WRITTEN = ("name", "url", "format", "events", "account")


class WebhookSerializer(fields.ReadOnly[Webhook]):
    """One address that is told, of what its account may see. Whoever knows the address may often write there."""

    account = fields.person()
    events = serializers.ListField(child=serializers.ChoiceField(EVENTS), read_only=True)

    class Meta:
        model = Webhook
        fields: tuple[str, ...] = (
            *("id", "name", "url", "format", "events", "account", "is_active"),
            *("created_at", "rotated_at", "failing_since"),
        )


class NewWebhookSerializer(WebhookSerializer):
    """`secret` signs what is sent, and is told this once; null when an answer comes again by its key."""

    secret = serializers.CharField(read_only=True, allow_null=True)

    class Meta(WebhookSerializer.Meta):
        fields: tuple[str, ...] = (*WebhookSerializer.Meta.fields, "secret")


class SecretSerializer(serializers.Serializer[Any]):
    """The one before it signs, too, for two days."""

    secret = serializers.CharField()


class DeliverySerializer(fields.ReadOnly[WebhookDelivery]):
    """One thing it was to be told. `payload`: the last body that was sent; `excerpt`: what the other side said."""

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = (
            *("id", "message_id", "event", "about", "at", "state", "attempts", "tried_at"),
            *("payload", "response_code", "excerpt"),
        )


@extend_schema_field({"type": "string", "examples": ["hooks"]})
class ActingName(fields.Chosen):
    """An account on whose behalf it is told: of a program, or one's own."""

    default_error_messages = {"missing": "{value} is neither a program's account nor your own."}

    def named(self, name: str) -> Any:
        person = User.objects.filter(username=name, is_active=True).first()
        row = self.context.get("row")
        is_fit = person and (person.is_integration or person in (self.context["request"].user, row and row.account))
        return person if is_fit else None


@sent_like(name="#incidents", url="https://hooks.example.org/x", events=["incident.opened"], account="hooks")
class WebhookInput(serializers.Serializer[Any]):
    """Where to, of what, and what the account it acts for may see."""

    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=2000)
    format = serializers.ChoiceField(WebhookFormat.choices, default=WebhookFormat.GENERIC)
    events = serializers.ListField(child=serializers.ChoiceField(EVENTS), allow_empty=False, max_length=len(EVENTS))
    account = ActingName()

    def validate_events(self, value: list[str]) -> list[str]:
        return sorted(set(value))

    def validate_url(self, value: str) -> str:
        try:
            outgoing.check(value)
        except outgoing.Refused as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal
        return value


def enable(row: Webhook, *, by: User, at: datetime) -> None:
    webhooks.switch(row, is_active=True, by=by, at=at)


def disable(row: Webhook, *, by: User, at: datetime) -> None:
    webhooks.switch(row, is_active=False, by=by, at=at)


class Webhooks(Numbered):
    """Other systems that are told. For administrators only."""

    model = Webhook
    brief = serializer_class = WebhookSerializer
    steps = {
        "enable": Step("It is told from now on.", enable),
        "disable": Step("Not any more.", disable),
        "test": Step("Send a test; `deliveries` says what came of it.", webhooks.send_test),
    }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        roles.require(request.user, "administer")

    def rows(self) -> QuerySet[Any]:
        return Webhook.objects.order_by("name", "pk").select_related("account")

    @taking("key")
    @extend_schema(request=WebhookInput, responses={201: NewWebhookSerializer})
    def create(self, request: Request) -> Response:
        """Tell one more. Its secret is in this answer and nowhere else."""
        told: list[str] = []

        def make() -> Webhook:
            row, secret = webhooks.create(**self.sent(WebhookInput), **self.now())
            told.append(secret)
            return row

        return self.created(make, secret=told.pop)

    @taking("version")
    @extend_schema(request=WebhookInput, responses=WebhookSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """What is left out stays."""
        with self.meant() as row:
            known: Fields = {name: getattr(row, name) for name in WRITTEN}
            webhooks.edit(row, **{**known, **self.sent(WebhookInput, partial=True, row=row)}, **self.now())
        return self.shown(row)

    @taking("version")
    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove it, with the log of its deliveries."""
        with self.meant() as row:
            webhooks.remove(row, **self.now())
        return Response(status=204)

    @extend_schema(request=None, responses=SecretSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret", filterset_class=None, pagination_class=None)
    def rotate_secret(self, request: Request, **kwargs: Any) -> Response:
        """A new secret, told this once; the one before signs, too, for two days."""
        return Response({"secret": webhooks.rotate(self.row(), **self.now())})

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, filterset_class=None)
    def deliveries(self, request: Request, **kwargs: Any) -> Response:
        """What it was told, the newest first."""
        return self.listed(self.row().deliveries.newest_first(), DeliverySerializer)

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"], url_path="deliveries/<int:delivery>/redeliver")
    def redeliver(self, request: Request, delivery: int, **kwargs: Any) -> Response:
        """The same message again, with its id, of what the account may see now."""
        found = get_object_or_404(self.row().deliveries.select_related("webhook"), pk=delivery)
        webhooks.deliver_again(found, **self.now())
        found.refresh_from_db()
        return Response(DeliverySerializer(found).data)
