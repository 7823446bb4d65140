"""From tables to arrays: a market's products and the events of its window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import QuerySet

from depict_reco.catalog.models import Category, Product
from depict_reco.engine.content import ProductText
from depict_reco.engine.interactions import Interactions
from depict_reco.events.models import Event
from depict_reco.tenants.models import Market
from depict_reco.training.cleaning import DAY
from depict_reco.training.history import ACTIONS, COLUMNS, HistoryReader

_CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of a market: one per item group."""

    ids: list[str]
    """Item group ids; the place in the list is the item's number."""
    texts: list[ProductText]
    by_product_id: dict[str, int]
    by_sku: dict[str, int]

    def by_name(self) -> dict[str, int]:
        """Return the items by product id or SKU: shops mix them up. A product id goes first."""
        names = {**self.by_sku, **self.by_product_id}
        names.pop("", None)
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The events that a training reads."""

    events: QuerySet[Event]
    """Oldest first."""
    oldest: datetime | None
    newest: datetime | None
    """The times of the first event and of the newest one of the market; None without events."""
    count: int

    def days(self) -> float:
        """Return how many days the events span, however long the window is."""
        if self.oldest is None or self.newest is None:
            return 0.0
        return (self.newest - self.oldest).total_seconds() / DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What a training learns from."""

    items: Items
    interactions: Interactions
    n_unknown: int
    """Events left out because the catalogue does not have their product."""
    n_runaway: int
    """Views and carts left out because no person does so much in a day."""
    window: tuple[datetime, datetime] | None
    """Time of the first and the last event; None without events."""


def read_items(market: Market) -> Items:
    """Read the products of a market, inactive ones too: they may come back."""
    names, members = _categories(market)
    ids: dict[str, int] = {}
    texts: list[ProductText] = []
    by_product_id: dict[str, int] = {}
    by_sku: dict[str, int] = {}
    rows = (
        Product.objects.filter(market=market)
        .order_by("pk")
        .values_list(
            "pk", "product_id", "sku", "item_group_id", "title", "brand", "attributes",
            "description",
        )
        .iterator(chunk_size=_CHUNK)
    )  # fmt: skip
    for pk, product_id, sku, group_id, title, brand, attributes, description in rows:
        item = ids.setdefault(group_id or product_id, len(ids))
        if item == len(texts):
            texts.append(
                ProductText(
                    title=title,
                    brand=brand,
                    categories=tuple(names[category] for category in members.get(pk, ())),
                    attributes={
                        name: str(value)
                        for name, value in attributes.items()
                        if isinstance(value, str | int | float | bool)
                    },
                    description=description,
                )
            )
        by_product_id[product_id] = item
        if sku:
            by_sku.setdefault(sku, item)
    for group_id, item in ids.items():
        by_product_id.setdefault(group_id, item)
    return Items(ids=list(ids), texts=texts, by_product_id=by_product_id, by_sku=by_sku)


def read_dataset(window: Window, *, items: Items, progress: Callable[[int, int], None]) -> Dataset:
    """Read the events of a window.

    ``progress`` is called with the number of events read and of all there are to read.
    """
    reader = HistoryReader(items.by_name(), n_items=len(items.ids))
    done, newest = 0, window.newest
    rows = window.events.values_list(*COLUMNS).iterator(chunk_size=_CHUNK)
    while block := list(islice(rows, _CHUNK)):
        progress(done, window.count)
        reader.add(block)
        done += len(block)
    progress(window.count, window.count)
    history = reader.history()
    interactions = history.interactions
    span = None
    if len(interactions) and newest is not None:
        first, last = interactions.times[0], interactions.times[-1]
        span = (
            datetime.fromtimestamp(first, tz=newest.tzinfo),
            datetime.fromtimestamp(last, tz=newest.tzinfo),
        )
    return Dataset(
        items=items,
        interactions=interactions,
        n_unknown=history.n_unknown,
        n_runaway=history.n_runaway,
        window=span,
    )


def open_window(market: Market, *, days: int) -> Window:
    """Return the events of the newest ``days`` days of a market, back from its newest event."""
    events = Event.objects.filter(market=market)
    newest = events.order_by("-time").values_list("time", flat=True).first()
    start = newest - timedelta(days=days) if newest else None
    wanted = events.in_window(start).filter(type__in=list(ACTIONS))
    oldest = wanted.values_list("time", flat=True).first()
    return Window(events=wanted, oldest=oldest, newest=newest, count=wanted.count())


def _categories(market: Market) -> tuple[dict[int, str], dict[int, list[int]]]:
    """Return category ids by primary key, and each product's categories with their ancestors."""
    rows = Category.objects.filter(market=market).values_list("pk", "category_id", "parent_id")
    names: dict[int, str] = {}
    parents: dict[int, int | None] = {}
    for pk, category_id, parent in rows:
        names[pk], parents[pk] = category_id, parent
    members: dict[int, list[int]] = {}
    links = Product.categories.through.objects.filter(product__market=market)
    for product, category in links.values_list("product_id", "category_id").iterator(
        chunk_size=_CHUNK
    ):
        line = members.setdefault(product, [])
        step: int | None = category
        while step is not None and step in names and step not in line:
            line.append(step)
            step = parents[step]
    return names, members
