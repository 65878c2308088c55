"""What the API takes, validated: fields one by one."""

from typing import Any

from rest_framework import serializers

from kb.api_schema import sent_like
from postmortems.api.fields import TEXT_LENGTH, Moment
from postmortems.models import Environment, Service
from postmortems.suggestions import Report


@sent_like(title="Checkout is slow", error_excerpt="FATAL: connection slots are reserved", services=["checkout"])
class ReportSerializer(serializers.Serializer[Report]):
    """What is known of an incident: at least one of title, symptoms and error_excerpt."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=300, default="")
    symptoms = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH, default="")
    error_excerpt = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH, default="")
    services = serializers.SlugRelatedField(
        many=True, slug_field="slug", queryset=Service.objects.listed(), required=False
    )
    environment = serializers.ChoiceField(Environment.choices, required=False, default="")
    started_at = Moment(required=False, allow_null=True, default=None)
    limit = serializers.IntegerField(min_value=1, max_value=20, required=False, default=3)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not f"{attrs['title']}{attrs['symptoms']}{attrs['error_excerpt']}".strip():
            raise serializers.ValidationError("Say what is seen: title, symptoms or error_excerpt.")
        return attrs

    def report(self) -> Report:
        known = self.validated_data
        return Report(
            title=known["title"],
            symptoms=known["symptoms"],
            error_excerpt=known["error_excerpt"],
            services=tuple(service.slug for service in known.get("services", [])),
            environment=known["environment"],
            started_at=known["started_at"],
        )


class SearchSerializer(serializers.Serializer[dict[str, Any]]):
    """The query string of a search."""

    q = serializers.CharField(required=False, allow_blank=True, max_length=512, default="", trim_whitespace=False)
    page = serializers.IntegerField(min_value=1, max_value=100, required=False, default=1)
    per_page = serializers.IntegerField(min_value=1, max_value=100, required=False, default=10)
    sort = serializers.ChoiceField(["relevance", "newest", "oldest"], required=False, default="relevance")
