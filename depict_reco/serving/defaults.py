"""The recommendation types that every new tenant begins with."""

from __future__ import annotations

from django.db import transaction

from depict_reco.serving.models import RecommendationType, require_room
from depict_reco.serving.strategies import Strategy
from depict_reco.tenants.models import Tenant

Kind = RecommendationType.Kind

DEFAULT_TYPES: tuple[tuple[str, str, str], ...] = (
    ("similar", Kind.PRODUCT, Strategy.SUBSTITUTES),
    ("related", Kind.PRODUCT, Strategy.SUBSTITUTES),
    ("cross_sell", Kind.PRODUCT, Strategy.COMPLEMENTS),
    ("upsell", Kind.PRODUCT, Strategy.UPSELL),
    ("checkout", Kind.MULTI_PRODUCT, Strategy.COMPLEMENTS),
    ("after_basket", Kind.MULTI_PRODUCT, Strategy.COMPLEMENTS),
    ("front_page", Kind.USER_ONLY, Strategy.NEXT),
    ("landing_page", Kind.USER_ONLY, Strategy.TRENDING),
    ("for_you", Kind.USER_ONLY, Strategy.NEXT),
    ("popular", Kind.USER_ONLY, Strategy.POPULAR),
    ("trending", Kind.USER_ONLY, Strategy.TRENDING),
    ("new_in", Kind.USER_ONLY, Strategy.NEWEST),
    ("recently_viewed", Kind.USER_ONLY, Strategy.RECENTLY_VIEWED),
    ("category", Kind.CATEGORY, Strategy.TRENDING),
    ("buy_again", Kind.USER_ONLY, Strategy.BUY_AGAIN),
)


def add_default_types(tenant: Tenant) -> int:
    """Give a tenant the default types that it lacks; return how many were added."""
    present = set(
        RecommendationType.objects.filter(tenant=tenant, market=None).values_list("name", flat=True)
    )
    missing = [row for row in DEFAULT_TYPES if row[0] not in present]
    with transaction.atomic():
        made = RecommendationType.objects.bulk_create(
            RecommendationType(tenant=tenant, name=name, kind=kind, strategy=strategy)
            for name, kind, strategy in missing
        )
        for row in made:
            require_room(row.pk)
        if missing:
            Tenant.objects.touch({tenant.pk})
    return len(missing)
