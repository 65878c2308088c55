"""What a resource is made of: rows that one may see, pages of them, versions, steps as a table. One short file each."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import parse_etags
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, CharField, Serializer
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from kb.api_parser import refuse_text
from kb.api_schema import taking
from postmortems.api.once import once
from postmortems.api.pages import Pages, PageSerializer
from postmortems.workflows import watching

Fields = dict[str, Any]
NO_FIELD = "There is no such field here."
NO_FILTER = "There is no such filter here."


class Outdated(APIException):
    status_code = 412
    default_detail = "It was changed since you read it. Read it again, then decide."
    default_code = "outdated"


def etag_of(data: Any) -> str:
    """Differs as soon as the answer does."""
    said = json.dumps(data, sort_keys=True, cls=JSONEncoder)
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def is_known(header: str, etag: str) -> bool:
    """Whether `If-None-Match` names this version, which a proxy on the way may have made weak."""
    return any(each.removeprefix("W/") in {"*", etag} for each in parse_etags(header))


def insist_on(header: str, etag: str) -> None:
    """Refuses unless `If-Match` names this version. A weak one never does (RFC 9110, 13.1.1)."""
    named = parse_etags(header)
    if not named:
        raise ValidationError({"If-Match": "Send the ETag as you read it, with its quotation marks; or `*`."})
    if f"W/{etag}" in named:
        raise Outdated("A weak version (W/) is none to insist on. What compresses answers on the way makes them so.")
    if "*" not in named and etag not in named:
        raise Outdated


def refuse_unknown(given: Iterable[str], known: Collection[str], *, says: str) -> None:
    """A word that is written wrong is told, not passed over."""
    if unknown := sorted(str(name) for name in given if name not in known):
        raise ValidationError({name[:100]: says for name in unknown[:20]})


class View(APIView):
    """Its query string holds what a database can be asked."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        for name, values in request.query_params.lists():
            refuse_text("".join([name, *values]))
        super().initial(request, *args, **kwargs)


class Answering(ViewSetMixin, View, GenericAPIView[Any]):
    """What every answer shares: a version is said, input comes through a serializer."""

    pagination_class = Pages

    def sent(self, takes: type[Serializer[Any]], *, partial: bool = False, **context: Any) -> Fields:
        """What was posted, validated; a field that is not taken is refused by its name."""
        known = {**self.get_serializer_context(), **context}
        serializer = takes(data=self.request.data, partial=partial, context=known)
        serializer.is_valid(raise_exception=True)
        refuse_unknown(self.request.data, serializer.fields, says=NO_FIELD)
        fields: Fields = serializer.validated_data
        return fields

    def now(self) -> Fields:
        """Who does it, and when: what each workflow wants to know."""
        return {"by": self.request.user, "at": timezone.now()}

    def versioned(self, data: Any, *, status: int = 200, **headers: str) -> Response:
        etag = etag_of(data)
        known = self.request.headers.get("If-None-Match")
        if known and self.request.method in SAFE_METHODS and is_known(known, etag):
            return Response(status=304, headers={"ETag": etag})
        return Response(data, status=status, headers={"ETag": etag, **headers})

    def listed(self, rows: Any, serializer: type[BaseSerializer[Any]], *, filters: Collection[str] = ()) -> Response:
        """One page of these rows, which have a total order. Their filters are given once each."""
        asked = self.request.query_params
        refuse_unknown(asked, {*filters, *PageSerializer().fields}, says=NO_FILTER)
        if twice := [name for name, values in asked.lists() if len(values) > 1]:
            raise ValidationError({twice[0]: "This is taken once."})
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True, context=self.get_serializer_context()).data)


@dataclass(frozen=True)
class Step:
    """Something that is done to one row: `take(row, **what was sent, by=, at=)`, and what is sent."""

    says: str
    take: Callable[..., object]
    takes: type[Serializer[Any]] | None = None


class ReasonInput(Serializer[Any]):
    """Why, for whoever asks later."""

    reason = CharField(max_length=10_000, allow_blank=True, required=False, default="")


class NothingInput(Serializer[Any]):
    """A step that takes nothing; what is said beside it would be lost."""


class Resource(Answering):
    """Rows that one may see. `brief` shows one in a list, `serializer_class` one alone; `steps` are its verbs."""

    filter_backends = (DjangoFilterBackend,)
    filterset_class: ClassVar[Any] = None
    lookup_field = "ref"
    lookup_value_converter = "str"
    model: ClassVar[Any]
    brief: ClassVar[type[Serializer[Any]]]
    steps: ClassVar[Mapping[str, Step]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, step in cls.__dict__.get("steps", {}).items():
            setattr(cls, name.replace("-", "_"), _action(name, step))

    def rows(self) -> QuerySet[Any]:
        """Those that who asks may see, in a total order, with what the serializers show of them."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return self.rows()

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        found = self.brief if self.action == "list" else self.serializer_class
        assert found is not None  # noqa: S101  (each resource has one; this tells mypy so)
        return found

    def row(self) -> Any:
        """The one that the address names. What is hidden and what does not exist are the same 404."""
        return get_object_or_404(self.rows(), pk=self.pk_of(str(self.kwargs[self.lookup_field])))

    def data_of(self, row: Any) -> Any:
        found = self.serializer_class
        assert found is not None  # noqa: S101  (as above)
        return found(row, context=self.get_serializer_context()).data

    @contextmanager
    def meant(self) -> Iterator[Any]:
        """The row; with `If-Match` it is locked, and refused if it is not the version that was meant."""
        version = self.request.headers.get("If-Match")
        row = self.row()
        if version is None:
            yield row
            return
        with transaction.atomic():
            self.model.objects.select_for_update().get(pk=row.pk)
            row = self.row()
            self.insist_on(version, row)
            yield row

    def insist_on(self, version: str, row: Any) -> None:
        insist_on(version, etag_of(self.data_of(row)))

    def shown(self, row: Any, *, status: int = 200, **headers: str) -> Response:
        """As it is now; nothing, where a step took it out of sight."""
        now = self.rows().filter(pk=row.pk).first()
        return self.versioned(self.data_of(now), status=status, **headers) if now else Response(status=204)

    def list(self, request: Request, **kwargs: Any) -> Response:
        filters = self.filterset_class.base_filters if self.filterset_class else ()
        return self.listed(self.filter_queryset(self.rows()), self.brief, filters=filters)

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        return self.versioned(self.data_of(self.row()))

    def step(self, step: Step) -> Response:
        with self.meant() as row:
            fields = self.sent(step.takes or NothingInput, row=row)
            step.take(row, **fields, **self.now())
        return self.shown(row)

    def created(self, make: Callable[[], Any], *, secret: Callable[[], str] | None = None) -> Response:
        """201 with the new row and its address; once for each `Idempotency-Key`. `secret`: told once, kept nowhere."""

        def answer() -> Response:
            row = make()
            found = self.shown(row, status=201, Location=self.address_of(row))
            if secret is not None:
                found.data = {**found.data, "secret": secret()}
            return found

        return once(self.request, answer, still_seen=self.is_seen, but=("secret",) if secret else ())

    def address_of(self, row: Any) -> str:
        known = self.reverse_action("list")
        return self.request.build_absolute_uri(f"{known}{getattr(row, self.lookup_field)}/")

    def is_seen(self, body: Any) -> bool:
        """Whether what an answer told may still be seen."""
        pk = self.pk_of(str(body.get(self.lookup_field, ""))) if isinstance(body, Mapping) else None
        return pk is not None and self.rows().filter(pk=pk).exists()

    def pk_of(self, name: str) -> int | None:
        """Of what the address, or an answer, calls the row."""
        found: int | None = self.model.pk_of_ref(name)
        return found

    def added(self, serializer: type[BaseSerializer[Any]], make: Callable[[], Any]) -> Response:
        """201 with what was hung on a row that is seen; once for each `Idempotency-Key`."""

        def answer() -> Response:
            return Response(serializer(make(), context=self.get_serializer_context()).data, status=201)

        return once(self.request, answer, still_seen=lambda body: True)


class Numbered(Resource):
    """Rows that nobody calls by a name: their number."""

    lookup_field = "id"
    lookup_value_converter = "int"

    def pk_of(self, name: str) -> int | None:
        return int(name) if name.isdecimal() else None


def unwatch(row: watching.Watched, *, by: Any, at: datetime) -> None:
    """In the shape of a step."""
    watching.stop(row, by=by)


def _action(name: str, step: Step) -> Any:
    def take(self: Resource, request: Request, **kwargs: Any) -> Response:
        return self.step(step)

    take.__name__ = name.replace("-", "_")
    take.__doc__ = step.says
    route = action(detail=True, methods=["post"], url_path=name, url_name=name)
    return extend_schema(request=step.takes)(route(taking("version")(take)))
