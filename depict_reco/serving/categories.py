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
    _above: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict, compare=False)
    _below: dict[int, frozenset[int]] = field(default_factory=dict, compare=False)
    _children: dict[int, list[int]] = field(default_factory=dict, compare=False)

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

    def with_ancestors(self, categories: tuple[int, ...]) -> tuple[int, ...]:
        """Return categories and all above them, nearest first; those that are gone are left out."""
        known = self._above.get(categories)
        if known is not None:
            return known
        found: dict[int, None] = {}
        level: list[int] = list(categories)
        while level:
            fresh = [pk for pk in level if pk in self.parents and pk not in found]
            found.update(dict.fromkeys(fresh))
            level = [parent for pk in fresh if (parent := self.parents[pk]) is not None]
        self._above[categories] = result = tuple(found)
        return result

    def with_descendants(self, category: int) -> frozenset[int]:
        """Return a category and all below it; nothing of one that is gone."""
        known = self._below.get(category)
        if known is not None:
            return known
        if not self._children:
            children: dict[int, list[int]] = {}
            for pk, parent in self.parents.items():
                children.setdefault(0 if parent is None else parent, []).append(pk)
            self._children.update(children)  # at once: another thread may be looking
        found: set[int] = set()
        level = [category] if category in self.parents else []
        while level:
            found.update(level)
            level = [pk for one in level for pk in self._children.get(one, ()) if pk not in found]
        self._below[category] = result = frozenset(found)
        return result
