"""The one way by which events get into the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from depict_reco.catalog.models import Product
from depict_reco.events.models import Event
from depict_reco.events.records import NewEvent, derived_deduplication_id

_NAMES_PER_QUERY = 10_000
_FIELDS = (
    "tenant", "market", "type", "time", "session_id", "user_id", "product_id", "sku", "quantity",
    "price", "currency", "transaction_id", "recommendation_id", "deduplication_id", "received_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of a batch of events."""

    stored: int
    duplicates: int
    """Events that were stored before, or twice in the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProducts:
    """Which of the products that some events name are in the catalogue."""

    ids: frozenset[str]
    by_sku: dict[str, str]
    """Product ids by SKU."""

    def knows(self, event: NewEvent) -> bool:
        """Whether the catalogue has the event's product, by whichever of its ids."""
        return any(
            name in self.ids or name in self.by_sku
            for name in (event.product_id, event.sku)
            if name
        )

    def product_id(self, event: NewEvent) -> str:
        """The event's own product id, else that of the product with its SKU, if there is one."""
        return event.product_id or self.by_sku.get(event.sku, "")


NO_KNOWN_PRODUCTS = KnownProducts(ids=frozenset(), by_sku={})


def known_products(market_pk: int, events: Iterable[NewEvent]) -> KnownProducts:
    """Look up the products of a batch of events, with one query."""
    names = sorted({name for event in events for name in (event.product_id, event.sku) if name})
    ids: set[str] = set()
    by_sku: dict[str, str] = {}
    for start in range(0, len(names), _NAMES_PER_QUERY):
        some = names[start : start + _NAMES_PER_QUERY]
        products = Product.objects.filter(
            Q(product_id__in=some) | Q(sku__in=some), market_id=market_pk
        )
        for product_id, sku in products.order_by("pk").values_list("product_id", "sku"):
            ids.add(product_id)
            if sku:
                by_sku.setdefault(sku, product_id)
    return KnownProducts(ids=frozenset(ids), by_sku=by_sku)


def ingest(
    events: Sequence[NewEvent],
    *,
    tenant_pk: int,
    market_pk: int,
    products: KnownProducts = NO_KNOWN_PRODUCTS,
    received_at: datetime | None = None,
) -> Ingested:
    """Store the events of a market that are not stored yet, all or none, with one statement.

    Events with the same deduplication id are one event, however often and from how many
    processes they come. An event that names only a SKU gets the id of its product out of
    ``products``.
    """
    if not events:
        return Ingested(stored=0, duplicates=0)
    using = router.db_for_write(Event)
    received = received_at or timezone.now()
    columns: list[Sequence[Any]] = [
        [tenant_pk] * len(events),
        [market_pk] * len(events),
        [event.type for event in events],
        [event.time for event in events],
        [event.session_id for event in events],
        [event.user_id for event in events],
        [products.product_id(event) for event in events],
        [event.sku for event in events],
        [event.quantity for event in events],
        [event.price for event in events],
        [event.currency for event in events],
        [event.transaction_id for event in events],
        [event.recommendation_id for event in events],
        [event.deduplication_id or derived_deduplication_id(event) for event in events],
        [received] * len(events),
    ]
    with transaction.atomic(using=using):
        stored = _insert(connections[using], columns)
    return Ingested(stored=stored, duplicates=len(events) - stored)


def _insert(connection: BaseDatabaseWrapper, columns: list[Sequence[Any]]) -> int:
    """Insert rows that conflict with no stored one, and return how many these were.

    bulk_create() could do it, but it does not say how many rows it stored, and making model
    instances takes longer than storing them.
    """
    fields = [cast("Field[Any, Any]", Event._meta.get_field(name)) for name in _FIELDS]
    operations = connection.ops
    names = ", ".join(operations.quote_name(field.column or "") for field in fields)
    beginning = operations.insert_statement(on_conflict=OnConflict.IGNORE)
    end = operations.on_conflict_suffix_sql(fields, OnConflict.IGNORE, [], [])
    into = f"{beginning} {operations.quote_name(Event._meta.db_table)} ({names})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A JSON list per column: faster than a parameter per value by half.
            types = [(field.db_type(connection) or "").split("(")[0] for field in fields]
            lists = ", ".join(
                f"ARRAY(SELECT json_array_elements_text(%s))::{name}[]" for name in types
            )
            parameters = [json.dumps(column, default=str, ensure_ascii=False) for column in columns]
            cursor.execute(f"{into} SELECT * FROM unnest({lists}) {end}", parameters)  # noqa: S608
        else:
            marks = ", ".join(["%s"] * len(fields))
            prepared = [
                _prepared(field, column, connection)
                for field, column in zip(fields, columns, strict=True)
            ]
            cursor.executemany(f"{into} VALUES ({marks}) {end}", list(zip(*prepared, strict=True)))
        return int(cursor.rowcount)


def _prepared(
    field: Field[Any, Any], column: Sequence[Any], connection: BaseDatabaseWrapper
) -> list[Any]:
    """Return values as the database driver takes them; equal ones are converted once."""
    converted = {value: field.get_db_prep_save(value, connection) for value in set(column)}
    return [converted[value] for value in column]
