"""What one shopper did last, for the recommendation that is being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

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


@dataclass(frozen=True, slots=True)
class ShopperEvent:
    """One thing that the shopper did with a product."""

    product_id: str
    sku: str
    type: str
    time: datetime
    quantity: int


def recent_product_events(
    market_pk: int, shopper_ids: tuple[str, ...], limit: int, *, purchases: int = 0
) -> list[ShopperEvent]:
    """Return the newest events of a shopper who is known by any of these ids, newest first.

    Each id is looked for among the session ids and among the user ids. One query, of one index
    probe per id and column, each of which reads at most ``limit`` events of the wanted types;
    none without ids. Up to ``purchases`` purchases and returns of each id follow, however old,
    where it is a user id: session ids do not last that long.
    """
    given = [name for name in shopper_ids if name and not text_problem(name)]
    ids = list(dict.fromkeys(map(stored_id, given)))
    if not ids or limit < 1:
        return []
    probes: list[str] = []
    parameters: list[int | str] = []
    for column in ("session_id", "user_id"):
        for name in ids:
            probes.append(_probe(column, HISTORY_TYPES))
            parameters += [market_pk, name, limit]
    for name in ids if purchases else ():
        probes.append(_probe("user_id", BOUGHT_TYPES))
        parameters += [market_pk, name, purchases]
    connection = connections[router.db_for_read(Event)]
    with connection.cursor() as cursor:
        # not through the ORM, which would take longer to put the words together than the database
        # takes to find the rows
        cursor.execute(_question(tuple(probes)), [*parameters, limit + purchases])
        rows = cursor.fetchall()
    convert = _converter(connection.alias)
    return [
        ShopperEvent(product_id, sku, type_, convert(time), quantity)
        for product_id, sku, type_, time, quantity, _ in rows
    ]


@lru_cache(maxsize=64)
def _question(probes: tuple[str, ...]) -> str:
    return (
        # an event that several probes find is one row, by its id
        f"{' UNION '.join(probes)} ORDER BY time DESC, id DESC LIMIT %s"
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


@cache
def _probe(column: str, wanted: tuple[EventType, ...]) -> str:
    # One ordered look-up per id: with IN or OR, databases read all of a shopper's events, or
    # walk through the whole market by time.
    types = ", ".join(f"'{name.value}'" for name in wanted)
    return (
        f"SELECT * FROM (SELECT {_COLUMNS} FROM {Event._meta.db_table} "  # noqa: S608 - no values
        f"WHERE market_id = %s AND {column} = %s AND type IN ({types}) "
        "AND (product_id <> '' OR sku <> '') ORDER BY time DESC, id DESC LIMIT %s) AS probe"
    )
