"""What a step of the rollup changes: sums by counter, credits of events, clicks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from depict_reco.analytics.evidence import chunks
from depict_reco.analytics.models import CountedClick, Credit, Credited, DailyCounter, Rollup
from depict_reco.analytics.resolving import Place

SUMS = (
    "visible", "clicks", "direct_carts", "assisted_carts", "direct_orders", "assisted_orders",
    "other_orders", "direct_revenue", "assisted_revenue", "other_revenue",
)  # fmt: skip
"""Columns of a counter that are added up."""

_COLUMN = {Credited.DIRECT: "direct", Credited.ASSISTED: "assisted", Credited.NONE: "other"}
_ROWS_PER_STATEMENT = 500


class CounterKey(NamedTuple):
    """Which counter of a rollup is meant."""

    market_pk: int
    day: date
    type_pk: int
    position: int
    variant: int
    currency: str = ""


class Deltas:
    """Collects changes, and writes them.

    ``closed`` has the first day, by market, from which on counters are changed: earlier ones keep
    the figures that they have.
    """

    def __init__(self, *, closed: Mapping[int, date]) -> None:
        self._closed = closed
        self._sums: dict[CounterKey, dict[str, int | Decimal]] = defaultdict(
            lambda: defaultdict(int)
        )
        self._credits: list[Credit] = []
        self._clicks: list[CountedClick] = []

    def count(self, column: str, *, market_pk: int, day: date, place: Place, by: int = 1) -> None:
        """Add to a number that has no currency."""
        key = CounterKey(market_pk, day, place.type_pk, place.position, place.variant)
        self._sums[key][column] += by

    def click(self, click: CountedClick, *, place: Place, moved_from: date | None) -> None:
        """Count a click, or take it to an earlier day."""
        if moved_from is not None:
            self.count("clicks", market_pk=click.market_id, day=moved_from, place=place, by=-1)
        self.count("clicks", market_pk=click.market_id, day=click.day, place=place)
        self._clicks.append(click)

    def credit(self, new: Credit, *, old: Credit | None) -> None:
        """Put a credit in the place of the one that its event had before."""
        if old is not None:
            if _content(old) == _content(new):
                return
            self._add(old, -1)
        self._add(new, 1)
        self._credits.append(new)

    def write(self, rollup: Rollup, *, type_names: dict[int, str]) -> None:
        """Store everything; the caller has opened the transaction and is the only writer."""
        CountedClick.objects.bulk_create(
            self._clicks,
            update_conflicts=True,
            unique_fields=["rollup", "market", "key"],
            update_fields=["day"],
            batch_size=_ROWS_PER_STATEMENT,
        )
        Credit.objects.bulk_create(
            self._credits,
            update_conflicts=True,
            unique_fields=["rollup", "event_pk"],
            update_fields=[
                "kind", "order_key", "credited", "day", "type_pk", "position", "variant",
                "touched_at", "currency", "revenue", "counts",
            ],
            batch_size=_ROWS_PER_STATEMENT,
        )  # fmt: skip
        counters = self._counters(rollup)
        for key, counter in counters.items():
            sums = self._sums[key]
            counter.type_name = type_names.get(key.type_pk, "") or counter.type_name
            for column, by in sums.items():
                setattr(counter, column, getattr(counter, column) + by)
        DailyCounter.objects.bulk_create(
            counters.values(),
            update_conflicts=True,
            unique_fields=[
                "rollup", "market", "day", "type_pk", "position", "variant", "currency",
            ],
            update_fields=["type_name", *SUMS],
            batch_size=_ROWS_PER_STATEMENT,
        )  # fmt: skip

    def _add(self, credit: Credit, sign: int) -> None:
        name = _COLUMN[Credited(credit.credited)]
        key = CounterKey(
            credit.market_id, credit.day, credit.type_pk, credit.position, credit.variant
        )
        if credit.kind == Credit.Kind.CART:
            if credit.counts:
                self._sums[key][f"{name}_carts"] += sign
            return
        sums = self._sums[key._replace(currency=credit.currency)]
        if credit.counts:
            sums[f"{name}_orders"] += sign
        if credit.revenue:
            sums[f"{name}_revenue"] += sign * credit.revenue

    def _counters(self, rollup: Rollup) -> dict[CounterKey, DailyCounter]:
        """Return the counters that change, as they are; new ones where there are none."""
        days: dict[int, set[date]] = defaultdict(set)
        changed = [
            key
            for key, sums in self._sums.items()
            if any(sums.values()) and key.day >= self._closed.get(key.market_pk, date.min)
        ]
        for key in changed:
            days[key.market_pk].add(key.day)
        stored: dict[CounterKey, DailyCounter] = {}
        for market_pk, some in days.items():
            for part in chunks(some):
                rows = DailyCounter.objects.filter(rollup=rollup, market=market_pk, day__in=part)
                for row in rows:
                    stored[_key(row)] = _unsaved(row)
        return {
            key: stored.get(key)
            or DailyCounter(
                rollup=rollup,
                market_id=key.market_pk,
                day=key.day,
                type_pk=key.type_pk,
                position=key.position,
                variant=key.variant,
                currency=key.currency,
            )
            for key in changed
        }


def _key(row: DailyCounter) -> CounterKey:
    return CounterKey(row.market_id, row.day, row.type_pk, row.position, row.variant, row.currency)


def _unsaved(row: DailyCounter) -> DailyCounter:
    """Return a row so that bulk_create() finds the stored one by what it is, not by its key."""
    row.pk = None
    row._state.adding = True
    return row


def _content(credit: Credit) -> tuple[object, ...]:
    names: Iterable[str] = (
        "kind", "order_key", "credited", "day", "type_pk", "position", "variant", "touched_at",
        "currency", "revenue", "counts",
    )  # fmt: skip
    return tuple(getattr(credit, name) for name in names)
