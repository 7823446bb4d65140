"""What a recommendation type answers and why, on a page of the admin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.preview_form import PreviewForm, markets_of, types_of
from depict_reco.admin.tables import money
from depict_reco.models import Market, Product, RecommendationType
from depict_reco.serving.explain import Explained, explained
from depict_reco.serving.requests import RecommendRequest
from depict_reco.serving.wording import percent

_LEFT_OUT = 10


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
    reasons: tuple[tuple[str, str], ...] = ()
    """Why it is there, and which share of the whole that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRow:
    """A product that would have been recommended, and why it was not."""

    title: str
    product_id: str
    reason: str
    url: str


def preview_view(model_admin: admin.ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask serving what the type answers and show it as cards."""
    kind = model_admin.get_queryset(request).filter(pk=pk).first()
    if kind is None:
        raise Http404
    if not model_admin.has_view_permission(request, kind):
        raise PermissionDenied
    if other := _other_type(request, kind):
        return HttpResponseRedirect(other)
    market = _market(kind, request.GET.get("market", ""))
    form = found = None
    if market is not None:
        form = PreviewForm(_data(request, kind, market), kind=kind, market=market)
        if form.is_valid():
            question = _question(kind, market, form.cleaned_data)
            found = explained(question, left_out=_LEFT_OUT)
    cards, left_out = _results(market, found) if market and found else ([], [])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Try “%(name)s”") % {"name": kind.name},
        "opts": model_admin.opts,
        "media": model_admin.media + (form.media if form else forms.Media()),
        "kind": kind,
        "form": form,
        "answer": found and found.answer,
        "asked": _asked(market, form) if market and form and found else [],
        "cards": cards,
        "left_out": left_out,
    }
    request.current_app = model_admin.admin_site.name
    template = "admin/depict_reco/recommendationtype/preview.html"
    return TemplateResponse(request, template, context)


def try_product_view(
    model_admin: admin.ModelAdmin, request: HttpRequest, pk: int
) -> HttpResponseRedirect:
    """Send to the page on which a product's placements are tried."""
    product = model_admin.get_queryset(request).filter(pk=pk).first()
    if product is None:
        raise Http404
    if not model_admin.has_view_permission(request, product) or not may_try(model_admin, request):
        raise PermissionDenied
    types = list(types_of(product.market))
    about_one = [kind for kind in types if kind.kind == RecommendationType.Kind.PRODUCT]
    kind = next(iter(about_one or types), None)
    if kind is None or not markets_of(kind).filter(pk=product.market_id).exists():
        text = _("Nothing can be recommended in %(market)s: it has no active type, or is closed.")
        model_admin.message_user(request, text % {"market": product.market}, messages.ERROR)
        return HttpResponseRedirect(links.page_url(product))
    query = {"market": product.market_id, "product_ids": product.product_id}
    return HttpResponseRedirect(preview_url(kind.pk, **query))


def may_try(model_admin: admin.ModelAdmin, request: HttpRequest) -> bool:
    """Whether a person may look at recommendation types, and so at what they answer."""
    types = model_admin.admin_site.get_model_admin(RecommendationType)
    return types.has_view_permission(request)


def preview_url(pk: Any, **query: Any) -> str:
    """Address of the page on which a type is tried."""
    url = reverse("admin:depict_reco_recommendationtype_preview", args=[pk])
    return f"{url}?{urlencode(query)}" if query else url


def _market(kind: RecommendationType, pk: str) -> Market | None:
    markets = markets_of(kind)
    chosen: Market | None = markets.filter(pk=pk).first() if pk.isdecimal() else None
    return chosen or markets.first()


def _other_type(request: HttpRequest, kind: RecommendationType) -> str:
    """Return where the same is asked of another type, if that was chosen."""
    query = request.GET.copy()
    chosen = "".join(query.pop("type", []))
    if not chosen.isdecimal() or int(chosen) == kind.pk:
        return ""
    return f"{preview_url(int(chosen))}?{query.urlencode()}"


def _data(request: HttpRequest, kind: RecommendationType, market: Market) -> Any:
    data = request.GET.copy()
    data["type"], data["market"] = str(kind.pk), str(market.pk)
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


def _results(market: Market, found: Explained) -> tuple[list[Card], list[LeftOutRow]]:
    """Return what was answered and what was left out, with links to the products."""
    displays = json.loads(found.answer.body)["displays"]
    ids = [str(display.get("product_id", "")) for display in displays]
    products = Product.objects.filter(market=market)
    products = products.with_ids([*ids, *(entry.product_id for entry in found.left_out)])
    urls = {
        product_id: links.page_url(Product(pk=pk))
        for product_id, pk in products.values_list("product_id", "pk")
    }
    cards = [
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
            url=urls.get(product_id, ""),
            # of what has one reason only, that it is the whole of it need not be said
            reasons=tuple(
                (one.text, percent(one.share) if len(reasons) > 1 else "") for one in reasons
            ),
        )
        for product_id, display, reasons in zip(ids, displays, found.explanations, strict=True)
    ]
    left_out = [
        LeftOutRow(
            title=entry.title,
            product_id=entry.product_id,
            reason=entry.reason,
            url=urls.get(entry.product_id, ""),
        )
        for entry in found.left_out
    ]
    return cards, left_out


def _prices(price: Decimal | None, sale_price: Decimal | None, currency: str) -> dict[str, Any]:
    if sale_price is None or sale_price == price:
        return {"price": money(price, currency), "old_price": ""}
    return {"price": money(sale_price, currency), "old_price": money(price, currency)}


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))
