"""How rows are named in JSON: people by user name, documents by ref, services, teams and tags by slug."""

from datetime import datetime
from typing import Any, TypeVar

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kb.clock import is_showable
from postmortems.models import Fix, Incident, Postmortem, Service, Team, User

TEXT_LENGTH = 100_000

Row = TypeVar("Row", bound=models.Model)


class ReadOnly(serializers.ModelSerializer[Row]):
    """What is shown of a row; what is sent has serializers of its own."""

    # Empty, or what an import took over: a text that is mostly an address.
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.URLField: serializers.CharField
    }

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """A choice that may be empty says so."""
        field_class, known = super().build_standard_field(field_name, model_field)
        if model_field.choices and model_field.blank:
            known["choices"] = [("", "Not known"), *model_field.choices]
        return field_class, known

    def get_extra_kwargs(self) -> dict[str, dict[str, Any]]:
        return {name: {"read_only": True} for name in self.Meta.fields}


class Moment(serializers.DateTimeField):
    """A moment that can be said in every time zone."""

    def to_internal_value(self, value: Any) -> datetime:
        at = super().to_internal_value(value)
        if not is_showable(at):
            raise serializers.ValidationError("Write the year in four digits, such as 2026.")
        return at


@extend_schema_field({"type": "string"})
class Shown(serializers.RelatedField[Any, Any, Any]):
    """A related row by what it is called; read only."""

    def __init__(self, attribute: str, **kwargs: Any) -> None:
        self.attribute = attribute
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return str(getattr(value, self.attribute))


def person() -> Shown:
    return Shown("username", allow_null=True)


def ref() -> Shown:
    return Shown("ref", allow_null=True)


def refs() -> Any:
    return Shown("ref", many=True)


def slugs() -> Any:
    return Shown("slug", many=True)


def page_address() -> serializers.CharField:
    return serializers.CharField(source="get_absolute_url", read_only=True, help_text="The page for people.")


# --- what is sent ---


class Chosen(serializers.Field[Any, Any, Any, Any]):
    """One row of those that who asks may choose from. Hidden and missing are the same."""

    default_error_messages = {"missing": "{value} names nothing that you may see.", "text": "Not a string."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("text")
        row = self.named(data.strip()) if len(data) < 200 else None
        if row is None:
            self.fail("missing", value=data[:100])
        return row

    def named(self, name: str) -> Any:
        raise NotImplementedError

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "string", "description": "The ref of a document.", "examples": ["PM-7"]})
class Ref(Chosen):
    """A document of one of these models by its ref."""

    def __init__(self, *models: Any, **kwargs: Any) -> None:
        self.models = models
        super().__init__(**kwargs)

    def named(self, name: str) -> Any:
        user = self.context["request"].user
        for model in self.models:
            if (pk := model.pk_of_ref(name)) is not None:
                return model.objects.visible_to(user).filter(pk=pk).first()
        return None


@extend_schema_field({"type": "string", "examples": ["checkout"]})
class ServiceSlug(Chosen):
    """A service that is in use, or that the row has already."""

    def named(self, name: str) -> Any:
        return Service.objects.listed().filter(slug=name).first()


@extend_schema_field({"type": "string", "examples": ["payments"]})
class TeamSlug(Chosen):
    def named(self, name: str) -> Any:
        return Team.objects.filter(slug=name).first()


@extend_schema_field({"type": "string", "examples": ["dana"]})
class UserName(Chosen):
    """A person who may come in, and no program; `of_all`: any account."""

    default_error_messages = {"missing": "There is nobody of the user name {value}."}

    def __init__(self, *, of_all: bool = False, **kwargs: Any) -> None:
        self.of_all = of_all
        super().__init__(**kwargs)

    def named(self, name: str) -> Any:
        rows = User.objects.filter(username=name)
        return (rows if self.of_all else rows.filter(is_active=True, is_integration=False)).first()


def text(length: int = TEXT_LENGTH, **kwargs: Any) -> serializers.CharField:
    return serializers.CharField(max_length=length, allow_blank=True, **kwargs)


def many(child: Chosen, **kwargs: Any) -> Any:
    return serializers.ListField(child=child, max_length=100, **kwargs)


DOCUMENTS = (Incident, Postmortem, Fix)
