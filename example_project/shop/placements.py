"""A placement on a page: the question to the API, its answer, and how to ask the same by hand."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from depict_reco.models import Market
from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import RecommendRequest
from example_project.shop.state import DemoState

SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A product as a tile on a page."""

    title: str
    url: str
    image_url: str
    price: str
    old_price: str = ""
    in_stock: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A row of recommendations with everything behind it."""

    title: str
    address: str
    request: str
    response: str
    curl: str
    error: str
    cards: list[Card]


def ask(
    request: HttpRequest, *, market: Market, title: str, endpoint: str, **question: Any
) -> Placement:
    """Ask the API, in this process, as a POST to ``/v2/recommend/products/<endpoint>`` does."""
    body = {"tenant": market.tenant.slug, "market": market.slug, **question, "limit": SHOWN}
    product_ids = question.get("product_ids") or [question.get("product_id")]
    answer = recommend(
        RecommendRequest(
            tenant=body["tenant"],
            market=body["market"],
            type=body["type"],
            product_ids=tuple(one for one in product_ids if one),
            category_id=question.get("category_id"),
            limit=SHOWN,
        )
    )
    response = json.loads(answer.body)
    address = f"/v2/recommend/products/{endpoint}"
    return Placement(
        title=title,
        address=address,
        request=_pretty(body),
        response=_pretty(response),
        curl=curl(request.build_absolute_uri(address), body=body, key=_key()),
        error=response.get("error") or "",
        cards=[_card(display) for display in response["displays"]],
    )


def curl(url: str, *, body: dict[str, Any] | None = None, key: str) -> str:
    """Return the shell command that asks an address of the API."""
    command = f"curl -s {shlex.quote(url)} -H {shlex.quote(f'X-API-KEY: {key}')}"
    if body is None:
        return command
    return f"{command} -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def price(amount: Decimal | float | None, currency: str) -> str:
    """Return an amount as a shopper reads it."""
    if amount is None:
        return ""
    return f"£{amount:.2f}" if currency == "GBP" else f"{amount:.2f} {currency}"


def _card(display: dict[str, Any]) -> Card:
    now, before = display["sale_price"], display["original_price"]
    currency = display.get("currency") or ""
    return Card(
        title=display["title"],
        url=_here(display["page_url"]),
        image_url=_here(display["image_url"]),
        price=price(now, currency),
        old_price=price(before, currency) if now != before else "",
    )


def _here(url: str) -> str:
    """Return an address of the shop without its host, so that it works behind any."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def _key() -> str:
    """The demo's key, on a developer's machine; a shop never shows one with all scopes."""
    return (DemoState.load().key if settings.DEBUG else "") or "YOUR_KEY"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
