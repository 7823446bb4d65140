"""The tree of a market's categories, as serving needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from depict_reco.catalog.models import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryTree:
    """Categories and their parents, by primary key."""

    parents: dict[int, int | None]
    pks: dict[str, int]
    """Primary key by category id."""
    _known: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, rows: Iterable[Iterable[Any]]) -> Self:
        """Return the tree of rows of primary key, category id and parent."""
        parents: dict[int, int | None] = {}
        pks: dict[str, int] = {}
        for pk, category_id, parent in rows:
            parents[pk], pks[category_id] = parent, pk
        return cls(parents=parents, pks=pks)

    @classmethod
    def read(cls, market_pk: int) -> Self:
        categories = Category.objects.filter(market=market_pk).order_by("pk")
        return cls.of(categories.values_list("pk", "category_id", "parent_id"))

    def rows(self) -> list[tuple[int, str, int | None]]:
        """Return what ``of`` takes."""
        return [(pk, category_id, self.parents[pk]) for category_id, pk in self.pks.items()]

    def extends(self, other: CategoryTree) -> bool:
        """Whether the other tree's categories all stand where they stood."""
        return (
            self.parents.items() >= other.parents.items() and self.pks.items() >= other.pks.items()
        )

    def with_ancestors(self, categories: tuple[int, ...]) -> tuple[int, ...]:
        """Return categories and all above them, nearest first; those that are gone are left out."""
        known = self._known.get(categories)
        if known is not None:
            return known
        found: dict[int, None] = {}
        level: list[int] = list(categories)
        while level:
            fresh = [pk for pk in level if pk in self.parents and pk not in found]
            found.update(dict.fromkeys(fresh))
            level = [parent for pk in fresh if (parent := self.parents[pk]) is not None]
        self._known[categories] = result = tuple(found)
        return result
