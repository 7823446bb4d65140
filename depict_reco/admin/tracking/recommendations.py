"""What the recommendation ids of events stand for, and what is wrong with those that stand for
nothing here."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from depict_reco.models import Market, Product, RecommendationType
from depict_reco.serving.tracking import read_recommendation_id


class Origin(enum.Enum):
    """Where a recommendation id comes from."""

    OURS = "ours"
    OTHER_MARKET = "other_market"
    OTHER_TENANT = "other_tenant"
    GONE = "gone"
    """It is genuine, and neither its type nor its product are there any more."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a recommendation id says; of another tenant's, only that it is one."""

    origin: Origin
    type_name: str = ""
    type_pk: int = 0
    product: Product | None = None
    position: int = 0
    """1 is the first."""
    variant: int = 0
    time: datetime | None = None


def read_ids(ids: Iterable[str], *, market: Market) -> dict[str, Shown]:
    """Say of each id what it stands for, as an event of this market has it; two queries."""
    read = {text: read_recommendation_id(text) for text in set(ids)}
    found = [one for one in read.values() if one is not None]
    types = RecommendationType.objects.in_bulk({one.type_pk for one in found}) if found else {}
    products = (
        Product.objects.select_related("market")
        .only("title", "product_id", "market__tenant_id", "market__slug")
        .in_bulk({one.product_pk for one in found})
        if found
        else {}
    )
    shown = {}
    for text, one in read.items():
        if one is None:
            shown[text] = Shown(origin=Origin.UNREADABLE)
            continue
        kind, product = types.get(one.type_pk), products.get(one.product_pk)
        origin = _origin(kind, product, market)
        if origin in {Origin.OTHER_TENANT, Origin.GONE}:
            shown[text] = Shown(origin=origin, time=one.time)
            continue
        shown[text] = Shown(
            origin=origin,
            type_name=kind.name if kind else "",
            type_pk=one.type_pk,
            product=product,
            position=one.position + 1,
            variant=one.variant,
            time=one.time,
        )
    return shown


def _origin(kind: RecommendationType | None, product: Product | None, market: Market) -> Origin:
    tenants = {kind.tenant_id} if kind else set()
    tenants |= {product.market.tenant_id} if product else set()
    if not tenants:
        return Origin.GONE
    if tenants != {market.tenant_id}:
        return Origin.OTHER_TENANT
    markets = {product.market_id} if product else set()
    markets |= {kind.market_id} if kind and kind.market_id else set()
    return Origin.OURS if markets <= {market.pk} else Origin.OTHER_MARKET
