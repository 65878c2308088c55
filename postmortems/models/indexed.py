"""What it takes to be named by a ref, and to be findable: a key, and a version that grows with every change."""

import re
from typing import ClassVar, Self

from django.db import models
from django.db.models import F


class Referable(models.Model):
    """A row that people call by a ref."""

    ref_prefix: ClassVar[str]

    class Meta:
        abstract = True

    @property
    def ref(self) -> str:
        """The name people use, `PM-42`: made of the row's id, which is never given twice."""
        return f"{self.ref_prefix}-{self.pk}"

    @classmethod
    def pk_of_ref(cls, ref: str) -> int | None:
        """`42` for `PM-42` or `pm-42`; None if it is no ref of this kind."""
        found = re.fullmatch(rf"{cls.ref_prefix}-([0-9]{{1,18}})", ref, re.IGNORECASE)
        return int(found[1]) if found else None


class Indexed(Referable):
    """A row with a document in the search index. `search.changed(row)` bumps the version and leaves an outbox row."""

    search_kind: ClassVar[str]
    listed_services: list[dict[str, str]]  # slug and name, where `search.reading` fetched it
    search_version = models.PositiveBigIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    @property
    def search_key(self) -> str:
        return f"{self.search_kind}:{self.pk}"

    def bump_search_version(self) -> Self:
        type(self)._default_manager.filter(pk=self.pk).update(search_version=F("search_version") + 1)
        self.refresh_from_db(fields=["search_version"])
        return self
