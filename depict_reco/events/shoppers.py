"""What one shopper did last, for the recommendation that is being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.models.expressions import Col

from depict_reco.catalog.records import text_problem
from depict_reco.events.models import Event, EventType
from depict_reco.events.records import stored_id

HISTORY_TYPES = (
    EventType.PAGE_VIEW,
    EventType.CLICK,
    EventType.ADD_TO_CART,
    EventType.PURCHASE,
    EventType.RETURN,
)
"""Events that say what a shopper wants; that something was on the screen does not."""


BOUGHT_TYPES = (EventType.PURCHASE, EventType.RETURN)
"""Events that say what a shopper has; reco_event_bought_idx holds these only."""


_COLUMNS = "product_id, sku, type, time, quantity, id"


class Dealt(NamedTuple):
    """A product that the shopper dealt with, by either of its names."""

    product_id: str
    sku: str


@dataclass(frozen=True, slots=True)
class ShopperEvent:
    """One thing that the shopper did with a product."""

    product_id: str
    sku: str
    type: str
    time: datetime
    quantity: int


def recent_products(market_pk: int, shopper_ids: tuple[str, ...], limit: int) -> list[Dealt]:
    """Return the products of the newest events of a shopper, newest first.

    The shopper is known by any of these ids: each is looked for among the session ids and among
    the user ids. One query, of one index probe per id and column, each of which reads at most
    ``limit`` events of the wanted types; none without ids.
    """
    ids = _ids(shopper_ids)
    if not ids or limit < 1:
        return []
    probes, parameters = _of_all_kinds(market_pk, ids, limit)
    rows = _rows(("product_id", "sku"), probes, parameters, limit, distinct=True)
    return list(map(Dealt._make, rows))


def recent_product_events(
    market_pk: int, shopper_ids: tuple[str, ...], limit: int, *, purchases: int
) -> list[ShopperEvent]:
    """Return the newest events of a shopper, newest first, and many purchases.

    As ``recent_products``; up to ``purchases`` purchases and returns of each id follow, however
    old, where it is a user id: session ids do not last that long.
    """
    ids = _ids(shopper_ids)
    if not ids or limit < 1:
        return []
    probes, parameters = _of_all_kinds(market_pk, ids, limit)
    for name in ids:
        probes.append(_probe("user_id", BOUGHT_TYPES, purchases))
        parameters += [market_pk, name]
    columns = ("product_id", "sku", "type", "time", "quantity")
    rows = _rows(columns, probes, parameters, limit + purchases, distinct=False)
    convert = _converter(router.db_for_read(Event))
    return [
        ShopperEvent(product_id, sku, type_, convert(time), quantity)
        for product_id, sku, type_, time, quantity in rows
    ]


def _ids(shopper_ids: tuple[str, ...]) -> list[str]:
    given = [name for name in shopper_ids if name and not text_problem(name)]
    return list(dict.fromkeys(map(stored_id, given)))


def _of_all_kinds(market_pk: int, ids: list[str], limit: int) -> tuple[list[str], list[int | str]]:
    """Return the probes for what a shopper did, and their parameters; none finds what others do."""
    by_session = _probe("session_id", HISTORY_TYPES, limit)
    by_user = _probe("user_id", HISTORY_TYPES, limit, sessions=len(ids))
    parameters: list[int | str] = []
    for name in ids:
        parameters += [market_pk, name]
    for name in ids:
        parameters += [market_pk, name, *ids]
    return [by_session] * len(ids) + [by_user] * len(ids), parameters


def _rows(
    columns: tuple[str, ...],
    probes: list[str],
    parameters: list[int | str],
    limit: int,
    *,
    distinct: bool,
) -> list[tuple[Any, ...]]:
    """Return what probes find, newest first; ``distinct`` says that no two find the same."""
    with connections[router.db_for_read(Event)].cursor() as cursor:
        # not through the ORM, which would take longer to put the words together than the database
        # takes to find the rows; and each column that is not read is one not to be converted
        cursor.execute(_question(columns, tuple(probes), limit, distinct), parameters)
        return cursor.fetchall()


@lru_cache(maxsize=64)
def _question(columns: tuple[str, ...], probes: tuple[str, ...], limit: int, distinct: bool) -> str:
    # an event that several probes find is one row, by its id; where none does, rows are merged in
    # the order in which the indexes have them
    union = " UNION ALL " if distinct else " UNION "
    return (
        f"SELECT {', '.join(columns)} FROM ({union.join(probes)}) AS found "  # noqa: S608
        f"ORDER BY time DESC, id DESC LIMIT {limit:d}"
    )


@cache
def _converter(alias: str) -> Callable[[Any], datetime]:
    """Return what makes a time of what this database gives for one."""
    connection = connections[alias]
    column = Col(Event._meta.db_table, Event._meta.get_field("time"))
    converters = connection.ops.get_db_converters(column)

    def convert(value: Any) -> datetime:
        for converter in converters:
            value = converter(value, column, connection)
        time: datetime = value
        return time

    return convert


@lru_cache(maxsize=64)
def _probe(column: str, wanted: tuple[EventType, ...], limit: int, *, sessions: int = 0) -> str:
    """Return the look-up of the newest events of an id, less those of so many sessions."""
    # One ordered look-up per id: with IN or OR, databases read all of a shopper's events, or
    # walk through the whole market by time.
    types = ", ".join(f"'{name.value}'" for name in wanted)
    elsewhere = f"AND session_id NOT IN ({', '.join(['%s'] * sessions)}) " if sessions else ""
    return (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM {Event._meta.db_table} "  # noqa: S608 - no values
        f"WHERE market_id = %s AND {column} = %s {elsewhere}AND type IN ({types}) "
        f"AND (product_id <> '' OR sku <> '') ORDER BY time DESC, id DESC LIMIT {limit:d}) AS probe"
    )
