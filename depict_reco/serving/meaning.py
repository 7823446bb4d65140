"""What recommendation ids stand for, in words that a person can read."""

from __future__ import annotations

from typing import Any

from depict_reco.catalog.models import Product
from depict_reco.serving.models import RecommendationType
from depict_reco.serving.tracking import read_recommendation_id
from depict_reco.tenants.models import Market


def meanings_of(ids: list[str], market: Market) -> dict[str, dict[str, Any]]:
    """Return, by id, what was recommended where and when; ids that are not ours are left out."""
    read = {text: found for text in ids if (found := read_recommendation_id(text))}
    products = dict(
        Product.objects.filter(
            market=market, pk__in={one.product_pk for one in read.values()}
        ).values_list("pk", "product_id")
    )
    types = dict(
        RecommendationType.objects.filter(
            tenant=market.tenant_id, pk__in={one.type_pk for one in read.values()}
        ).values_list("pk", "name")
    )
    return {
        text: {
            "type": types.get(one.type_pk),
            "product_id": products.get(one.product_pk),
            "position": one.position + 1,
            "variant": one.variant,
            "time": one.time.isoformat(),
        }
        for text, one in read.items()
    }
