"""What a shopper has bought, and how long ago by the clock of the shop."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from depict_reco.events.models import EventType
from depict_reco.events.shoppers import ShopperEvent
from depict_reco.serving.snapshots import MarketSnapshot

_DAY = 86_400.0

Bought = tuple[tuple[int, float], ...]
"""Code and days ago of each purchase."""


def bought_by(snapshot: MarketSnapshot, events: Sequence[ShopperEvent]) -> Bought:
    """Return the purchases among a shopper's events, newest first.

    A return takes back the last purchase of the product before it, if all of that came back. Days
    are counted back from the time that it is in the shop's data: years ago, where only an old
    history was imported.
    """
    if snapshot.artifact is None or not events:
        return ()
    now = max(timezone.now() - snapshot.artifact.lag, events[0].time).timestamp()
    snapshot.columns.find(event.product_id for event in events)
    known = snapshot.columns.code_of
    returned: dict[int, int] = {}
    bought: list[tuple[int, float]] = []
    for event in events:
        if event.type not in (EventType.PURCHASE, EventType.RETURN):
            continue
        code = known(event.product_id)
        if code is None:
            code = known(event.sku)
        if code is None:
            continue
        if event.type == EventType.RETURN:
            returned[code] = returned.get(code, 0) + max(abs(event.quantity), 1)
            continue
        pieces = max(event.quantity, 1)
        taken = min(returned.get(code, 0), pieces)
        if taken:
            returned[code] -= taken
        if taken < pieces:
            bought.append((code, (now - event.time.timestamp()) / _DAY))
    return tuple(bought)
