"""What the database knows of some sales: their shoppers, their orders, what these went after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db.models import QuerySet

from depict_reco.analytics.models import Credit, Rollup
from depict_reco.catalog.models import Product
from depict_reco.events.models import Event, EventType

MAPPING = EventType.TRANSACTION_MAPPING.value
"""Type of the events that say which shopper an order belongs to."""

CLICK_TYPES = frozenset({EventType.CLICK.value, EventType.PAGE_VIEW.value})
"""With a recommendation id, they say that a shopper has opened what was recommended."""
TOUCH_TYPES = CLICK_TYPES | {EventType.ADD_TO_CART.value, EventType.PURCHASE.value}
ORDER_TYPES = frozenset({EventType.PURCHASE.value, EventType.RETURN.value})

_PER_QUERY = 400


class Row(NamedTuple):
    """As much of an event as counts."""

    pk: int
    market_pk: int
    type: str
    time: datetime
    session_id: str
    user_id: str
    dsid: str | None
    product_id: str
    sku: str
    quantity: int
    price: Decimal | None
    currency: str
    transaction_id: str
    recommendation_id: str

    @property
    def shopper_ids(self) -> set[str]:
        """The names that its shopper goes by; session, user and Depict's ids are of one kind."""
        return {name for name in (self.session_id, self.user_id, self.dsid) if name}

    @property
    def click_key(self) -> int:
        """What all clicks of one shopper on one display have in common, as a hash."""
        display = self.recommendation_id.replace("-", "").lower()
        return short_hash("click", display, self.session_id or self.dsid or self.user_id)

    @property
    def order_key(self) -> int:
        """What all events of one order have in common, as a hash."""
        if self.transaction_id:
            return short_hash("order", self.transaction_id)
        shopper = self.session_id or self.dsid or self.user_id
        if self.type == EventType.PURCHASE and shopper:
            return short_hash("visit", shopper, self.time.isoformat())
        return short_hash("event", str(self.pk))


COLUMNS = (
    "pk", "market_id", "type", "time", "session_id", "user_id", "dsid", "product_id", "sku",
    "quantity", "price", "currency", "transaction_id", "recommendation_id",
)  # fmt: skip


def rows_of(events: QuerySet[Event]) -> Iterator[Row]:
    """Read events as rows."""
    return map(Row._make, events.values_list(*COLUMNS))


def short_hash(*texts: str) -> int:
    """Return 64 bits for some texts, as a signed number that every database stores."""
    digest = blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mappings:
    """Which names belong together, as far as mapping events say so."""

    by_id: dict[str, set[str]]
    """Per name, those that a mapping names beside it."""
    by_order: dict[int, set[str]]
    """Per order, the names that its mappings give."""

    def names(self, ids: Iterable[str], *, order_key: int | None = None) -> set[str]:
        """Return all names of a shopper: the given ones, the order's, and one step further."""
        known = set(ids) | self.by_order.get(order_key or 0, set())
        return known.union(*(self.by_id.get(name, set()) for name in known))


class MarketEvidence:
    """Questions about the events of one market up to a primary key."""

    def __init__(
        self,
        rollup: Rollup,
        market_pk: int,
        *,
        upto: int,
        batch: Collection[Row],
        mappings: QuerySet[Credit],
    ) -> None:
        """``mappings`` are those of closed days, which are not among the rollup's own credits."""
        self._events = Event.objects.filter(market=market_pk, pk__lte=upto)
        self._credits = Credit.objects.filter(rollup=rollup, market=market_pk)
        self._market_pk = market_pk
        self._batch = {row.pk: row for row in batch}
        self._mappings = mappings
        own = self._credits.filter(kind=Credit.Kind.MAPPING)
        self.has_mappings = (
            any(row.type == MAPPING for row in batch) or own.exists() or mappings.exists()
        )

    def of_shoppers(
        self,
        names: Collection[str],
        *,
        types: Collection[str],
        start: datetime | None = None,
        end: datetime | None = None,
        recommended: bool = False,
    ) -> list[Row]:
        """Return the events of some types, in a span, of shoppers who go by any of these names."""
        events = self._events.filter(type__in=types)
        if start is not None:
            events = events.filter(time__gte=start)
        if end is not None:
            events = events.filter(time__lte=end)
        if recommended:
            events = events.exclude(recommendation_id="")
        found: dict[int, Row] = {}
        # not in one query: databases would not use the three indexes for that
        for column in ("session_id", "user_id", "dsid"):
            for some in chunks(names):
                matching = events.filter(**{f"{column}__in": some}).order_by()
                found |= {row.pk: row for row in rows_of(matching)}
        return list(found.values())

    def of_orders(self, keys: Collection[int]) -> dict[int, list[Row]]:
        """Return the lines, returns and mappings of orders."""
        kinds = (Credit.Kind.LINE, Credit.Kind.RETURN, Credit.Kind.MAPPING)
        pks: set[int] = set()
        for some in chunks(keys):
            found = self._credits.filter(kind__in=kinds, order_key__in=some)
            pks.update(found.values_list("event_pk", flat=True))
            closed = self._mappings.filter(order_key__in=some)
            pks.update(closed.values_list("event_pk", flat=True))
        rows = {
            pk: row
            for pk, row in self._batch.items()
            if (row.type in ORDER_TYPES or row.type == MAPPING) and row.order_key in keys
        }
        for some in chunks(pks - rows.keys()):
            rows |= {row.pk: row for row in rows_of(self._events.filter(pk__in=some).order_by())}
        orders: dict[int, list[Row]] = defaultdict(list)
        for row in rows.values():
            orders[row.order_key].append(row)
        return orders

    def mappings_of(self, names: Collection[str], orders: dict[int, list[Row]]) -> Mappings:
        """Return what mapping events say of some names and orders, and of who they lead to."""
        by_id: dict[str, set[str]] = defaultdict(set)
        by_order: dict[int, set[str]] = defaultdict(set)
        if not self.has_mappings:
            return Mappings(by_id=by_id, by_order=by_order)
        for key, rows in orders.items():
            for row in rows:
                if row.type == MAPPING:
                    by_order[key] |= row.shopper_ids
        for row in self.of_shoppers({*names}.union(*by_order.values()), types=[MAPPING]):
            for name in row.shopper_ids:
                by_id[name] |= row.shopper_ids
        return Mappings(by_id=by_id, by_order=by_order)

    def linked(self, names: Collection[str]) -> tuple[set[str], set[int]]:
        """Return the names and the orders that what happens to these names may bear upon."""
        if not self.has_mappings:
            return set(names), set()
        first = self.of_shoppers(names, types=[MAPPING])
        near = set(names).union(*(row.shopper_ids for row in first))
        second = self.of_shoppers(near, types=[MAPPING])
        return near, {row.order_key for row in (*first, *second) if row.transaction_id}

    def products_of(self, rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
        """Return product id and item group by each name that the catalogue knows."""
        names = {name for row in rows for name in (row.product_id, row.sku)} - {""}
        by_id: dict[str, tuple[str, str]] = {}
        by_sku: dict[str, tuple[str, str]] = {}
        for column, found in (("sku", by_sku), ("product_id", by_id)):
            for some in chunks(names):
                products = Product.objects.filter(
                    market=self._market_pk, **{f"{column}__in": some}
                ).order_by("-pk")  # of several with one SKU the first one counts
                for name, *rest in products.values_list(column, "product_id", "item_group_id"):
                    found[name] = (rest[0], rest[1])
        return by_sku | by_id


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Cut values into lists that every database takes as parameters of one query."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _PER_QUERY):
        yield ordered[start : start + _PER_QUERY]
