"""The boxes of the page on which a recommendation type is tried."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from depict_reco.admin.lookups import LookupMixin, LookupSelect, LookupSelectMultiple
from depict_reco.models import Category, Market, Product, RecommendationType
from depict_reco.serving.models import MAX_LIMIT

_PRODUCTS_MAX = 50
_TYPES_MAX = 200


class _ByIdMixin(LookupMixin):
    """Chosen rows are named by the wire's ids, not by keys."""

    model: Any = None
    id_field = ""

    def chosen(self, values: list[str]) -> list[tuple[str, str]]:
        rows = self.model.objects.filter(
            market=self.query["market"], **{f"{self.id_field}__in": values}
        )
        names = {getattr(row, self.id_field): str(row) for row in rows}
        return [(value, names.get(value, value)) for value in values]


class ProductIdSelect(_ByIdMixin, LookupSelectMultiple):
    model, id_field = Product, "product_id"


class CategoryIdSelect(_ByIdMixin, LookupSelect):
    model, id_field = Category, "category_id"


class PreviewForm(forms.Form):
    """What to ask; the boxes search in the chosen market."""

    type = forms.ChoiceField(label=_("Type"))
    market = forms.ModelChoiceField(label=_("Market"), queryset=Market.objects.none())
    product_ids = forms.Field(label=_("Products"), required=False)
    category_id = forms.CharField(label=_("Category"), required=False)
    shopper = forms.CharField(
        label=_("Shopper"), required=False, help_text=_("A session id or user id.")
    )
    locale = forms.ChoiceField(label=_("Locale"), required=False)
    limit = forms.IntegerField(label=_("Limit"), required=False, min_value=1, max_value=MAX_LIMIT)

    def __init__(self, data: Any, *, kind: RecommendationType, market: Market) -> None:
        super().__init__(data)
        self.fields["type"].choices = [  # type: ignore[attr-defined]
            (str(other.pk), str(other)) for other in {kind: None} | dict.fromkeys(types_of(market))
        ]
        self.fields["type"].widget.attrs["class"] = "reco-submit"
        markets = self.fields["market"]
        markets.queryset = markets_of(kind)  # type: ignore[attr-defined]
        markets.widget.attrs["class"] = "reco-resubmit"
        self.fields["product_ids"].widget = ProductIdSelect(
            url_name="admin:depict_reco_product_lookup", market=market.pk, by_id=1
        )
        self.fields["category_id"].widget = CategoryIdSelect(
            url_name="admin:depict_reco_category_lookup", market=market.pk, by_id=1
        )
        for name in ("product_ids", "category_id", "locale"):
            self.fields[name].widget.attrs["data-of-market"] = ""
        self.fields["locale"].choices = [  # type: ignore[attr-defined]
            ("", "-"), *((locale, locale) for locale in market.all_locales),
        ]  # fmt: skip
        self.fields["limit"].widget.attrs["placeholder"] = kind.default_limit

    def clean_product_ids(self) -> tuple[str, ...]:
        given: QueryDict = self.data  # type: ignore[assignment]
        return tuple(given.getlist("product_ids"))[:_PRODUCTS_MAX]


def types_of(market: Market) -> QuerySet[RecommendationType]:
    """Return the types that answer in a market; of very many the first."""
    types = RecommendationType.objects.active().filter(tenant=market.tenant_id)
    types = types.filter(Q(market=None) | Q(market=market)).select_related("market")
    return types.order_by("name", "pk")[:_TYPES_MAX]


def markets_of(kind: RecommendationType) -> Any:
    """Return the markets that a type answers for."""
    markets = Market.objects.active().filter(tenant=kind.tenant).select_related("tenant")
    return markets if kind.market_id is None else markets.filter(pk=kind.market_id)
