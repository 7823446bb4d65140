"""Take out of the raw material of the counters what came of events that are erased.

The counters themselves are sums that name nobody: they keep their figures until they are computed
anew, from the events that are left.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F

from depict_reco.analytics.evidence import CLICK_TYPES, rows_of
from depict_reco.analytics.models import CountedClick, Credit, Rollup
from depict_reco.events.models import Event


def forget(event_pks: Collection[int], *, market_pk: int) -> dict[str, int]:
    """Delete what is kept of some events of a market that are about to go; say what of it.

    To be called in the transaction that deletes them.
    """
    rollups = list(Rollup.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    if not rollups:
        return {}
    # a step that has read these events already finds another revision, and is done again
    Rollup.objects.filter(pk__in=rollups).update(revision=F("revision") + 1)
    clicks = Event.objects.filter(pk__in=event_pks, type__in=CLICK_TYPES)
    keys = {row.click_key for row in rows_of(clicks.exclude(recommendation_id=""))}
    credited, _ = Credit.objects.filter(rollup__in=rollups, event_pk__in=event_pks).delete()
    clicked, _ = CountedClick.objects.filter(
        rollup__in=rollups, market=market_pk, key__in=keys
    ).delete()
    counts = {"analytics.credit": credited, "analytics.counted_click": clicked}
    return {name: count for name, count in counts.items() if count}
