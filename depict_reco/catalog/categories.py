"""The tree of categories: ids as shops give them, and paths such as "Clothes > Shirts"."""

from __future__ import annotations

from collections.abc import Iterable

from depict_reco.catalog.models import Category
from depict_reco.catalog.records import MAX_ID_LENGTH
from depict_reco.tenants.models import Market

SEPARATOR = " > "


def path_id(names: Iterable[str]) -> str:
    """Return the id of a path of category names: the longest beginning that is short enough."""
    path = ""
    for name in names:
        longer = path + SEPARATOR + name if path else name
        if len(longer) > MAX_ID_LENGTH:
            break
        path = longer
    return path


def parent_id(category_id: str) -> str | None:
    """Return the id of the category that an id names as its parent; ordinary ids name none."""
    parent, separator, name = category_id.rpartition(SEPARATOR)
    return parent if separator and parent.strip() and name.strip() else None


def ensure_categories(market: Market, category_ids: Iterable[str]) -> dict[str, int]:
    """Return the primary keys of categories; make those that are missing, parents first.

    Call it inside ``catalog_change``.
    """
    wanted = set(category_ids)
    for category_id in list(wanted):
        ancestor = parent_id(category_id)
        while ancestor is not None and ancestor not in wanted:
            wanted.add(ancestor)
            ancestor = parent_id(ancestor)
    stored = Category.objects.filter(market=market, category_id__in=wanted)
    keys: dict[str, int] = dict(stored.values_list("category_id", "pk"))
    missing = wanted - keys.keys()
    while missing:
        level = sorted(x for x in missing if (parent := parent_id(x)) is None or parent in keys)
        Category.objects.bulk_create(
            Category(
                market_id=market.pk,
                category_id=category_id,
                name=category_id.rpartition(SEPARATOR)[2] or category_id,
                parent_id=keys.get(parent_id(category_id) or ""),
            )
            for category_id in level
        )
        rows = Category.objects.filter(market=market, category_id__in=level)
        keys.update(rows.values_list("category_id", "pk"))
        missing -= keys.keys()
    return keys
