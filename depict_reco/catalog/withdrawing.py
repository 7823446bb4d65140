"""Take products out of answers that cannot be bought, as shoppers' pages found out."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from depict_reco.catalog.models import Product, catalog_change

WINDOW = timedelta(days=1)
ALWAYS = 10
"""Products that may be taken out within WINDOW, however small the share of them that may."""


def withdraw_products(market_pk: int, names: Collection[str], *, share: float = 1.0) -> int:
    """Take the products, or item groups, of these ids out of answers; return how many were in.

    They are out until a feed has them. Below 1, ``share`` is how much of the market may be out
    because of events of the last day, so that whoever forges them can do little harm.
    """
    named = Product.objects.filter(
        Q(product_id__in=names) | Q(item_group_id__in=names), market=market_pk, active=True
    )
    now = timezone.now()
    if share <= 0 or not named.exists() or not _room(market_pk, share, now):
        return 0
    with catalog_change(market_pk) as revision:  # one after the other, so that none is overlooked
        if share < 1:
            some = named.order_by("pk").values_list("pk", flat=True)
            named = Product.objects.filter(pk__in=list(some[: _room(market_pk, share, now)]))
        return named.update(
            active=False, withdrawn_at=now, updated_at=timezone.now(), revision=revision
        )


def _room(market_pk: int, share: float, now: datetime) -> int:
    """Return how many more may be taken out."""
    products = Product.objects.filter(market=market_pk)
    if share >= 1:
        return products.count()
    most = max(ALWAYS, int(share * products.filter(active=True).count()))
    return max(0, most - products.withdrawn_since(now - WINDOW).count())
