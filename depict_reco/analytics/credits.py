"""The rules of attribution, on plain values: which recommendation a sale is credited to.

docs/analytics.md states them for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from depict_reco.analytics.models import Credited
from depict_reco.analytics.resolving import KnownProduct, Place

NO_PLACE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """A shopper went after a recommendation: a click, or a page or cart event that carries its id.

    Touches are in order of time; equal times are told apart by what does not depend on the order
    in which events arrived.
    """

    time: datetime
    place: Place
    product: KnownProduct | None
    """What was recommended; None: the product is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The credit that an event was given before, which stays where its raw material is gone."""

    credited: str
    place: Place
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleEvent:
    """A cart event, or a line of an order, bought or returned."""

    event_pk: int
    time: datetime
    product_id: str
    sku: str
    item_group_id: str = ""
    """Of the product, as the catalogue has it."""
    quantity: int = 1
    price: Decimal | None = None
    currency: str = ""
    """Never empty for an order's line: the market's, unless the event names another."""
    own: Touch | None = None
    """The recommendation that the event itself names."""
    earlier: Earlier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one event of a sale counts for."""

    event: SaleEvent
    credited: str = Credited.NONE
    place: Place = NO_PLACE
    touched_at: datetime | None = None
    time: datetime
    """When it counts: a line counts on the day of its order."""
    revenue: Decimal = Decimal(0)
    counts: bool = False
    """Whether it stands for the cart event, or for its whole order."""


def credit_cart(event: SaleEvent, *, touches: Iterable[Touch], window: timedelta) -> Outcome:
    """Return what an add-to-cart event counts for."""
    credited, place, touched_at = _credit(event, touches, window)
    return Outcome(
        event=event,
        credited=credited,
        place=place,
        touched_at=touched_at,
        time=event.time,
        counts=credited != Credited.NONE,
    )


def credit_order(
    *,
    lines: Iterable[SaleEvent],
    returns: Iterable[SaleEvent],
    touches: Sequence[Touch],
    window: timedelta,
) -> list[Outcome]:
    """Return what each line and each return of one order counts for.

    Revenue is credited line by line. The order as a whole counts once, at the place of the
    newest touch behind a direct line, else behind an assisted one; not at all when everything
    came back.
    """
    reported = sorted(lines, key=_order_of_report)
    counted = _first_reports(reported)
    back = _returned(counted, sorted(returns, key=_order_of_report))
    ordered_at = min((line.time for line in counted), default=None)
    outcomes = [_outcome(line, back.pieces, touches, window, ordered_at) for line in reported]
    kept = [one for one in outcomes if _pieces(one.event, back.pieces) > 0]
    chosen = max(kept, key=_rank, default=None)
    outcomes = [
        _standing_for_order(outcome) if outcome is chosen else outcome for outcome in outcomes
    ]
    return outcomes + [_outcome_of_return(one, matched=matched) for one, matched in back.returns]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    """What came back of an order."""

    pieces: dict[int, int]
    """Pieces that stayed sold, by the event of each counted line."""
    returns: list[tuple[SaleEvent, bool]]
    """Each return, with whether its product is in the order."""


def _credit(
    event: SaleEvent, touches: Iterable[Touch], window: timedelta
) -> tuple[str, Place, datetime | None]:
    """Return how an event is credited, to which place, and when the shopper was there."""
    direct: list[tuple[datetime, Place]] = []
    assisted: list[tuple[datetime, Place]] = []
    for touch in touches:
        if event.time - window <= touch.time <= event.time:
            found = direct if _same_product(event, touch.product) else assisted
            found.append((touch.time, touch.place))
    if event.own is not None:
        unnamed = not event.product_id and not event.sku
        found = direct if unnamed or _same_product(event, event.own.product) else assisted
        found.append((event.own.time, event.own.place))
    if event.earlier is not None:
        found = direct if event.earlier.credited == Credited.DIRECT else assisted
        found.append((event.earlier.time, event.earlier.place))
    for credited, candidates in ((Credited.DIRECT, direct), (Credited.ASSISTED, assisted)):
        if candidates:
            time, place = max(candidates)
            return credited, place, time
    return Credited.NONE, NO_PLACE, None


def _same_product(event: SaleEvent, product: KnownProduct | None) -> bool:
    if product is None:
        return False
    if event.product_id and event.product_id in (product.product_id, product.sku):
        return True
    if event.sku and event.sku in (product.sku, product.product_id):
        return True
    return bool(event.item_group_id) and event.item_group_id == product.item_group_id


def _order_of_report(
    event: SaleEvent,
) -> tuple[datetime, str, str, int, Decimal, str, Place, int]:
    """Order by content, so that the order of arrival decides between equal lines only."""
    price = event.price or Decimal(0)
    place = NO_PLACE if event.own is None else event.own.place
    return (
        event.time, event.product_id, event.sku, event.quantity, price, event.currency, place,
        event.event_pk,
    )  # fmt: skip


def _first_reports(lines: list[SaleEvent]) -> list[SaleEvent]:
    """Return the lines that count: a product that is reported again later is the same sale.

    Shops send an order again when the page that thanks for it is opened again, and some send it
    from browser and server, which need not name a product in the same way.
    """
    first: dict[_Names, datetime] = {}
    counted = []
    for line in lines:
        earlier = [first[names] for names in _names_of_the_same(line) if names in first]
        if not earlier or min(earlier) == line.time:
            counted.append(line)
        for names in _names_of(line):
            first.setdefault(names, line.time)
    return counted


_Names = tuple[str | None, str | None]
"""A product id and a SKU; None: whichever."""


def _names_of(line: SaleEvent) -> set[_Names]:
    """Return what a line is known by: both names, and each that it has alone."""
    names: set[_Names] = {(line.product_id, line.sku)}
    names |= {(line.product_id, None)} if line.product_id else set()
    return names | ({(None, line.sku)} if line.sku else set())


def _names_of_the_same(line: SaleEvent) -> set[_Names]:
    """Return what other lines of the same product are known by.

    They have one of its names. Where both lines have the other one too, that is the same:
    products of one id with two SKUs are two.
    """
    names: set[_Names] = {(line.product_id, line.sku)}
    if line.product_id:
        names.add((line.product_id, "" if line.sku else None))
    if line.sku:
        names.add(("" if line.product_id else None, line.sku))
    return names


def _returned(lines: list[SaleEvent], returns: list[SaleEvent]) -> _Back:
    left = {line.event_pk: line.quantity for line in lines}
    matched: list[tuple[SaleEvent, bool]] = []
    for one in returns:
        same = [line for line in lines if _same_goods(line, one)]
        pieces = one.quantity
        for line in same:
            taken = min(pieces, left[line.event_pk])
            left[line.event_pk] -= taken
            pieces -= taken
        matched.append((one, bool(same)))
    return _Back(pieces=left, returns=matched)


def _same_goods(line: SaleEvent, other: SaleEvent) -> bool:
    return bool(
        (line.product_id and line.product_id == other.product_id)
        or (line.sku and line.sku == other.sku)
    )


def _pieces(line: SaleEvent, sold: dict[int, int]) -> int:
    return sold.get(line.event_pk, 0)


def _outcome(
    line: SaleEvent,
    sold: dict[int, int],
    touches: Iterable[Touch],
    window: timedelta,
    ordered_at: datetime | None,
) -> Outcome:
    credited, place, touched_at = _credit(line, touches, window)
    return Outcome(
        event=line,
        credited=credited,
        place=place,
        touched_at=touched_at,
        time=ordered_at or line.time,
        revenue=(line.price or Decimal(0)) * _pieces(line, sold),
    )


def _outcome_of_return(event: SaleEvent, *, matched: bool) -> Outcome:
    """A return that fits no order that is known is taken off what no recommendation brought."""
    revenue = Decimal(0) if matched else -(event.price or Decimal(0)) * event.quantity
    return Outcome(event=event, time=event.time, revenue=revenue)


def _rank(outcome: Outcome) -> tuple[int, datetime, Place, str]:
    """Order the lines of an order by how well they stand for it."""
    level = {Credited.DIRECT: 2, Credited.ASSISTED: 1}.get(Credited(outcome.credited), 0)
    touched_at = outcome.touched_at or outcome.time
    return level, touched_at, outcome.place, outcome.event.currency


def _standing_for_order(outcome: Outcome) -> Outcome:
    return replace(outcome, counts=True)
