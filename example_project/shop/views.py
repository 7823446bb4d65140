"""The shop's pages: the catalogue, a product, the basket, each with what the API recommends."""

from __future__ import annotations

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
from example_project.shop.placements import Card, Placement, ask, price
from example_project.shop.state import TENANT
from example_project.shop.tiles import tile as draw_tile
from example_project.shop.visit import Visit

PER_PAGE = 24


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
    return redirect("shop:catalogue", market=market.slug)


@require_safe
def catalogue(request: HttpRequest, market: str) -> HttpResponse:
    """Show a market's products, by category and search, under a row for this visitor."""
    shop = _market(market)
    visit = Visit(request.session, market=shop.slug)
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
        "shop/catalogue.html",
        shop,
        categories=categories,
        chosen=chosen,
        query=query,
        page=page,
        cards=[_card(shop, product) for product in page],
        placements=[] if query or page.number > 1 else [_welcome(request, shop, visit, chosen)],
    )


@require_safe
def product(request: HttpRequest, market: str, product_id: str) -> HttpResponse:
    """Show one product, what is like it, and what goes with it."""
    shop = _market(market)
    shown = get_object_or_404(Product, market=shop, product_id=product_id, active=True)
    placements = [
        ask(
            request, market=shop, title=title, endpoint="product", type=type_, product_id=product_id
        )
        for type_, title in (("similar", "Similar to this"), ("cross_sell", "Goes well with it"))
    ]
    Visit(request.session, market=shop.slug).view(product_id)
    return _page(
        request,
        "shop/product.html",
        shop,
        product=shown,
        card=_card(shop, shown),
        category=shown.categories.first(),
        placements=placements,
    )


@require_safe
def basket(request: HttpRequest, market: str) -> HttpResponse:
    """Show the basket, and what else goes with all of it."""
    shop = _market(market)
    quantities = Visit(request.session, market=shop.slug).basket
    products = {
        product.product_id: product
        for product in Product.objects.filter(market=shop).with_ids(quantities)
    }
    lines = [
        BasketLine(product=products[one], card=_card(shop, products[one]), quantity=quantity)
        for one, quantity in quantities.items()
        if one in products
    ]
    total = sum((line.cost for line in lines), Decimal(0))
    placement = ask(
        request,
        market=shop,
        title="Often bought with these",
        endpoint="products",
        type="checkout",
        product_ids=list(quantities),
    )
    return _page(
        request,
        "shop/basket.html",
        shop,
        lines=lines,
        total=price(total, shop.currency),
        placements=[placement],
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
    return redirect("shop:basket", market=shop.slug)


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


def _welcome(
    request: HttpRequest, market: Market, visit: Visit, category: Category | None
) -> Placement:
    """The row above the catalogue: of the category, for the visitor, or what all like."""
    if category is not None:
        return ask(
            request,
            market=market,
            title=f"On the rise in {category}",
            endpoint="category",
            type="category",
            category_id=category.category_id,
        )
    if visit.viewed:
        return ask(
            request,
            market=market,
            title="For you",
            endpoint="products",
            type="for_you",
            product_ids=visit.viewed,
        )
    return ask(request, market=market, title="Popular now", endpoint="general", type="popular")


def _market(slug: str) -> Market:
    return get_object_or_404(
        Market.objects.active().select_related("tenant"), tenant__slug=TENANT, slug=slug
    )


def _card(market: Market, product: Product) -> Card:
    currency = product.currency or market.currency
    return Card(
        title=product.title,
        url=reverse("shop:product", args=[market.slug, product.product_id]),
        image_url=reverse("shop:tile", args=[product.product_id]),
        price=price(product.current_price, currency),
        old_price=price(product.price, currency) if product.sale_price is not None else "",
        in_stock=product.in_stock,
    )


def _page(request: HttpRequest, template: str, market: Market, **context: Any) -> HttpResponse:
    context["market"] = market
    context["markets"] = Market.objects.active().filter(tenant=market.tenant).order_by("pk")
    context["basket_size"] = sum(Visit(request.session, market=market.slug).basket.values())
    return render(request, template, context)
