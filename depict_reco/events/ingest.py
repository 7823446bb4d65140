"""The one way by which events get into the database."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, cast

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from depict_reco.catalog.models import Product
from depict_reco.events.admitting import admit
from depict_reco.events.consent import Consent
from depict_reco.events.models import Event
from depict_reco.events.records import NewEvent, derived_deduplication_id
from depict_reco.events.transactions import patient

_NAMES_PER_QUERY = 10_000
_NAMES_REMEMBERED = 100_000
_FEW = 3
"""Up to so many rows, PostgreSQL plans a parameter per value sooner than a list per column."""
_VARYING = (
    "type", "time", "session_id", "user_id", "product_id", "sku", "quantity", "price", "currency",
    "transaction_id", "recommendation_id", "deduplication_id", "dsid", "recommendation_type",
)  # fmt: skip
_SHARED = ("tenant", "market", "received_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of a batch of events."""

    stored: int
    duplicates: int
    """Events that were stored before, or twice in the batch."""
    erased: int = 0
    """Events of a shopper who was erased since they happened."""
    anonymous: int = 0
    """Events, of those stored before too, whose session and user were left out."""


class ProductNames:
    """Which names in events are products of a market's catalogue, remembered for a while."""

    def __init__(self, market_pk: int) -> None:
        self._market_pk = market_pk
        self._asked: set[str] = set()
        self._ids: set[str] = set()
        self._by_sku: dict[str, str] = {}

    def look_up(self, events: Iterable[NewEvent]) -> None:
        """Ask the catalogue for the names in some events that were not asked for yet."""
        if len(self._asked) > _NAMES_REMEMBERED:
            self._asked, self._ids, self._by_sku = set(), set(), {}
        given = {name for event in events for name in (event.product_id, event.sku)} - {""}
        names = sorted(given - self._asked)
        for start in range(0, len(names), _NAMES_PER_QUERY):
            some = names[start : start + _NAMES_PER_QUERY]
            products = Product.objects.filter(
                Q(product_id__in=some) | Q(sku__in=some), market_id=self._market_pk
            )
            for product_id, sku in products.order_by("pk").values_list("product_id", "sku"):
                self._ids.add(product_id)
                if sku:
                    self._by_sku.setdefault(sku, product_id)
        self._asked.update(names)

    def know(self, event: NewEvent) -> bool:
        """Whether the catalogue has the event's product, by whichever of its ids."""
        names = (event.product_id, event.sku)
        return any(name in self._ids or name in self._by_sku for name in names if name)

    def product_id(self, event: NewEvent) -> str:
        """The event's own product id, else that of the product with its SKU, if there is one."""
        return event.product_id or self._by_sku.get(event.sku, "")


def ingest(
    events: Sequence[NewEvent],
    *,
    tenant_pk: int,
    market_pk: int,
    products: ProductNames | None = None,
    received_at: datetime | None = None,
    consent: Consent = Consent.UNKNOWN,
    patience: float | None = None,
) -> Ingested:
    """Store the events of a market that are not stored yet, all or none, with one statement.

    Events with the same deduplication id are one event, however often and from how many
    processes they come. An event that names only a SKU gets the id of its product, if
    ``products`` has looked it up. Whether the shopper's ids are stored is decided here, by
    ``consent`` and by ``events.admitting``. ``patience`` is how many seconds PostgreSQL may take,
    outside of a transaction (see ``events.transactions``); OperationalError is raised then, and
    nothing is stored.
    """
    if not events:
        return Ingested(stored=0, duplicates=0)
    admitted = admit(events, tenant_pk=tenant_pk, consent=consent)
    events = admitted.events
    counts = {"erased": admitted.erased, "anonymous": admitted.anonymous}
    if not events:
        return Ingested(stored=0, duplicates=0, **counts)
    using = router.db_for_write(Event)
    product_id = products.product_id if products else attrgetter("product_id")
    varying: list[list[Any]] = [
        [event.type for event in events],
        [event.time for event in events],
        [event.session_id for event in events],
        [event.user_id for event in events],
        [product_id(event) for event in events],
        [event.sku for event in events],
        [event.quantity for event in events],
        [event.price for event in events],
        [event.currency for event in events],
        [event.transaction_id for event in events],
        [event.recommendation_id for event in events],
        [event.deduplication_id or derived_deduplication_id(event) for event in events],
        [event.dsid for event in events],
        [event.recommendation_type for event in events],
    ]
    shared = [tenant_pk, market_pk, received_at or timezone.now()]
    connection = connections[using]
    if _commits_by_itself(connection):
        stored = _insert(connection, varying, shared, patience=patience)
    elif connection.vendor == "postgresql" and connection.in_atomic_block:
        stored = _insert(connection, varying, shared)  # one statement, of the caller's transaction
    else:
        with patient(using=using, seconds=patience):
            stored = _insert(connection, varying, shared)
    return Ingested(stored=stored, duplicates=len(events) - stored, **counts)


def _commits_by_itself(connection: BaseDatabaseWrapper) -> bool:
    """Whether a statement alone will do: it is atomic, and saves the database two questions."""
    return (
        connection.vendor == "postgresql"
        and not connection.in_atomic_block
        and connection.get_autocommit()
        # cannot take two statements at once, which patience needs
        and not connection.settings_dict["OPTIONS"].get("server_side_binding")
    )


def _insert(
    connection: BaseDatabaseWrapper,
    varying: list[list[Any]],
    shared: list[Any],
    *,
    patience: float | None = None,
) -> int:
    """Insert rows that conflict with no stored one, and return how many these were.

    ``varying`` are the columns that differ between rows, ``shared`` the values of the others.
    bulk_create() could do it, but it does not say how many rows it stored, and making model
    instances takes longer than storing them.
    """
    columns = _columns(connection.alias)
    fields = columns.fields
    values = [
        field.get_db_prep_save(value, connection)
        for field, value in zip(fields[len(varying) :], shared, strict=True)
    ]
    limit = f"SET LOCAL statement_timeout = {patience * 1000:.0f}; " if patience else ""
    into, end = f"{limit}{columns.into}", columns.end
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(varying[0]) > _FEW:
            # A JSON list per column: faster than a parameter per value by half.
            parameters = [json.dumps(_texts(column), ensure_ascii=False) for column in varying]
            cursor.execute(f"{into} {columns.from_lists} {end}", [*values, *parameters])
        elif connection.vendor == "postgresql":
            rows = [(*row, *values) for row in zip(*varying, strict=True)]
            marks = ", ".join([columns.row] * len(rows))
            cursor.execute(f"{into} VALUES {marks} {end}", list(chain.from_iterable(rows)))
        else:
            prepared = [
                _prepared(field, column, connection)
                for field, column in zip(fields, varying, strict=False)
            ]
            rows = [(*row, *values) for row in zip(*prepared, strict=True)]
            cursor.executemany(f"{into} VALUES {columns.row} {end}", rows)
        if cursor.rowcount < 0:  # of SET, where the driver tells of each statement
            cursor.nextset()
        return int(cursor.rowcount)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns of an insertion, and its pieces in the words of one database."""

    fields: list[Field[Any, Any]]
    """Of _VARYING, then of _SHARED."""
    into: str
    row: str
    """Marks for the values of one row."""
    from_lists: str
    """Rows from the values of _SHARED and a JSON list for each of _VARYING; PostgreSQL only."""
    end: str


@functools.cache
def _columns(using: str) -> _Columns:
    connection = connections[using]
    fields = [
        cast("Field[Any, Any]", Event._meta.get_field(name)) for name in (*_VARYING, *_SHARED)
    ]
    operations = connection.ops
    names = ", ".join(operations.quote_name(field.column or "") for field in fields)
    beginning = operations.insert_statement(on_conflict=OnConflict.IGNORE)
    types = [(field.db_type(connection) or "").split("(")[0] for field in fields]
    lists = ", ".join(
        f"ARRAY(SELECT json_array_elements_text(%s))::{name}[]" for name in types[: len(_VARYING)]
    )
    rest = ", ".join(f"%s::{name}" for name in types[len(_VARYING) :])
    return _Columns(
        fields=fields,
        into=f"{beginning} {operations.quote_name(Event._meta.db_table)} ({names})",
        row=f"({', '.join(['%s'] * len(fields))})",
        from_lists=f"SELECT varying.*, {rest} FROM unnest({lists}) AS varying",  # noqa: S608
        end=operations.on_conflict_suffix_sql(fields, OnConflict.IGNORE, [], []),
    )


def _texts(column: list[Any]) -> list[Any]:
    """Return a column as JSON knows it: times and prices are texts."""
    if isinstance(column[0], (str, int)):
        return column
    return [None if value is None else str(value) for value in column]


def _prepared(
    field: Field[Any, Any], column: list[Any], connection: BaseDatabaseWrapper
) -> list[Any]:
    """Return values as the database driver takes them; equal ones are converted once."""
    converted = {value: field.get_db_prep_save(value, connection) for value in set(column)}
    return [converted[value] for value in column]
