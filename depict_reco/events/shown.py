"""Which products recommendation ids were given for, remembered: most clicks name nothing else."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable

from depict_reco.catalog.models import Product

REMEMBERED_SECONDS = 300.0
_MOST = 100_000


class ShownProducts:
    """The product ids of primary keys that were asked for lately; one that is not there is asked
    for again."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, int], str] = {}
        self._since = time.monotonic()

    def ids(self, pks: Iterable[int], *, market_pk: int) -> dict[int, str]:
        """Return the product ids of those that the market has; one query, or none."""
        now = time.monotonic()
        if now - self._since > REMEMBERED_SECONDS or len(self._ids) > _MOST:
            self._ids, self._since = {}, now
        known = self._ids
        asked = set(pks)
        if missing := [pk for pk in asked if (market_pk, pk) not in known]:
            rows = Product.objects.filter(market=market_pk, pk__in=missing)
            known.update(
                ((market_pk, pk), name) for pk, name in rows.values_list("pk", "product_id")
            )
        return {pk: known[market_pk, pk] for pk in asked if (market_pk, pk) in known}


@functools.cache
def shown_products() -> ShownProducts:
    """Return the memory of this process."""
    return ShownProducts()
