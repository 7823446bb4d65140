"""Everything that is stored of one shopper, event by event."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from depict_reco.events.digests import all_digests
from depict_reco.events.erasures import Erasure
from depict_reco.events.linking import ID_FIELDS, Shopper, clean_ids, linked
from depict_reco.events.models import Event
from depict_reco.tenants.models import Market, Tenant

_CHUNK = 1000
_FIELDS = (
    "type", "time", "session_id", "user_id", "dsid", "product_id", "sku", "quantity", "price",
    "currency", "transaction_id", "recommendation_id", "recommendation_type", "deduplication_id",
    "received_at",
)  # fmt: skip
_MEANING = ("type", "product_id", "position", "variant", "time")
COLUMNS = ("market", *_FIELDS, *(f"recommended_{name}" for name in _MEANING))
"""Columns of the CSV form."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula; ids are written by strangers."""

Explain = Callable[[list[str], Market], dict[str, dict[str, Any]]]
"""Takes recommendation ids of a market; returns what those that are ours stand for."""


def find_shopper(tenant: Tenant, ids: Iterable[str], *, with_linked: bool = False) -> Shopper:
    """Return by what a shopper is known; raises ShopperError for what can be no one's."""
    names = clean_ids(ids)
    return linked(tenant, names) if with_linked else Shopper(ids=names)


def events_of(tenant: Tenant, shopper: Shopper, *, explain: Explain) -> Iterator[dict[str, Any]]:
    """Yield what is stored of a shopper, market by market and id by id, each event once."""
    for market in Market.objects.filter(tenant=tenant).select_related("tenant").order_by("pk"):
        for rows in _chunks(market, shopper):
            named = [row["recommendation_id"] for row in rows if row["recommendation_id"]]
            meanings = explain(named, market) if named else {}
            for row in rows:
                recommended = meanings.get(row["recommendation_id"])
                yield {"market": market.slug, **_plain(row), "recommended": recommended}


def erasures_of(tenant: Tenant, shopper: Shopper) -> list[dict[str, Any]]:
    """Return the receipts that name a digest of one of the ids."""
    digests = {d for name in shopper.ids for d in all_digests(name, tenant_pk=tenant.pk)}
    receipts = Erasure.objects.filter(tenant=tenant).select_related("tenant").order_by("pk")
    return [one.receipt() for one in receipts.iterator() if not digests.isdisjoint(one.digests)]


def as_json(tenant: Tenant, shopper: Shopper, *, explain: Explain) -> Iterator[str]:
    """Yield one JSON object, piece by piece."""
    head = {"tenant": tenant.slug, "ids": shopper.ids, "orders": shopper.orders}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "events": ['
    separator = "\n"
    for event in events_of(tenant, shopper, explain=explain):
        yield separator + json.dumps(event, ensure_ascii=False)
        separator = ",\n"
    erasures = json.dumps(erasures_of(tenant, shopper), ensure_ascii=False)
    yield f'\n], "erasures": {erasures}}}\n'


def as_csv(tenant: Tenant, shopper: Shopper, *, explain: Explain) -> Iterator[str]:
    """Yield the events as lines of a table, for spreadsheets too.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events_of(tenant, shopper, explain=explain):
        recommended = event.pop("recommended") or {}
        event |= {f"recommended_{name}": recommended.get(name) for name in _MEANING}
        yield writer.writerow([harmless(event[name]) for name in COLUMNS])


class _Echo:
    """A file that returns what is written to it."""

    def write(self, text: str) -> str:
        return text


def _chunks(market: Market, shopper: Shopper) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in pieces; a row with several of the ids comes at the first of them."""
    events = Event.objects.filter(market=market)
    names = set(shopper.ids)
    for at, field in enumerate(ID_FIELDS):
        for name in shopper.ids:
            rows = events.filter(**{field: name}).order_by("time", "pk")
            yield from _pieces(rows, seen=partial(_in, names=names, fields=ID_FIELDS[:at]))
    for order in shopper.orders:
        rows = events.of_orders([order]).order_by("time", "pk")
        yield from _pieces(rows, seen=partial(_in, names=names, fields=ID_FIELDS))


def _in(row: dict[str, Any], *, names: set[str], fields: tuple[str, ...]) -> bool:
    return any(row[field] in names for field in fields)


def _pieces(rows: Any, *, seen: Callable[[dict[str, Any]], bool]) -> Iterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    for row in rows.values(*_FIELDS).iterator(chunk_size=_CHUNK):
        if not seen(row):
            piece.append(row)
        if len(piece) == _CHUNK:
            yield piece
            piece = []
    if piece:
        yield piece


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "time": row["time"].isoformat(),
        "received_at": row["received_at"].isoformat(),
        "price": None if row["price"] is None else str(row["price"]),
        "dsid": row["dsid"] or "",
    }


def harmless(value: Any) -> Any:
    """Return a cell of a table that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
