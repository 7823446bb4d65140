"""Reports on what recommendations brought, read from the daily counters alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from depict_reco.analytics.deltas import SUMS
from depict_reco.analytics.figures import Figures, Period, Revenue, Row
from depict_reco.analytics.models import DailyCounter, Rollup, ServedCount
from depict_reco.analytics.resolving import types_with
from depict_reco.tenants.models import Market, Tenant

COUNTED = tuple(name for name in SUMS if not name.endswith("_revenue"))
_SHOWN = ("served", "unseen", *(name for name in COUNTED if name != "other_orders"))

_REPORTED_SEEN = DailyCounter.objects.live().filter(
    market=OuterRef("market"), day=OuterRef("day"), type_pk=OuterRef("type_pk"), visible__gt=0
)
_SERVED = {"unseen": Sum("served", filter=~Exists(_REPORTED_SEEN)), "served": Sum("served")}


class Step(StrEnum):
    """Lengths of the spans of a report over time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Breakdown(StrEnum):
    """What the lines of a report stand for."""

    TOTAL = "total"
    TIME = "time"
    TYPE = "type"
    POSITION = "position"
    MARKET = "market"
    VARIANT = "variant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a report is about."""

    tenant_pk: int
    period: Period
    market_pk: int | None = None
    """None: all markets of the tenant."""
    type_name: str = ""
    """Empty: all recommendation types."""
    variant: int | None = None
    """None: all variants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How current the counters are."""

    counted_at: datetime | None
    """When all events that were there had been counted; None: never."""
    time_zone: str
    """Whose days the reports are of; empty before the first rollup."""


def freshness() -> Freshness:
    """Return how current the counters are."""
    live = Rollup.objects.live().first()
    if live is None:
        return Freshness(counted_at=None, time_zone="")
    return Freshness(counted_at=live.advanced_at, time_zone=live.time_zone)


def today() -> date:
    """Return the day that it is where the days of the counters are."""
    zone = freshness().time_zone
    return timezone.localdate(timezone=ZoneInfo(zone) if zone else timezone.get_default_timezone())


def report(scope: Scope, breakdown: Breakdown, *, step: Step = Step.DAY) -> list[Row]:
    """Return the lines of a report; the number of queries does not grow with it."""
    if breakdown == Breakdown.TIME:
        return over_time(scope, step=step)
    return {
        Breakdown.TOTAL: lambda scope: [totals(scope)],
        Breakdown.TYPE: by_type,
        Breakdown.POSITION: by_position,
        Breakdown.MARKET: by_market,
        Breakdown.VARIANT: by_variant,
    }[breakdown](scope)


def totals(scope: Scope) -> Row:
    """Return all figures of a scope in one row."""
    rows = _rows(scope, _key_of_nothing, [])
    return rows.get("") or Row(label="", now=Figures(), before=Figures())


def over_time(scope: Scope, *, step: Step = Step.DAY) -> list[Row]:
    """Return a row per day, week (from Monday) or month; none is left out.

    Beside each stand the days that lie one length of the period earlier.
    """
    length = timedelta(days=scope.period.days)

    def key(values: dict[str, Any]) -> str:
        day = values["day"]
        return _start_of(day if day >= scope.period.start else day + length, step).isoformat()

    rows = _rows(scope, key, ["day"], own_totals=True)
    return [
        rows.get(label) or Row(label=label, now=Figures(), before=Figures())
        for label in _labels(scope.period, step)
    ]


def by_type(scope: Scope) -> list[Row]:
    """Return a row per recommendation type, the most clicked one first."""
    seen = _places(scope).values("type_pk").annotate(name=Max("type_name")).order_by()
    names = {row["type_pk"]: row["name"] or f"#{row['type_pk']}" for row in seen}
    served = _served(scope).values("type_pk").annotate(name=Max("type_name")).order_by()
    names = {row["type_pk"]: row["name"] for row in served} | names
    names |= {pk: found.name for pk, found in types_with(names).items()}
    rows = _rows(scope, lambda values: names[values["type_pk"]], ["type_pk"])
    return sorted(rows.values(), key=lambda row: (-row.now.clicks, -row.now.visible, row.label))


def by_position(scope: Scope) -> list[Row]:
    """Return a row per position in the answer; 1 is the first."""
    rows = _rows(scope, lambda values: str(values["position"]), ["position"])
    return sorted(rows.values(), key=lambda row: int(row.label))


def by_variant(scope: Scope) -> list[Row]:
    """Return a row per variant of an experiment; 0 is what is served without one."""
    rows = _rows(scope, lambda values: str(values["variant"]), ["variant"])
    return sorted(rows.values(), key=lambda row: int(row.label))


def by_market(scope: Scope) -> list[Row]:
    """Return a row per market of the tenant, also for those in which nothing happened."""
    slugs = dict(_markets(scope).values_list("pk", "slug"))
    rows = _rows(scope, lambda values: slugs[values["market_id"]], ["market_id"], own_totals=True)
    return [
        rows.get(slug) or Row(label=slug, now=Figures(), before=Figures())
        for slug in sorted(slugs.values())
    ]


@dataclass(slots=True)
class _Sums:
    """Adds up counters until figures are made of them."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    revenue: dict[str, dict[str, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Decimal))
    )

    def add(self, values: dict[str, Any]) -> None:
        for name in COUNTED:
            self.counts[name] += values[name] or 0
        if values["currency"]:
            for part in ("direct", "assisted", "other"):
                self.revenue[values["currency"]][part] += values[f"{part}_revenue"] or 0

    def figures(self, shop: _Sums, currencies: list[str]) -> Figures:
        """``shop`` adds up all sales of the same markets and days."""
        known = [*currencies, *sorted({*self.revenue, *shop.revenue} - {*currencies})]
        orders = ("direct_orders", "assisted_orders", "other_orders")
        return Figures(
            **{name: self.counts[name] for name in _SHOWN},
            all_orders=sum(shop.counts[name] for name in orders),
            revenue=tuple(
                Revenue(
                    currency=currency,
                    direct=self.revenue[currency]["direct"],
                    assisted=self.revenue[currency]["assisted"],
                    all=sum(shop.revenue[currency].values(), Decimal(0)),
                )
                for currency in known
            ),
        )


_Key = Callable[[dict[str, Any]], str]


def _rows(
    scope: Scope, key: _Key, columns: list[str], *, own_totals: bool = False
) -> dict[str, Row]:
    """Return rows by what a function makes of some columns.

    ``own_totals``: all sales are those of the row's own market or days, not of the whole scope.
    """
    sums: dict[tuple[str, bool], _Sums] = defaultdict(_Sums)
    shops: dict[tuple[Hashable, bool], _Sums] = defaultdict(_Sums)
    for before, values in _grouped(scope, _places(scope), [*columns, "currency"], _sums(SUMS)):
        sums[key(values), before].add(values)
    for before, values in _grouped(scope, _served(scope), columns, _SERVED):
        for name in ("served", "unseen"):
            sums[key(values), before].counts[name] += values[name] or 0
    sales = [name for name in SUMS if name.endswith(("_orders", "_revenue"))]
    by = columns if own_totals else []
    for before, values in _grouped(scope, _counters(scope), [*by, "currency"], _sums(sales)):
        whole = dict.fromkeys(SUMS, 0) | values
        label = key(values) if own_totals else ""
        shops[label, before].add(whole)
        sums[label, before]  # a span without recommendations has sales, too
    if not own_totals and columns:
        sums.pop(("", False), None), sums.pop(("", True), None)
    currencies = list(dict.fromkeys(_markets(scope).values_list("currency", flat=True)))

    def figures(label: str, before: bool) -> Figures:
        shop = shops[label if own_totals else "", before]
        return sums[label, before].figures(shop, currencies)

    labels = list(dict.fromkeys(label for label, _before in sums))
    return {
        label: Row(label=label, now=figures(label, False), before=figures(label, True))
        for label in labels
    }


def _grouped(
    scope: Scope, rows: QuerySet[Any], columns: list[str], sums: Mapping[str, Sum]
) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Yield sums by some columns, for the period before and for the period itself."""
    for before, period in ((True, scope.period.previous), (False, scope.period)):
        spanned = rows.filter(day__gte=period.start, day__lte=period.end)
        if columns:
            groups: Iterable[dict[str, Any]] = spanned.values(*columns).annotate(**sums).order_by()
        else:
            groups = [spanned.aggregate(**sums)]
        for values in groups:
            yield before, values


def _sums(names: Iterable[str]) -> dict[str, Sum]:
    return {name: Sum(name) for name in names}


def _markets(scope: Scope) -> QuerySet[Market]:
    markets = Market.objects.filter(tenant=scope.tenant_pk).order_by("slug")
    return markets if scope.market_pk is None else markets.filter(pk=scope.market_pk)


def _counters(scope: Scope) -> QuerySet[DailyCounter]:
    return DailyCounter.objects.live().filter(market__in=_markets(scope).order_by())


def _places(scope: Scope) -> QuerySet[DailyCounter]:
    """The counters of recommendations, without those of sales that none is credited with."""
    return _narrowed(scope, _counters(scope).exclude(type_pk=0))


def _served(scope: Scope) -> QuerySet[ServedCount]:
    return _narrowed(scope, ServedCount.objects.filter(market__in=_markets(scope).order_by()))


def _narrowed(scope: Scope, rows: QuerySet[Any]) -> QuerySet[Any]:
    if scope.variant is not None:
        rows = rows.filter(variant=scope.variant)
    if scope.type_name:
        types = Tenant.objects.filter(pk=scope.tenant_pk, recommendation_types__isnull=False)
        named = types.filter(recommendation_types__name=scope.type_name)
        pk = "recommendation_types__pk"
        # a type that is renamed leaves its old name in rows, one that is deleted leaves it for ever
        gone = Q(type_name=scope.type_name) & ~Q(type_pk__in=types.values(pk))
        rows = rows.filter(Q(type_pk__in=named.values(pk)) | gone)
    return rows


def _key_of_nothing(values: dict[str, Any]) -> str:
    return ""


def _start_of(day: date, step: Step) -> date:
    if step == Step.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == Step.MONTH else day


def _labels(period: Period, step: Step) -> list[str]:
    days = (period.start + timedelta(days=number) for number in range(period.days))
    return list(dict.fromkeys(_start_of(day, step).isoformat() for day in days))
