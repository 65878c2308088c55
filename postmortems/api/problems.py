"""Known problems: what several postmortems have in common."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kb.api_schema import taking
from postmortems.api import fields
from postmortems.api.base import Resource, Step
from postmortems.filters import ProblemFilter
from postmortems.models import CauseCategory, Fix, Postmortem, Problem
from postmortems.workflows import problems


class ProblemBrief(fields.ReadOnly[Problem]):
    """A problem in a list; its counts are of what one may see."""

    url = fields.page_address()
    occurrences = serializers.IntegerField(read_only=True)
    known_fixes = serializers.IntegerField(read_only=True)
    last_on = serializers.DateField(read_only=True, allow_null=True)

    class Meta:
        model = Problem
        fields: tuple[str, ...] = (
            "ref",
            "url",
            "title",
            "cause_category",
            "state",
            "occurrences",
            "known_fixes",
            "last_on",
        )


class ProblemSerializer(ProblemBrief):
    """A problem with the check that tells it from its look-alikes, and what belongs to it."""

    postmortems = fields.refs()
    fixes = fields.refs()

    class Meta(ProblemBrief.Meta):
        fields: tuple[str, ...] = (*ProblemBrief.Meta.fields, "discriminating_check", "postmortems", "fixes")


class ProblemInput(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=300)
    cause_category = serializers.ChoiceField(CauseCategory.choices, required=False, allow_blank=True)
    discriminating_check = fields.text(5000, required=False)


class StateInput(serializers.Serializer[Any]):
    state = serializers.ChoiceField(Problem.State.choices)


class LinkInput(serializers.Serializer[Any]):
    row = fields.Ref(Postmortem, Fix, help_text="A postmortem or a fix, by its ref.")


class MergeInput(serializers.Serializer[Any]):
    other = fields.Ref(Problem, help_text="What becomes part of this one, and is gone.")


def merge(problem: Problem, *, other: Problem, **who: Any) -> None:
    problems.merge(other, into=problem, **who)


class Problems(Resource):
    """What keeps coming back."""

    model = Problem
    brief = ProblemBrief
    serializer_class = ProblemSerializer
    filterset_class = ProblemFilter
    steps = {
        "state": Step("Open, known with a workaround, or solved.", problems.set_state, StateInput),
        "link": Step("This postmortem, or fix, is of it.", problems.link, LinkInput),
        "unlink": Step("It was something else.", problems.unlink, LinkInput),
        "merge": Step("Two turn out to be one.", merge, MergeInput),
    }

    def rows(self) -> Any:
        user = self.request.user
        rows: Any = Problem.objects.visible_to(user).with_counts(user)
        rows = rows.order_by("-occurrences", "title", "pk")
        if self.action == "list":
            return rows
        seen = Postmortem.objects.visible_to(user).order_by("pk"), Fix.objects.visible_to(user).order_by("pk")
        return rows.prefetch_related(Prefetch("postmortems", seen[0]), Prefetch("fixes", seen[1]))

    @taking("key")
    @extend_schema(request=ProblemInput, responses={201: ProblemSerializer})
    def create(self, request: Request) -> Response:
        """Name one."""
        nothing = {"cause_category": "", "discriminating_check": ""}
        return self.created(lambda: problems.create(**{**nothing, **self.sent(ProblemInput)}, **self.now()))

    @taking("version")
    @extend_schema(request=ProblemInput, responses=ProblemSerializer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Its name, its kind of cause, and how to tell it from its look-alikes."""
        with self.meant() as row:
            known = {name: getattr(row, name) for name in ("title", "cause_category", "discriminating_check")}
            problems.edit(row, **{**known, **self.sent(ProblemInput, partial=True)}, **self.now())
        return self.shown(row)
