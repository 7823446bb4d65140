"""What a recommendation type answers, as a shopper would see it, on a page of the admin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.lookups import LookupMixin, LookupSelect, LookupSelectMultiple
from depict_reco.admin.tables import money
from depict_reco.models import Category, Market, Product, RecommendationType
from depict_reco.serving.models import MAX_LIMIT
from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import RecommendRequest

_PRODUCTS_MAX = 50


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One recommended product, as the page shows it."""

    title: str
    product_id: str
    picture: Any
    price: str
    old_price: str
    """What it cost before; empty where it is not on sale."""
    source: str
    url: str
    """Of the product's page in the admin; empty where it is gone."""


def preview_view(model_admin: admin.ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask serving what the type answers and show it as cards."""
    kind = model_admin.get_queryset(request).filter(pk=pk).first()
    if kind is None:
        raise Http404
    if not model_admin.has_view_permission(request, kind):
        raise PermissionDenied
    market = _market(kind, request.GET.get("market", ""))
    form = answer = None
    if market is not None:
        form = PreviewForm(_data(request, market), kind=kind, market=market)
        if form.is_valid():
            answer = recommend(_question(kind, market, form.cleaned_data))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Preview of “%(name)s”") % {"name": kind.name},
        "opts": model_admin.opts,
        "media": model_admin.media + (form.media if form else forms.Media()),
        "kind": kind,
        "form": form,
        "answer": answer,
        "asked": _asked(market, form) if market and form and answer else [],
        "cards": _cards(market, answer.body) if market and answer else [],
    }
    request.current_app = model_admin.admin_site.name
    template = "admin/depict_reco/recommendationtype/preview.html"
    return TemplateResponse(request, template, context)


def markets_of(kind: RecommendationType) -> Any:
    """Return the markets that a type answers for."""
    markets = Market.objects.active().filter(tenant=kind.tenant).select_related("tenant")
    return markets if kind.market_id is None else markets.filter(pk=kind.market_id)


def _market(kind: RecommendationType, pk: str) -> Market | None:
    markets = markets_of(kind)
    chosen: Market | None = markets.filter(pk=pk).first() if pk.isdigit() else None
    return chosen or markets.first()


def _data(request: HttpRequest, market: Market) -> Any:
    data = request.GET.copy()
    data["market"] = str(market.pk)
    return data


def _question(kind: RecommendationType, market: Market, given: dict[str, Any]) -> RecommendRequest:
    return RecommendRequest(
        tenant=kind.tenant.slug,
        market=market.slug,
        type=kind.name,
        product_ids=given["product_ids"],
        category_id=given["category_id"] or None,
        locale=given["locale"] or None,
        limit=given["limit"],
        user_id=given["shopper"] or None,
        session_id=given["shopper"] or None,
        debug=True,
    )


def _asked(market: Market, form: PreviewForm) -> list[Card]:
    """Return the products that the question is about, in its order."""
    ids = form.cleaned_data["product_ids"]
    found = {row.product_id: row for row in Product.objects.filter(market=market).with_ids(ids)}
    return [
        Card(
            title=row.title,
            product_id=row.product_id,
            picture=links.picture(row.image_url, css_class="reco-picture"),
            source="",
            **_prices(row.price, row.sale_price, row.currency or market.currency),
            url=links.page_url(row),
        )
        for row in (found[i] for i in ids if i in found)
    ]


def _cards(market: Market, body: bytes) -> list[Card]:
    displays = json.loads(body)["displays"]
    ids = [str(display.get("product_id", "")) for display in displays]
    products = Product.objects.filter(market=market).with_ids(ids)
    keys = dict(products.values_list("product_id", "pk"))
    return [
        Card(
            title=display.get("title") or product_id,
            product_id=product_id,
            picture=links.picture(display.get("image_url") or "", css_class="reco-picture"),
            source=display.get("logic") or "",
            **_prices(
                _decimal(display.get("original_price")),
                _decimal(display.get("sale_price")),
                display.get("currency") or market.currency,
            ),
            url=links.page_url(Product(pk=keys[product_id])) if product_id in keys else "",
        )
        for product_id, display in zip(ids, displays, strict=True)
    ]


def _prices(price: Decimal | None, sale_price: Decimal | None, currency: str) -> dict[str, str]:
    if sale_price is None or sale_price == price:
        return {"price": money(price, currency), "old_price": ""}
    return {"price": money(sale_price, currency), "old_price": money(price, currency)}


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))
