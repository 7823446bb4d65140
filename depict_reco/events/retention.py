"""How long events are kept, and the deletion of those that are older."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import router, transaction
from django.db.models import Q
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.events.models import Event, EventType
from depict_reco.events.shoppers import HISTORY_TYPES
from depict_reco.tenants.models import Market, Tenant

BATCH = 1000
"""Rows looked at, and deleted, in one transaction."""

OTHERS = "*"
"""Stands for the types that are not named."""

PruneProgress = Callable[[int, float], None]
"""Called after each batch with how many rows are gone, and which share of the time is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted of a market, or would be."""

    market: str
    rows: dict[str, int]
    """By type."""
    kept_since: dict[str, datetime]
    """By type that does not stay for ever, the oldest time that stays."""
    dry_run: bool


def days_complaint(days: object) -> str | None:
    """Return what is wrong with days by type, if anything is."""
    if not isinstance(days, Mapping):
        return "it must be a mapping of types to days"
    known = {*EventType.values, OTHERS}
    for name, number in days.items():
        if name not in known:
            return f"{name!r} is no type of event; known are {', '.join(sorted(known))}"
        if type(number) is not int or number < 1:
            return f"the days of {name!r} must be a whole number above 0"
    return None


def days_of(tenant: Tenant) -> dict[str, int]:
    """Return, by type, the days that events of a tenant are kept; others are kept for ever."""
    return by_type(tenant.retention_days or settings.EVENT_RETENTION_DAYS)


def by_type(days: Mapping[str, int]) -> dict[str, int]:
    """Return the days of each type of event that some are given for, by its name or by ``*``."""
    others = days.get(OTHERS)
    found = {name: days.get(name, others) for name in EventType.values}
    return {name: number for name, number in found.items() if number is not None}


def shortcomings(days: Mapping[str, int], *, attribution_days: int) -> list[str]:
    """Say what would miss the events that go; nothing, if nothing would."""
    found = []
    for reader, window in (
        ("trainings read", settings.TRAINING_WINDOW_DAYS),
        ("the attribution of sales reads", attribution_days),
    ):
        short = [name for name in HISTORY_TYPES if days.get(name, window) < window]
        if short:
            kept = ", ".join(f"{name} for {days[name]}" for name in short)
            found.append(
                f"{reader} events of {window} days, and of these types fewer are kept: {kept}"
            )
    return found


def prune(
    market: Market,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    progress: PruneProgress = lambda done, share: None,
) -> Pruned:
    """Delete a market's events that are older than their type is kept, oldest first.

    Each transaction walks over BATCH rows of the index of time and deletes some of them, so it
    can be killed at any moment and run again, and holds nobody up.
    """
    now = now or timezone.now()
    days = days_of(market.tenant)
    kept_since = {name: now - timedelta(days=number) for name, number in days.items()}
    rows: Counter[str] = Counter()
    for some, share in _old(market, kept_since):
        if some and not dry_run:
            with transaction.atomic(using=router.db_for_write(Event)):
                Event.objects.filter(pk__in=[pk for pk, _kind in some]).delete()
        rows.update(kind for _pk, kind in some)
        progress(rows.total(), share)
    return Pruned(market=str(market), rows=dict(rows), kept_since=kept_since, dry_run=dry_run)


def _old(
    market: Market, kept_since: Mapping[str, datetime]
) -> Iterator[tuple[list[tuple[int, str]], float]]:
    """Yield keys and types of rows to delete, batch by batch, and the share of time done."""
    if not kept_since:
        return
    end = max(kept_since.values())
    events = Event.objects.filter(market=market, time__lt=end).order_by("time", "pk")
    begin: datetime | None = None
    after: tuple[datetime, int] | None = None
    while True:
        # from where the last batch ended: the kept ones before it are not walked over again
        rest = events
        if after:
            rest = events.filter(
                Q(time__gt=after[0]) | Q(time=after[0], pk__gt=after[1]), time__gte=after[0]
            )
        some = list(rest.values_list("pk", "type", "time")[:BATCH])
        if not some:
            return
        after = (some[-1][2], some[-1][0])
        begin = begin or some[0][2]
        share = (after[0] - begin) / (end - begin) if end > begin else 1.0
        yield [(pk, kind) for pk, kind, time in some if time < kept_since.get(kind, time)], share
