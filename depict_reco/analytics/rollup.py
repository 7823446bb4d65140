"""Keeping the daily counters up with the events: step by step, or all of it anew."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from depict_reco.analytics.deltas import Deltas
from depict_reco.analytics.evidence import MAPPING, ORDER_TYPES, Row, chunks, rows_of
from depict_reco.analytics.models import CountedClick, Credit, DailyCounter, Rollup
from depict_reco.analytics.resolving import Resolver
from depict_reco.analytics.settled import PATIENCE_SECONDS, settled_mark
from depict_reco.analytics.steps import MarketRules, MarketStep
from depict_reco.events.models import Event, EventType
from depict_reco.tenants.models import Market

BATCH_SIZE = 5000
"""Events that count, in one step."""
LEFTOVER_AGE = timedelta(days=1)
"""A rollup that was left unfinished is gone on with for so long; then it is begun anew."""
_DELETED_AT_ONCE = 20_000

_COUNTED = Q(
    type__in=[EventType.ELEMENT_VISIBLE, EventType.ADD_TO_CART, MAPPING, *sorted(ORDER_TYPES)]
) | (Q(type__in=[EventType.CLICK, EventType.PAGE_VIEW]) & ~Q(recommendation_id=""))
"""Events that say something about recommendations and sales; most page views do not."""

ReportRollup = Callable[[int, int], None]
"""Takes how far it has come, and how far it is to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupResult:
    """What a rollup did."""

    events: int
    """Events read that count; other page views are passed by."""
    seconds: float
    waiting: bool
    """Whether transactions that are still running kept it from reading the newest events."""


class _OvertakenError(Exception):
    """The rollup was replaced by one that was built anew."""


def roll_up(
    *, report: ReportRollup = lambda done, total: None, patience: float = PATIENCE_SECONDS
) -> RollupResult:
    """Count all events that have come since the last time.

    Can be killed at any moment, and run by several processes at once: each step is one
    transaction, which fails if another process has taken the same step before.
    """
    started = time.monotonic()
    upto = settled_mark(router.db_for_write(Event), patience=patience)
    events = 0
    while upto is not None:
        try:
            events += _advance(_live(), upto=upto, report=report)
            break
        except _OvertakenError:
            continue
    return RollupResult(events=events, seconds=time.monotonic() - started, waiting=upto is None)


def rebuild(
    *,
    closed_before: date | None = None,
    closed_of: Mapping[int, date] | None = None,
    report: ReportRollup = lambda done, total: None,
    patience: float = PATIENCE_SECONDS,
) -> RollupResult:
    """Compute all counters anew from the events; reports see the old ones until it is done.

    Days before ``closed_before`` keep their figures: name the first day whose events are all
    still stored; ``closed_of`` has such days by tenant. Goes on where a killed one with the same
    days has stopped.
    """
    started = time.monotonic()
    _live()
    using = router.db_for_write(Event)
    closed = {str(pk): day.isoformat() for pk, day in sorted((closed_of or {}).items())}
    building = _unfinished(closed_before, closed)
    events = 0
    while True:
        upto = settled_mark(using, patience=patience)
        if upto is None:
            break
        try:
            if building.has_closed_days:  # of which the live one is to have the last word
                _advance(_live(), upto=upto, report=lambda done, total: None)
            # newer events may have been counted and deleted since
            upto = max(upto, _live().mark)
            events += _advance(building, upto=upto, report=report)
        except _OvertakenError:  # another process has finished it
            break
        if _take_over(building):
            break
    clear_leftovers()
    return RollupResult(events=events, seconds=time.monotonic() - started, waiting=upto is None)


def clear_leftovers() -> None:
    """Delete what belongs to rollups that nobody reads or builds any more."""
    live = Rollup.objects.live().first()
    if live is None:
        return
    for rollup in Rollup.objects.filter(live=False, pk__lt=live.pk):
        for rows in (rollup.counters, rollup.credits, rollup.clicks):
            _delete(rows.all())
        rollup.delete()


def _live() -> Rollup:
    live = Rollup.objects.live().first()
    if live is None:
        zone = timezone.get_default_timezone_name()
        live, _created = Rollup.objects.get_or_create(live=True, defaults={"time_zone": zone})
    return live


def _unfinished(closed_before: date | None, closed_of: dict[str, str]) -> Rollup:
    """Return the rollup that is being built on these terms, or begin one."""
    live = _live()
    begun = Rollup.objects.filter(
        live=False,
        pk__gt=live.pk,
        closed_before=closed_before,
        time_zone=timezone.get_default_timezone_name(),
        created_at__gt=timezone.now() - LEFTOVER_AGE,
    )
    found = (rollup for rollup in begun if (rollup.closed_of or {}) == closed_of)
    return next(found, None) or Rollup.objects.create(
        live=False,
        closed_before=closed_before,
        closed_of=closed_of or None,
        time_zone=timezone.get_default_timezone_name(),
    )


def _advance(rollup: Rollup, *, upto: int, report: ReportRollup) -> int:
    """Take steps until a mark is reached; return how many events were read that count."""
    resolver = Resolver()
    was_live, began, events = rollup.live, rollup.mark, 0
    while rollup.mark < upto:
        report(rollup.mark - began, upto - began)
        rows = list(
            rows_of(
                Event.objects.filter(_COUNTED, pk__gt=rollup.mark, pk__lte=upto).order_by("pk")[
                    :BATCH_SIZE
                ]
            )
        )
        mark = rows[-1].pk if len(rows) == BATCH_SIZE else upto
        if _take_step(rollup, rows, mark=mark, resolver=resolver):
            events += len(rows)
        rollup = _again(rollup, was_live)
    Rollup.objects.filter(pk=rollup.pk, revision=rollup.revision).update(advanced_at=timezone.now())
    report(max(upto - began, 0), max(upto - began, 0))
    return events


def _again(rollup: Rollup, was_live: bool) -> Rollup:
    found = Rollup.objects.filter(pk=rollup.pk, live=was_live).first()
    if found is None:
        raise _OvertakenError
    return found


def _take_step(rollup: Rollup, rows: list[Row], *, mark: int, resolver: Resolver) -> bool:
    """Count some events; return False if another process was faster."""
    by_market: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_market[row.market_pk].append(row)
    live = rollup if rollup.live or not rollup.has_closed_days else _live()
    rules = _rules(rollup, by_market)
    deltas = Deltas(
        closed={market.pk: market.closed_before for market in rules if market.closed_before}
    )
    for market in rules:
        batch = by_market[market.pk]
        MarketStep(rollup, market, batch=batch, upto=mark, resolver=resolver, live=live).add_to(
            deltas
        )
    # All reading is done: the transaction is short, and locks the rollup with its first statement.
    with transaction.atomic(using=router.db_for_write(Rollup)):
        taken = Rollup.objects.filter(pk=rollup.pk, revision=rollup.revision).update(
            mark=mark, revision=F("revision") + 1
        )
        if taken:
            deltas.write(rollup, type_names=resolver.type_names())
    return bool(taken)


def _rules(rollup: Rollup, market_pks: dict[int, list[Row]]) -> list[MarketRules]:
    markets = Market.objects.filter(pk__in=market_pks).select_related("tenant").order_by("pk")
    return [
        MarketRules(
            pk=market.pk,
            tenant_pk=market.tenant_id,
            currency=market.currency,
            window=timedelta(days=market.tenant.attribution_window_days),
            closed_before=rollup.closed_before_of(market.tenant_id),
        )
        for market in markets
    ]


def _take_over(building: Rollup) -> bool:
    """Put a rollup that has caught up in the place of the live one."""
    with transaction.atomic(using=router.db_for_write(Rollup)):
        live = Rollup.objects.live().select_for_update().get()
        built = Rollup.objects.select_for_update().filter(pk=building.pk, live=False).first()
        if built is None:
            return True  # another process has done it
        if built.mark < live.mark:
            return False
        counted = Rollup.objects.filter(pk=live.pk, revision=live.revision)
        if not counted.update(live=False, revision=F("revision") + 1):
            return False
        Rollup.objects.filter(pk=built.pk).update(live=True, revision=F("revision") + 1)
        _keep_closed_days(built, live)
    return True


def _keep_closed_days(built: Rollup, before: Rollup) -> None:
    """Take over what the rollup before has of the closed days, and what keeps it right."""
    if not built.has_closed_days:
        return
    markets: dict[date, list[int]] = defaultdict(list)
    for pk, tenant_pk in Market.objects.order_by("pk").values_list("pk", "tenant_id"):
        if (day := built.closed_before_of(tenant_pk)) is not None:
            markets[day].append(pk)
    for day, pks in markets.items():
        for some in chunks(pks):
            for model in (DailyCounter, Credit, CountedClick):
                closed = model._default_manager.filter(market__in=some, day__lt=day)
                closed.filter(rollup=built).delete()
                closed.filter(rollup=before).update(rollup=built)


def _delete(rows: QuerySet) -> None:
    while True:
        pks = list(rows.order_by().values_list("pk", flat=True)[:_DELETED_AT_ONCE])
        if not pks:
            return
        rows.model.objects.filter(pk__range=(min(pks), max(pks)), pk__in=pks)._raw_delete(rows.db)
