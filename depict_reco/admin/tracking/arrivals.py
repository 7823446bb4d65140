"""The last events of a market as lines of a table, and those that came since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from depict_reco.admin import links
from depict_reco.admin.tracking.recommendations import Origin, Shown, read_ids
from depict_reco.models import Event, Market, Product, RecommendationType

SHOWN = 50
_LATE = 200
"""Keys before the last one that may have been committed after it."""
_LATE_WITHIN = timedelta(seconds=30)
_LOOKED_THROUGH = 20_000
"""Newest events of all markets among which those of one are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event as the page shows it."""

    event: Event
    product: Any
    """A link to the product, or its name where the catalogue has none."""
    product_known: bool
    shown: Shown | None
    type_url: str
    problem: str
    """Why the recommendation id counts for nothing; empty: it counts."""
    shopper_url: str


def newest(market: Market) -> list[Arrival]:
    """Return the last events by the time at which they happened, newest first; five queries."""
    events = Event.objects.filter(market=market).order_by("-time", "-pk")
    return _arrivals(list(events[:SHOWN]), market)


def since(market: Market, *, after: int, now: datetime) -> list[Arrival]:
    """Return what came after the event with a primary key, the last first.

    A few may be known already: keys are given before they are committed.
    """
    first = max(after - _LATE, last_key() - _LOOKED_THROUGH)
    events = Event.objects.filter(market=market, pk__gt=first).exclude(
        pk__lte=after, received_at__lt=now - _LATE_WITHIN
    )
    return _arrivals(list(events.order_by("-pk")[:SHOWN]), market)


def last_key() -> int:
    """Return the primary key of the newest event of all."""
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _arrivals(events: list[Event], market: Market) -> list[Arrival]:
    shown = read_ids({one.recommendation_id for one in events} - {""}, market=market)
    products = _products(events, market)
    return [
        _arrival(event, shown.get(event.recommendation_id), products.get(_name(event)))
        for event in events
    ]


def _arrival(event: Event, shown: Shown | None, product: Product | None) -> Arrival:
    if product is None and shown and not _name(event):
        product = shown.product  # a click names only what was clicked
    known = shown is not None and shown.type_name != ""
    return Arrival(
        event=event,
        product=links.link(links.page_url(product), product.title) if product else _name(event),
        product_known=product is not None,
        shown=shown,
        type_url=links.page_url(RecommendationType(pk=shown.type_pk)) if shown and known else "",
        problem=_problem(shown),
        shopper_url=links.list_url(Event, q=event.user_id or event.session_id),
    )


def _name(event: Event) -> str:
    return event.product_id or event.sku


def _products(events: Iterable[Event], market: Market) -> dict[str, Product]:
    """Return the products that events name, by that name; ids before SKUs."""
    names = {_name(event) for event in events} - {""}
    if not names:
        return {}
    rows = Product.objects.filter(market=market).only("product_id", "sku", "title").order_by()
    by_sku = {row.sku: row for row in rows.filter(sku__in=names)}
    return by_sku | {row.product_id: row for row in rows.with_ids(names)}


def _problem(shown: Shown | None) -> str:
    if shown is None or shown.origin == Origin.OURS:
        return ""
    return {
        Origin.UNREADABLE: _("not a genuine recommendation id"),
        Origin.OTHER_TENANT: _("the recommendation id is another tenant's"),
        Origin.OTHER_MARKET: _("the recommendation id is another market's"),
        Origin.GONE: _("its type and its product are both deleted"),
    }[shown.origin]
