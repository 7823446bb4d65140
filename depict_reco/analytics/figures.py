"""What reports are made of: periods, figures, and two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from depict_reco.analytics.statistics import MIXED, Rate, differ

MAX_DAYS = 1100
"""Longest period of a report: three years."""

RATES = ("click_rate", "cart_rate", "conversion")
COUNTS = (
    "served", "visible", "clicks", "direct_carts", "assisted_carts", "direct_orders",
    "assisted_orders", "all_orders",
)  # fmt: skip
SEEN, SERVED = "seen", "served"
"""What the click rate is of, if it is not mixed."""
MEASURES = (*COUNTS, *RATES)
"""What can be compared with the period before, besides revenue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Some days, the first and the last included."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"the period begins on {self.start}, after its end on {self.end}")
        if self.days > MAX_DAYS:
            raise ValueError(f"the period has {self.days} days, {MAX_DAYS} is the most")
        if self.start.toordinal() <= 2 * MAX_DAYS:
            raise ValueError(f"the period begins on {self.start}, before there were shops")

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def previous(self) -> Period:
        """The period of equal length that ends where this one begins."""
        length = timedelta(days=self.days)
        return Period(start=self.start - length, end=self.end - length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What was sold in one currency, returns taken off."""

    currency: str
    direct: Decimal = Decimal(0)
    assisted: Decimal = Decimal(0)
    all: Decimal = Decimal(0)
    """Of all sales of the same markets and days, with or without a recommendation."""

    @property
    def attributed(self) -> Decimal:
        return self.direct + self.assisted

    @property
    def direct_share(self) -> float | None:
        """Direct revenue as a share of all; None where that would not be a share."""
        return _share(self.direct, self.all)

    @property
    def attributed_share(self) -> float | None:
        """Direct and assisted revenue as a share of all."""
        return _share(self.attributed, self.all)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What recommendations brought at some places in some days."""

    served: int = 0
    """An estimate; see docs/analytics.md."""
    unseen: int = 0
    """Displays served of types, on days, of which no client has reported one seen."""
    visible: int = 0
    clicks: int = 0
    direct_carts: int = 0
    assisted_carts: int = 0
    direct_orders: int = 0
    assisted_orders: int = 0
    all_orders: int = 0
    """Of the same markets and days, with or without a recommendation."""
    revenue: tuple[Revenue, ...] = ()
    """By currency, the market's own first."""

    @property
    def click_rate(self) -> Rate:
        """Clicks of displays that were seen; of those sent, of types and days with none seen."""
        basis = MIXED if self.visible and self.unseen else SERVED if self.unseen else SEEN
        return Rate(hits=self.clicks, trials=self.visible + self.unseen, basis=basis)

    @property
    def cart_rate(self) -> Rate:
        """Direct additions to the cart of clicks."""
        return Rate(hits=self.direct_carts, trials=self.clicks)

    @property
    def conversion(self) -> Rate:
        """Direct orders of clicks."""
        return Rate(hits=self.direct_orders, trials=self.clicks)

    def revenue_in(self, currency: str) -> Revenue:
        """Return the revenue in a currency, zero if there is none."""
        found = (one for one in self.revenue if one.currency == currency)
        return next(found, Revenue(currency=currency))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure now and in the period before."""

    now: float | None
    before: float | None
    significant: bool | None = None
    """Whether chance hardly explains it; None where that cannot be said."""

    @property
    def difference(self) -> float | None:
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def relative(self) -> float | None:
        """The difference as a share of what was before."""
        difference = self.difference
        return None if difference is None or not self.before else difference / self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a report, with the period before beside it."""

    label: str
    """A type, a position, a slug of a market, a variant, or the first day of a span."""
    now: Figures
    before: Figures

    def change(self, measure: str) -> Change:
        """Return one of MEASURES, now and before."""
        now, before = getattr(self.now, measure), getattr(self.before, measure)
        if isinstance(now, Rate):
            return Change(now=now.value, before=before.value, significant=differ(now, before))
        return Change(now=now, before=before)

    def revenue_change(self, currency: str, part: str = "attributed") -> Change:
        """Return revenue in a currency, now and before: direct, assisted, attributed or all."""
        now, before = self.now.revenue_in(currency), self.before.revenue_in(currency)
        return Change(now=float(getattr(now, part)), before=float(getattr(before, part)))


def _share(part: Decimal, whole: Decimal) -> float | None:
    """A share lies from 0 to 1; returns without an order can make more or less of it."""
    return float(part / whole) if whole > 0 and 0 <= part <= whole else None
