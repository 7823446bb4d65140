"""Days that keep the figures they have, because not all of their events are stored any more.

While counters are built anew, the rollup that is live says what it has counted on those days: a
sale or a click that stands there must not count again because something of it comes later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from depict_reco.analytics.evidence import CLICK_TYPES, MAPPING, ORDER_TYPES, chunks
from depict_reco.analytics.models import CountedClick, Credit, Rollup
from depict_reco.events.models import EventType
from depict_reco.events.retention import days_of
from depict_reco.tenants.models import Tenant

_COUNTED = CLICK_TYPES | ORDER_TYPES | {MAPPING, EventType.ADD_TO_CART, EventType.ELEMENT_VISIBLE}


def first_whole_days(now: datetime | None = None) -> dict[int, date]:
    """Return, by tenant, the first day of which no event that counts has been pruned.

    Days are those of the project's time zone. Tenants of whom nothing is pruned are left out.
    """
    found = {}
    for tenant in Tenant.objects.order_by("pk"):
        kept = [days for type_, days in days_of(tenant).items() if type_ in _COUNTED]
        if kept:
            oldest = (now or timezone.now()) - timedelta(days=min(kept))
            day = timezone.localtime(oldest, timezone.get_default_timezone()).date()
            found[tenant.pk] = day + timedelta(days=1)
    return found


class ClosedDays:
    """What is known of the closed days of one market; nothing, and no query, where there are none.

    ``live`` is the rollup that reports read: the one that is asked about, or the one before it.
    """

    def __init__(
        self, rollup: Rollup, market_pk: int, *, before: date | None, live: Rollup
    ) -> None:
        self._before = before
        self._rollup = rollup
        self._zones = {ZoneInfo(one.time_zone) for one in (rollup, live)}
        self._credits = Credit.objects.filter(rollup=live, market=market_pk)
        self._clicks = CountedClick.objects.filter(rollup=live, market=market_pk)
        self.building = before is not None and not rollup.live
        """Whether the counters of these days are still those of the live rollup."""

    @property
    def last_day(self) -> date:
        """The last one, where a click stands of which it is found that it was counted there."""
        return date.min if self._before is None else self._before - timedelta(days=1)

    def have(self, time: datetime) -> bool:
        """Whether a time lies in these days."""
        before = self._before
        return before is not None and any(
            time.astimezone(zone).date() < before for zone in self._zones
        )

    def clicks(self, keys: Iterable[int]) -> set[int]:
        """Return which clicks have been counted on these days."""
        found: set[int] = set()
        for some in chunks(keys) if self._before else ():
            counted = self._clicks.filter(key__in=some, day__lt=self._before)
            found.update(counted.values_list("key", flat=True))
        return found

    def orders(self, keys: Iterable[int]) -> set[int]:
        """Return which orders have been counted on these days."""
        found: set[int] = set()
        for some in chunks(keys) if self._before else ():
            lines = self._credits.filter(
                kind=Credit.Kind.LINE, order_key__in=some, day__lt=self._before
            )
            found.update(lines.values_list("order_key", flat=True))
        return found

    def mappings(self) -> QuerySet[Credit]:
        """Return the mappings of these days that the rollup being built does not have itself."""
        if not self.building:
            return self._credits.none()
        return self._credits.filter(kind=Credit.Kind.MAPPING, day__lt=self._before)

    def credits(self, event_pks: Collection[int]) -> dict[int, Credit]:
        """Return what events were credited with before, as credits of the rollup being built."""
        found: dict[int, Credit] = {}
        for some in chunks(event_pks) if self.building else ():
            for credit in self._credits.filter(event_pk__in=some):
                credit.pk, credit.rollup = None, self._rollup
                credit._state.adding = True
                found[credit.event_pk] = credit
        return found
