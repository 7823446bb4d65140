"""One step of the rollup: what a batch of new events of one market changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from depict_reco.analytics.closed import ClosedDays
from depict_reco.analytics.credits import (
    Earlier,
    Outcome,
    SaleEvent,
    Touch,
    credit_cart,
    credit_order,
)
from depict_reco.analytics.deltas import Deltas
from depict_reco.analytics.evidence import (
    CLICK_TYPES,
    MAPPING,
    ORDER_TYPES,
    TOUCH_TYPES,
    Mappings,
    MarketEvidence,
    Row,
    chunks,
)
from depict_reco.analytics.models import CountedClick, Credit, Credited, Rollup
from depict_reco.analytics.resolving import Place, Resolved, Resolver
from depict_reco.events.models import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRules:
    """What the rules of attribution need to know of a market."""

    pk: int
    tenant_pk: int
    currency: str
    window: timedelta
    closed_before: date | None = None
    """Earlier days keep the figures that they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sales:
    """The sales that a batch bears upon: new ones, and old ones that see new light."""

    carts: dict[int, Row]
    orders: dict[int, list[Row]]

    @property
    def rows(self) -> list[Row]:
        return [*self.carts.values(), *(row for rows in self.orders.values() for row in rows)]


class MarketStep:
    """Works out what the events of a batch change in one market."""

    def __init__(
        self,
        rollup: Rollup,
        market: MarketRules,
        *,
        batch: Sequence[Row],
        upto: int,
        resolver: Resolver,
        live: Rollup,
    ) -> None:
        self._rollup = rollup
        self._market = market
        self._zone = ZoneInfo(rollup.time_zone)
        self._resolver = resolver
        self._closed = ClosedDays(rollup, market.pk, before=market.closed_before, live=live)
        self._batch = [row for row in batch if not self._closed.have(row.time)]
        self._late = (
            [row for row in batch if self._closed.have(row.time)] if self._closed.building else []
        )
        """Of closed days: the live rollup has counted them, perhaps after we counted others."""
        self._evidence = MarketEvidence(
            rollup, market.pk, upto=upto, batch=self._batch, mappings=self._closed.mappings()
        )
        self._resolved: dict[str, Resolved] = {}

    def add_to(self, deltas: Deltas) -> None:
        """Add the changes."""
        self._resolve((*self._batch, *self._late))
        self._count_visible(deltas)
        self._count_clicks(deltas)
        sales = self._concerned()
        if sales.rows:
            self._credit(sales, deltas)

    def _day(self, time: datetime) -> date:
        return time.astimezone(self._zone).date()

    def _resolve(self, rows: Iterable[Row]) -> None:
        ids = {row.recommendation_id for row in rows} - self._resolved.keys() - {""}
        self._resolved |= self._resolver.resolve(
            ids, tenant_pk=self._market.tenant_pk, market_pk=self._market.pk
        )

    def _count_visible(self, deltas: Deltas) -> None:
        for row in self._batch:
            if row.type == EventType.ELEMENT_VISIBLE:
                found = self._resolved.get(row.recommendation_id)
                if found is not None:
                    deltas.count(
                        "visible",
                        market_pk=self._market.pk,
                        day=self._day(row.time),
                        place=found.place,
                    )

    def _count_clicks(self, deltas: Deltas) -> None:
        """Count each display once per shopper, on the first day that is known of."""
        first = self._first_clicks(self._batch)
        late = self._first_clicks(self._late)
        known: dict[int, date] = {}
        for some in chunks(first.keys() | late.keys()):
            stored = CountedClick.objects.filter(
                rollup=self._rollup, market=self._market.pk, key__in=some
            )
            known |= dict(stored.values_list("key", "day"))
        closed = self._closed.clicks(first.keys() | late.keys())
        for key, (day, place) in (late | first).items():
            if key in closed:
                if key not in known:
                    continue
                day = min(known[key], self._closed.last_day)  # now it is known to be from there
            elif key not in first:
                continue
            if day < known.get(key, date.max):
                click = CountedClick(
                    rollup=self._rollup, market_id=self._market.pk, key=key, day=day
                )
                deltas.click(click, place=place, moved_from=known.get(key))

    def _first_clicks(self, rows: Iterable[Row]) -> dict[int, tuple[date, Place]]:
        first: dict[int, tuple[date, Place]] = {}
        for row in rows:
            found = self._resolved.get(row.recommendation_id)
            if found is not None and row.type in CLICK_TYPES:
                key = row.click_key
                first[key] = min((self._day(row.time), found.place), first.get(key, _NEVER))
        return first

    def _concerned(self) -> _Sales:
        carts = {row.pk: row for row in self._batch if row.type == EventType.ADD_TO_CART}
        keys = {
            row.order_key
            for row in (*self._batch, *self._late)
            if row.type in ORDER_TYPES or row.type == MAPPING
        }
        touches = [row for row in self._batch if self._is_touch(row)]
        mappings = [row for row in self._batch if row.type == MAPPING]
        start = min((row.time for row in touches), default=None)
        end = max((row.time for row in touches), default=None)
        for rows, since, until in (
            (touches, start, end and end + self._market.window),
            (mappings, None, None),
        ):
            names: set[str] = set().union(*(row.shopper_ids for row in rows))
            if not names:
                continue
            names, linked = self._evidence.linked(names)
            keys |= linked
            types = [EventType.ADD_TO_CART.value, EventType.PURCHASE.value]
            for row in self._evidence.of_shoppers(names, types=types, start=since, end=until):
                if self._closed.have(row.time):
                    continue
                if row.type == EventType.ADD_TO_CART:
                    carts[row.pk] = row
                else:
                    keys.add(row.order_key)
        return _Sales(carts=carts, orders=self._evidence.of_orders(keys))

    def _is_touch(self, row: Row) -> bool:
        return row.type in TOUCH_TYPES and row.recommendation_id in self._resolved

    def _credit(self, sales: _Sales, deltas: Deltas) -> None:
        rows = sales.rows
        names: set[str] = set().union(*(row.shopper_ids for row in rows))
        mappings = self._evidence.mappings_of(names, sales.orders)
        names = mappings.names(names).union(
            *(mappings.names([], order_key=key) for key in sales.orders)
        )
        touches = self._touches(names, rows)
        stored = self._stored(rows)
        before = self._closed.credits([row.pk for row in rows])
        self._resolver.look_up_types(credit.type_pk for credit in before.values())
        products = self._evidence.products_of(rows)
        settled = self._closed.orders(sales.orders)

        def event_of(row: Row) -> SaleEvent:
            return self._sale_event(row, products, stored.get(row.pk) or before.get(row.pk))

        for row in sales.carts.values():
            seen = _of_all(touches, mappings.names(row.shopper_ids))
            outcome = credit_cart(event_of(row), touches=seen, window=self._market.window)
            if outcome.counts or row.pk in stored:
                self._put(row, outcome, Credit.Kind.CART, stored, deltas)
        for key, order in sales.orders.items():
            events = {row.pk: event_of(row) for row in order}
            if key in settled:
                self._settle(order, events, stored, before, deltas)
                continue
            self._credit_order(
                order,
                events,
                touches=self._touches_before(key, order, touches, mappings),
                stored=stored,
                deltas=deltas,
            )

    def _credit_order(
        self,
        order: Iterable[Row],
        events: dict[int, SaleEvent],
        *,
        touches: Sequence[Touch],
        stored: dict[int, Credit],
        deltas: Deltas,
    ) -> None:
        by_pk = {row.pk: row for row in order}
        kinds: dict[str, list[SaleEvent]] = defaultdict(list)
        for row in by_pk.values():
            kinds[row.type].append(events[row.pk])
        outcomes = credit_order(
            lines=kinds[EventType.PURCHASE],
            returns=kinds[EventType.RETURN],
            touches=touches,
            window=self._market.window,
        )
        outcomes += [Outcome(event=event, time=event.time) for event in kinds[MAPPING]]
        for outcome in outcomes:
            row = by_pk[outcome.event.event_pk]
            self._put(row, outcome, _KINDS[row.type], stored, deltas)

    def _settle(
        self,
        order: Iterable[Row],
        events: dict[int, SaleEvent],
        stored: dict[int, Credit],
        before: dict[int, Credit],
        deltas: Deltas,
    ) -> None:
        """Count an order of closed days no more: neither what is told again, nor by its lines.

        What the live rollup has made of its other events holds. Goods that come back later are
        taken off where they would be if nothing were known of their order.
        """
        if not self._closed.building:
            late = [row for row in order if row.pk not in stored and row.type != EventType.PURCHASE]
            self._credit_order(late, events, touches=[], stored=stored, deltas=deltas)
            return
        for row in order:
            if row.pk in before:
                deltas.credit(before[row.pk], old=stored.get(row.pk))
            elif row.pk in stored:
                nothing = Outcome(event=events[row.pk], time=row.time)
                self._put(row, nothing, _KINDS[row.type], stored, deltas)

    def _touches(self, names: Collection[str], rows: Sequence[Row]) -> dict[str, list[Touch]]:
        """Return what shoppers went after, by each of their names."""
        found = self._evidence.of_shoppers(
            names,
            types=TOUCH_TYPES,
            start=min(row.time for row in rows) - self._market.window,
            end=max(row.time for row in rows),
            recommended=True,
        )
        self._resolve((*found, *rows))
        touches: dict[str, list[Touch]] = defaultdict(list)
        for row in found:
            touch = self._touch(row)
            if touch is not None:
                for name in row.shopper_ids:
                    touches[name].append(touch)
        return touches

    def _touches_before(
        self, key: int, order: Iterable[Row], touches: dict[str, list[Touch]], mappings: Mappings
    ) -> list[Touch]:
        """Return what those went after who bought an order, as its lines and mappings name them.

        Who brings goods back is not who was led to them: often a clerk, or who got them. Each
        line stands for the window before itself, in which ``_concerned`` looks for it, too.
        """
        found = _of_all(touches, mappings.names([], order_key=key))
        for row in order:
            if row.type == EventType.PURCHASE:
                found += [
                    touch
                    for touch in _of_all(touches, mappings.names(row.shopper_ids))
                    if row.time - self._market.window <= touch.time <= row.time
                ]
        return found

    def _touch(self, row: Row) -> Touch | None:
        found = self._resolved.get(row.recommendation_id)
        if found is None:
            return None
        product = self._resolver.product(found.product_pk)
        return Touch(time=row.time, place=found.place, product=product)

    def _stored(self, rows: Iterable[Row]) -> dict[int, Credit]:
        stored: dict[int, Credit] = {}
        for some in chunks(row.pk for row in rows):
            credits = Credit.objects.filter(rollup=self._rollup, event_pk__in=some)
            stored |= {credit.event_pk: credit for credit in credits}
        return stored

    def _sale_event(
        self, row: Row, products: dict[str, tuple[str, str]], stored: Credit | None
    ) -> SaleEvent:
        product_id, group = products.get(row.product_id) or products.get(row.sku) or ("", "")
        earlier = None
        if stored is not None and self._still_holds(stored, row):
            earlier = Earlier(
                credited=stored.credited,
                place=Place(stored.type_pk, stored.position, stored.variant),
                time=stored.touched_at or row.time,
            )
        return SaleEvent(
            event_pk=row.pk,
            time=row.time,
            product_id=row.product_id or product_id,
            sku=row.sku,
            item_group_id=group,
            quantity=row.quantity,
            price=row.price,
            currency=row.currency or self._market.currency,
            own=self._touch(row),
            earlier=earlier,
        )

    def _still_holds(self, credit: Credit, row: Row) -> bool:
        """Whether a credit of a sale counts that was given earlier.

        One of the rollup before, only if its raw material may be gone.
        """
        if credit.touched_at is None or credit.credited == Credited.NONE:
            return False
        return credit.pk is not None or (
            self._closed.have(credit.touched_at)
            and row.time - credit.touched_at <= self._market.window
        )

    def _put(
        self,
        row: Row,
        outcome: Outcome,
        kind: Credit.Kind,
        stored: dict[int, Credit],
        deltas: Deltas,
    ) -> None:
        sold = kind in (Credit.Kind.LINE, Credit.Kind.RETURN)
        new = Credit(
            rollup=self._rollup,
            market_id=self._market.pk,
            event_pk=row.pk,
            kind=kind,
            order_key=row.order_key if kind != Credit.Kind.CART else 0,
            credited=outcome.credited,
            day=self._day(outcome.time),
            type_pk=outcome.place.type_pk,
            position=outcome.place.position,
            variant=outcome.place.variant,
            touched_at=outcome.touched_at,
            currency=outcome.event.currency if sold else "",
            revenue=outcome.revenue,
            counts=outcome.counts,
        )
        deltas.credit(new, old=stored.get(row.pk))


_NEVER = (date.max, Place())
_KINDS = {
    EventType.PURCHASE.value: Credit.Kind.LINE,
    EventType.RETURN.value: Credit.Kind.RETURN,
    MAPPING: Credit.Kind.MAPPING,
}


def _of_all(touches: dict[str, list[Touch]], names: Iterable[str]) -> list[Touch]:
    return [touch for name in names for touch in touches.get(name, ())]
