"""The shop's pages: the catalogue, a product, the basket, an order.

What they recommend is asked for in the templates: by the tag ``{% recommendations %}``, or by a
``<section data-recommendations>`` that the script of depict_reco fills in the browser. Below
``depict/`` the same pages have other rows: those that Depict's own client fills.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST, require_safe

from depict_reco.models import Category, Market, Product
from example_project.shop import depict
from example_project.shop.state import TENANT
from example_project.shop.tiles import tile as draw_tile
from example_project.shop.visit import Visit

PER_PAGE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A product of the catalogue, with the fields that a recommended one has on a card."""

    product_id: str
    title: str
    page_path: str
    price: Decimal | None
    original_price: Decimal | None
    currency: str
    in_stock: bool

    @property
    def discounted(self) -> bool:
        return self.price != self.original_price


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketLine:
    """Some of one product."""

    product: Product
    card: Card
    quantity: int

    @property
    def cost(self) -> Decimal:
        return self.quantity * (self.product.current_price or Decimal(0))


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Go to the first market, or say how to fill the shop."""
    market = Market.objects.active().filter(tenant__slug=TENANT).order_by("pk").first()
    if market is None:
        return render(request, "shop/empty.html", status=503)
    return _go(request, "catalogue", market)


@require_safe
def catalogue(request: HttpRequest, market: str) -> HttpResponse:
    """Show a market's products, by category and search, under rows for this visitor."""
    shop = _market(market)
    products = Product.objects.recommendable().filter(market=shop)
    categories = (
        Category.objects.filter(market=shop)
        .annotate(
            size=Count(
                "products", filter=Q(products__in=Product.objects.recommendable()), distinct=True
            )
        )
        .filter(size__gt=0)
        .order_by("name", "category_id")
    )
    chosen = next(
        (one for one in categories if one.category_id == request.GET.get("category")), None
    )
    if chosen is not None:
        products = products.filter(categories=chosen)
    if query := request.GET.get("q", "").strip():
        products = products.filter(title__icontains=query)
    page = Paginator(products.order_by("title", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    return _page(
        request,
        "catalogue.html",
        shop,
        categories=categories,
        chosen=chosen,
        query=query,
        page=page,
        cards=[_card(request, shop, product) for product in page],
        recommends=not query and page.number == 1,
    )


@require_safe
def product(request: HttpRequest, market: str, product_id: str) -> HttpResponse:
    """Show one product, what is like it, and what goes with it."""
    shop = _market(market)
    shown = get_object_or_404(Product, market=shop, product_id=product_id, active=True)
    return _page(
        request,
        "product.html",
        shop,
        product=shown,
        card=_card(request, shop, shown),
        category=shown.categories.first(),
    )


@require_safe
def basket(request: HttpRequest, market: str) -> HttpResponse:
    """Show the basket, and what else goes with all of it."""
    shop = _market(market)
    lines = _lines(request, shop, Visit(request.session, market=shop.slug))
    return _page(
        request,
        "basket.html",
        shop,
        lines=lines,
        products=[line.product for line in lines],
        total=sum((line.cost for line in lines), Decimal(0)),
    )


@require_POST
def change_basket(request: HttpRequest, market: str) -> HttpResponse:
    """Put a product into the basket or take it out."""
    shop = _market(market)
    visit = Visit(request.session, market=shop.slug)
    product_id = request.POST.get("product_id", "")
    if request.POST.get("action") == "remove":
        visit.remove(product_id)
    else:
        get_object_or_404(Product, market=shop, product_id=product_id, active=True)
        visit.put(product_id)
    return _go(request, "basket", shop)


@require_POST
def order(request: HttpRequest, market: str) -> HttpResponse:
    """Make an order of the basket."""
    shop = _market(market)
    visit = Visit(request.session, market=shop.slug)
    lines = _lines(request, shop, visit)
    if not lines:
        return _go(request, "basket", shop)
    visit.place(
        {
            "transaction_id": f"shop-{secrets.token_hex(5)}",
            "currency": shop.currency,
            "products": [
                {
                    "sku": line.product.sku or line.product.product_id,
                    "price": f"{line.product.current_price or 0:.2f}",
                    "quantity": line.quantity,
                }
                for line in lines
            ],
        }
    )
    return _go(request, "thanks", shop)


@require_safe
def thanks(request: HttpRequest, market: str) -> HttpResponse:
    """Thank for the last order; the page tells the recommender of it."""
    shop = _market(market)
    placed = Visit(request.session, market=shop.slug).order
    if placed is None:
        return _go(request, "basket", shop)
    return _page(
        request,
        "thanks.html",
        shop,
        order=placed,
        ordered=",".join(line["sku"] for line in placed["products"]),
    )


@require_GET
def tile(request: HttpRequest, product_id: str) -> HttpResponse:
    """Draw the picture of a product."""
    shown = (
        Product.objects.filter(market__tenant__slug=TENANT, product_id=product_id)
        .order_by("market")
        .first()
    )
    category = shown.categories.first() if shown else None
    return HttpResponse(
        draw_tile(
            title=shown.title if shown else product_id,
            category=str(category or ""),
            product_id=product_id,
        ),
        content_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=3600"},
    )


def _market(slug: str) -> Market:
    return get_object_or_404(
        Market.objects.active().select_related("tenant"), tenant__slug=TENANT, slug=slug
    )


def _card(request: HttpRequest, market: Market, product: Product) -> Card:
    price = product.current_price
    return Card(
        product_id=product.product_id,
        title=product.title,
        page_path=_address(request, "product", market.slug, product.product_id),
        price=price,
        original_price=price if product.price is None else product.price,
        currency=product.currency or market.currency,
        in_stock=product.in_stock,
    )


def _lines(request: HttpRequest, market: Market, visit: Visit) -> list[BasketLine]:
    quantities = visit.basket
    products = {
        product.product_id: product
        for product in Product.objects.filter(market=market).with_ids(quantities)
    }
    return [
        BasketLine(
            product=products[one], card=_card(request, market, products[one]), quantity=quantity
        )
        for one, quantity in quantities.items()
        if one in products
    ]


def _form(request: HttpRequest) -> str:
    """Return which form of the shop a page belongs to: ``shop``, or ``depict`` for the client's."""
    return request.resolver_match.namespace if request.resolver_match else ""


def _address(request: HttpRequest, name: str, *about: str) -> str:
    """Return where a page is, in the form of the shop that the request is in."""
    return reverse(f"shop:{name}", args=about, current_app=_form(request))


def _go(request: HttpRequest, name: str, market: Market) -> HttpResponse:
    return redirect(_address(request, name, market.slug))


def _page(request: HttpRequest, template: str, market: Market, **context: Any) -> HttpResponse:
    here = request.resolver_match
    assert here is not None  # noqa: S101  a view was found
    by_client = here.namespace == depict.FORM
    other = "shop" if by_client else depict.FORM
    context |= {
        "market": market,
        "markets": Market.objects.active().filter(tenant=market.tenant).order_by("pk"),
        "basket_size": sum(Visit(request.session, market=market.slug).basket.values()),
        "client": depict.Client.here() if by_client else None,
        "other_form": reverse(f"{other}:{here.url_name}", kwargs=here.kwargs),
    }
    folder = "shop/depict" if by_client else "shop"
    return render(request, f"{folder}/{template}", context)
