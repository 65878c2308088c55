"""What the organisation runs and how it is tagged: teams, services, tags."""

from collections.abc import Collection
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.text import slugify

NAME_LENGTH = 100

Row = TypeVar("Row", bound="Named")


class NamedQuerySet(models.QuerySet[Row]):
    """Rows that are known by a name, whatever its case."""

    def named(self, name: str) -> Row | None:
        """The row of that name, slug or alias; None if there is none."""
        name = " ".join(name.split())
        if found := self.filter(Q(name__iexact=name) | Q(slug=name.lower())).first():
            return found
        wanted = name.casefold()  # SQLite itself folds the case of ASCII letters only
        return next((row for row in self if wanted in {each.casefold() for each in (row.name, *row.aliases)}), None)

    def all_named(self, names: Collection[str]) -> dict[str, Row]:
        """Of many names, the rows of those that are a name, slug or alias, as `named` finds them."""
        if not names:
            return {}
        own: dict[str, Row] = {}
        others: dict[str, Row] = {}
        for row in self:
            for each in (row.name, row.slug):
                own.setdefault(each.casefold(), row)
            for each in row.aliases:
                others.setdefault(each.casefold(), row)
        known = others | own
        wanted = {name: " ".join(name.split()).casefold() for name in names}
        return {name: known[folded] for name, folded in wanted.items() if folded in known}

    def called(self, name: str) -> Row:
        """The row of that name, slug or alias, made now if there is none. Longer names are cut at 100 characters."""
        name = " ".join(name.split())[:NAME_LENGTH].strip()
        return self.named(name) or self.create(name=name, slug=self.unused_slug(name))

    def listed(self) -> Self:
        """All but those that only documents with closed doors name: such a name would tell of them."""
        used, shown = Q(), Q()
        for relation in self.model.named_by:
            field: Any = self.model._meta.get_field(relation)
            rows = field.related_model.objects.filter(**{field.field.name: OuterRef("pk")})
            used |= Q(Exists(rows))
            shown |= Q(Exists(rows.open_to_all()))
        return self.filter(shown | ~used | self.model.known_anyway())

    def unused_slug(self, name: str) -> str:
        """A slug no row has yet: `kafka`, `kafka-2`, ... A name without Latin letters or digits becomes `x`."""
        stem = slugify(name)[:80] or "x"
        taken = set(self.model._default_manager.filter(slug__startswith=stem).values_list("slug", flat=True))
        if stem not in taken:
            return stem
        return next(slug for n in range(2, len(taken) + 3) if (slug := f"{stem}-{n}") not in taken)


class Named(models.Model):
    """A name that is unique whatever its case, the slug in addresses and filters, and other names it goes by."""

    name = models.CharField(max_length=NAME_LENGTH)
    slug = models.SlugField(max_length=NAME_LENGTH, unique=True)
    aliases = models.JSONField(default=list, blank=True, help_text="Other names, as a list of strings.")

    named_by: ClassVar[tuple[str, ...]] = ()  # relations to documents

    class Meta:
        abstract = True
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="one_%(class)s_per_name")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def known_anyway(cls) -> Q:
        """Named on purpose, whatever names it."""
        return Q(pk__in=[])


class TeamQuerySet(NamedQuerySet["Team"]):
    def with_member(self, user: Any) -> Self:
        return self.filter(members=user)


class Team(Named):
    """People who own services together."""

    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="teams")

    objects = TeamQuerySet.as_manager()


class ServiceQuerySet(NamedQuerySet["Service"]):
    def in_use(self) -> Self:
        return self.listed().filter(retired_at=None)


class Service(Named):
    """What breaks, as its users know it: never a layer of code. A retired one stays, its fixes go stale."""

    class Tier(models.IntegerChoices):
        CRITICAL = 1, "Tier 1: the business stops without it"
        IMPORTANT = 2, "Tier 2: people notice at once"
        HELPFUL = 3, "Tier 3: it can wait until morning"

    owner_team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="services")
    tier = models.PositiveSmallIntegerField(choices=Tier.choices, default=Tier.IMPORTANT)
    description = models.TextField(blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    named_by = ("incidents", "postmortems", "fixes")
    objects = ServiceQuerySet.as_manager()

    @classmethod
    def known_anyway(cls) -> Q:
        return Q(owner_team__isnull=False) | ~Q(description="")


class TagQuerySet(NamedQuerySet["Tag"]):
    pass


class Tag(Named):
    """A word to find things by."""

    named_by = ("postmortems",)
    objects = TagQuerySet.as_manager()

    def get_absolute_url(self) -> str:
        return reverse("search") + f"?q=tag:{self.slug}"
