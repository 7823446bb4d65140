"""From tables to arrays: a market's products and the events of its window."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from depict_reco.catalog.models import Category, Product
from depict_reco.engine.content import ProductText
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.events.models import Event, EventType
from depict_reco.tenants.models import Market

SESSION_GAP = 30 * 60.0
"""Seconds of silence after which a shopper without session ids has begun another session."""

_CHUNK = 20_000

_ACTIONS = {
    EventType.PAGE_VIEW: Action.VIEW,
    EventType.CLICK: Action.VIEW,
    EventType.ADD_TO_CART: Action.CART,
    EventType.PURCHASE: Action.PURCHASE,
    EventType.RETURN: Action.RETURN,
}
"""Events that say what a shopper wants; that something was on the screen does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of a market: one per item group."""

    ids: list[str]
    """Item group ids; the place in the list is the item's number."""
    texts: list[ProductText]
    by_product_id: dict[str, int]
    by_sku: dict[str, int]

    def find(self, product_id: str, sku: str) -> int | None:
        """Return the item that an event is about; each of its two ids may be of either kind."""
        for name in (product_id, sku):
            if name:
                for index in (self.by_product_id, self.by_sku):
                    if (item := index.get(name)) is not None:
                        return item
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What a training learns from."""

    items: Items
    interactions: Interactions
    n_unknown: int
    """Events left out because the catalogue does not have their product."""
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


def read_dataset(
    market: Market, *, window_days: int, progress: Callable[[int, int], None]
) -> Dataset:
    """Read the newest ``window_days`` days of a market, back from its newest event.

    ``progress`` is called with the number of events read and of all there are to read.
    """
    items = read_items(market)
    events = Event.objects.filter(market=market)
    newest = events.order_by("-time").values_list("time", flat=True).first()
    start = newest - timedelta(days=window_days) if newest else None
    wanted = events.in_window(start).filter(type__in=list(_ACTIONS))
    reader = _EventReader(items)
    total = wanted.count()
    for done, row in enumerate(_rows(wanted)):
        reader.add(*row)
        if done % _CHUNK == 0:
            progress(done, total)
    progress(total, total)
    interactions = reader.interactions()
    window = None
    if len(interactions) and newest is not None:
        first, last = interactions.times[0], interactions.times[-1]
        window = (
            datetime.fromtimestamp(first, tz=newest.tzinfo),
            datetime.fromtimestamp(last, tz=newest.tzinfo),
        )
    return Dataset(
        items=items, interactions=interactions, n_unknown=reader.n_unknown, window=window
    )


def _rows(events: object) -> Iterator[tuple[str, datetime, str, str, str, str, str]]:
    columns = ("type", "time", "session_id", "user_id", "product_id", "sku", "transaction_id")
    yield from events.values_list(*columns).iterator(chunk_size=_CHUNK)  # type: ignore[attr-defined]


class _EventReader:
    """Turns rows, which come in time order, into the columns of Interactions."""

    def __init__(self, items: Items) -> None:
        self._items = items
        # item, action, session, basket, shopper, time
        self._columns: tuple[array[Any], ...] = tuple(array(code) for code in "ibiiid")
        self._sessions: dict[str, int] = {}
        self._baskets: dict[str, int] = {}
        self._shoppers: dict[str, int] = {}
        self._latest: dict[int, tuple[float, int]] = {}
        self._n_sessions = 0
        self.n_unknown = 0

    def add(
        self,
        type_: str,
        time: datetime,
        session_id: str,
        user_id: str,
        product_id: str,
        sku: str,
        transaction_id: str,
    ) -> None:
        item = self._items.find(product_id, sku)
        if item is None:
            self.n_unknown += 1
            return
        seconds = time.timestamp()
        shopper = _number(self._shoppers, user_id) if user_id else -1
        action = _ACTIONS[EventType(type_)]
        basket = -1
        if action == Action.PURCHASE and (transaction_id or session_id):
            # without an order's number, what was bought in one session was one order
            key = f"t{transaction_id}" if transaction_id else f"s{session_id}"
            basket = _number(self._baskets, key)
        session = self._session(session_id, transaction_id, shopper, seconds)
        row = (item, action, session, basket, shopper, seconds)
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def _session(self, session_id: str, transaction_id: str, shopper: int, seconds: float) -> int:
        """Return the session's number: by its id, else the order's, else the shopper's pauses."""
        if session_id or transaction_id:
            key = f"s{session_id}" if session_id else f"t{transaction_id}"
            if key not in self._sessions:
                self._sessions[key] = self._n_sessions
                self._n_sessions += 1
            return self._sessions[key]
        if shopper < 0:
            return -1
        latest, session = self._latest.get(shopper, (float("-inf"), -1))
        if seconds - latest > SESSION_GAP:
            session = self._n_sessions
            self._n_sessions += 1
        self._latest[shopper] = (seconds, session)
        return session

    def interactions(self) -> Interactions:
        items, actions, sessions, baskets, shoppers, times = self._columns
        return Interactions(
            items=np.array(items, dtype=np.int32),
            actions=np.array(actions, dtype=np.int8),
            sessions=np.array(sessions, dtype=np.int32),
            baskets=np.array(baskets, dtype=np.int32),
            shoppers=np.array(shoppers, dtype=np.int32),
            times=np.array(times, dtype=np.float64),
            n_items=len(self._items.ids),
        )


def _number(numbers: dict[str, int], key: str) -> int:
    return numbers.setdefault(key, len(numbers))


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
