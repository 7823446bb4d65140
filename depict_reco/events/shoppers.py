"""What one shopper did last, for the recommendation that is being made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from depict_reco.catalog.records import text_problem
from depict_reco.events.models import Event, EventType

HISTORY_TYPES = (
    EventType.PAGE_VIEW,
    EventType.CLICK,
    EventType.ADD_TO_CART,
    EventType.PURCHASE,
    EventType.RETURN,
)
"""Events that say what a shopper wants; that something was on the screen does not."""


@dataclass(frozen=True, slots=True)
class ShopperEvent:
    """One thing that the shopper did with a product."""

    product_id: str
    sku: str
    type: str
    time: datetime


def recent_product_events(
    market_pk: int, shopper_ids: tuple[str, ...], limit: int
) -> list[ShopperEvent]:
    """Return the newest events of a shopper who is known by any of these ids, newest first.

    Each id is looked for among the session ids and among the user ids. One query, of one index
    probe per id and column, each of which reads at most ``limit`` events of the wanted types;
    none without ids.
    """
    ids = [name for name in dict.fromkeys(shopper_ids) if name and not text_problem(name)]
    if not ids or limit < 1:
        return []
    probe, parameters = _probe(), []
    probes = []
    for column in ("session_id", "user_id"):
        for name in ids:
            probes.append(probe.format(column=column))
            parameters += [market_pk, name, *HISTORY_TYPES, limit]
    events = Event.objects.raw(" UNION ".join(probes), parameters)
    newest = sorted(events, key=lambda event: (event.time, event.pk), reverse=True)[:limit]
    return [ShopperEvent(e.product_id, e.sku, e.type, e.time) for e in newest]


def _probe() -> str:
    # One ordered look-up per id: with IN or OR, databases read all of a shopper's events, or
    # walk through the whole market by time.
    table = Event._meta.db_table
    types = ", ".join(["%s"] * len(HISTORY_TYPES))
    columns = "id, product_id, sku, type, time"
    return (
        f"SELECT {columns} FROM (SELECT {columns} FROM {table} "  # noqa: S608 - no values
        f"WHERE market_id = %s AND {{column}} = %s AND type IN ({types}) "
        "AND (product_id <> '' OR sku <> '') ORDER BY time DESC, id DESC LIMIT %s) AS probe"
    )
