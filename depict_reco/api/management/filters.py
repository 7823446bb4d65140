"""Filters of the management API's lists; a value that cannot be is refused, not ignored."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from depict_reco.models import (
    Artifact,
    Category,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)

_LARGEST_PRICE = Decimal(10) ** 10


@extend_schema_field({"type": "boolean"})
class BooleanFilter(filters.TypedChoiceFilter):
    """``true`` or ``false``."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce="true".__eq__, empty_value=None, **kwargs)


class PriceFilter(filters.NumberFilter):
    """An amount that a price can have."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal(0), max_value=_LARGEST_PRICE, **kwargs)


def validate_moment(moment: datetime) -> None:
    """Refuse moments at the ends of the calendar, which databases cannot convert."""
    if not 1900 <= moment.year <= 9000:
        raise ValidationError(_("Use a year from 1900 to 9000."))


class TenantFilters(filters.FilterSet):
    slug = filters.CharFilter(label="Exactly this slug.")
    active = BooleanFilter(label="Whether requests are answered.")

    class Meta:
        model = Tenant
        fields: list[str] = []


class MarketFilters(filters.FilterSet):
    tenant = filters.CharFilter("tenant__slug", label="Slug of the tenant.")
    slug = filters.CharFilter(label="Exactly this slug.")
    active = BooleanFilter(label="Whether requests are answered.")

    class Meta:
        model = Market
        fields: list[str] = []


class OfMarket(filters.FilterSet):
    """Base of filters on rows that belong to a market."""

    tenant = filters.CharFilter("market__tenant__slug", label="Slug of the tenant.")
    market = filters.CharFilter("market__slug", label="Slug of the market.")


class RecommendationTypeFilters(OfMarket):
    tenant = filters.CharFilter("tenant__slug", label="Slug of the tenant.")
    name = filters.CharFilter(label="Exactly this name.")
    kind = filters.ChoiceFilter(choices=RecommendationType.Kind.choices)
    active = BooleanFilter(label="Whether the type is answered.")

    class Meta:
        model = RecommendationType
        fields: list[str] = []


class CategoryFilters(OfMarket):
    category_id = filters.CharFilter(label="Exactly this category id.", strip=False)
    parent = filters.CharFilter(
        "parent__category_id", label="Category id of the parent.", strip=False
    )
    q = filters.CharFilter(method="search", label="Text in the name or the category id.")

    class Meta:
        model = Category
        fields: list[str] = []

    def search(self, rows: QuerySet[Category], name: str, text: str) -> QuerySet[Category]:
        return rows.filter(Q(name__icontains=text) | Q(category_id__icontains=text))


class ProductFilters(OfMarket):
    product_id = filters.CharFilter(label="Exactly this product id.", strip=False)
    sku = filters.CharFilter(label="Exactly this SKU.", strip=False)
    item_group_id = filters.CharFilter(label="Exactly this item group.", strip=False)
    category = filters.CharFilter(
        "categories__category_id", label="Category id, without its subcategories.", strip=False
    )
    brand = filters.CharFilter(lookup_expr="iexact", label="This brand, in any case.")
    price_min = PriceFilter(method="at_least", label="Costs at least this now.")
    price_max = PriceFilter(method="at_most", label="Costs at most this now.")
    in_stock = BooleanFilter(label="Whether it is in stock.")
    hidden = BooleanFilter(label="Whether it is never recommended.")
    active = BooleanFilter(label="Whether the feed still has it.")
    q = filters.CharFilter(method="search", label="Text in the title, the product id or the SKU.")
    updated_since = filters.IsoDateTimeFilter(
        "updated_at",
        lookup_expr="gte",
        validators=[validate_moment],
        label="Changed at this moment or later.",
    )

    class Meta:
        model = Product
        fields: list[str] = []

    def at_least(self, rows: QuerySet[Product], name: str, price: Decimal) -> QuerySet[Product]:
        return rows.alias(current=Coalesce("sale_price", "price")).filter(current__gte=price)

    def at_most(self, rows: QuerySet[Product], name: str, price: Decimal) -> QuerySet[Product]:
        return rows.alias(current=Coalesce("sale_price", "price")).filter(current__lte=price)

    def search(self, rows: QuerySet[Product], name: str, text: str) -> QuerySet[Product]:
        return rows.filter(
            Q(title__icontains=text) | Q(product_id__icontains=text) | Q(sku__icontains=text)
        )


class FeedFilters(OfMarket):
    name = filters.CharFilter(label="Exactly this name.")
    active = BooleanFilter(label="Whether it is to be imported.")

    class Meta:
        model = Feed
        fields: list[str] = []


class FeedRunFilters(OfMarket):
    feed = filters.NumberFilter("feed_id", min_value=1, max_value=2**63 - 1, label="Id of a feed.")
    status = filters.ChoiceFilter(choices=FeedRun.Status.choices)

    class Meta:
        model = FeedRun
        fields: list[str] = []


class TrainingRunFilters(OfMarket):
    status = filters.ChoiceFilter(choices=TrainingRun.Status.choices)

    class Meta:
        model = TrainingRun
        fields: list[str] = []


class ArtifactFilters(OfMarket):
    version = filters.CharFilter(label="Exactly this version.")
    current = BooleanFilter(label="Whether it is the one that is served.")

    class Meta:
        model = Artifact
        fields: list[str] = []
