"""Which ids are one person's: those that stand together in an event, or in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from depict_reco.catalog.records import text_problem
from depict_reco.events.models import Event
from depict_reco.events.records import NO_SESSIONS, stored_id
from depict_reco.exceptions import ShopperError
from depict_reco.tenants.models import Market, Tenant

MOST_LINKED = 1000
"""Ids, and orders, beyond which they cannot be those of one person."""

_AT_ONCE = 200
"""Names in one query: SQLite bounds the number of parameters."""

ID_FIELDS = ("session_id", "user_id", "dsid")
"""Where the ids of a shopper stand in an event, whichever kind a client takes them for."""

Beat = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """By what a person is known."""

    ids: tuple[str, ...]
    """Session and user ids alike: clients send one as the other. The given ones first."""
    orders: tuple[str, ...] = ()
    """Orders of linked ids, whose lines may name nobody."""


def clean_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct ids of a shopper, as events have them.

    Raises ShopperError for what can be no one's.
    """
    found = tuple(dict.fromkeys(stored_id(name.strip()) for name in ids if name.strip()))
    if not found:
        raise ShopperError("Name at least one session or user id.")
    for name in found:
        if name in NO_SESSIONS:
            raise ShopperError(f"{name!r} stands for no one: clients send it where nobody is.")
        if text_problem(name):
            raise ShopperError(f"{name[:40]!r} cannot be an id: no event can have it.")
    return found


def linked(tenant: Tenant, ids: tuple[str, ...], *, beat: Beat = lambda: None) -> Shopper:
    """Return a shopper with all ids that stand beside a known one, in any market of the tenant.

    Ids are linked by an event that has both, and by an order that events of both name: the
    event ``transaction_mapping`` exists to say so. Raises ShopperError for more than
    MOST_LINKED, as with a user id that a shop gives to all of its guests.
    """
    names, orders = dict.fromkeys(ids), dict[str, None]()
    new_names, new_orders = list(names), list[str]()
    markets = list(Market.objects.filter(tenant=tenant).order_by("pk"))
    while new_names or new_orders:
        found_names: dict[str, None] = {}
        found_orders: dict[str, None] = {}
        for market in markets:
            for order, *ids_of_row in _beside(market, new_names, new_orders):
                found_names |= dict.fromkeys(name for name in ids_of_row if name)
                if order:
                    found_orders[order] = None
            beat()
        new_names = [name for name in found_names if name not in names | dict.fromkeys(NO_SESSIONS)]
        new_orders = [order for order in found_orders if order not in orders]
        names |= dict.fromkeys(new_names)
        orders |= dict.fromkeys(new_orders)
        if max(len(names), len(orders)) > MOST_LINKED:
            raise ShopperError(
                f"More than {MOST_LINKED:,} ids or orders are linked: they cannot be those of one "
                "person. Name the ids themselves, without the linked ones."
            )
    return Shopper(ids=tuple(names), orders=tuple(orders))


def _beside(market: Market, names: list[str], orders: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the distinct tuples of order and ids that hold one of the given."""
    events = Event.objects.filter(market=market).order_by()
    columns = ("transaction_id", *ID_FIELDS)
    for field in ID_FIELDS:
        for start in range(0, len(names), _AT_ONCE):
            rows = events.filter(**{f"{field}__in": names[start : start + _AT_ONCE]})
            yield from rows.values_list(*columns).distinct()
    for start in range(0, len(orders), _AT_ONCE):
        rows = events.of_orders(orders[start : start + _AT_ONCE])
        yield from rows.values_list(*columns).distinct()
