"""What stands behind a row of recommendations: the question, the answer, how to ask by hand."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from depict_reco.serving.pages import Recommendations
from depict_reco.serving.requests import RecommendRequest
from example_project.shop.state import DemoState


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question to the API and its answer, as they go over the wire."""

    address: str
    request: str
    response: str
    curl: str


def exchange_of(found: Recommendations, *, request: HttpRequest) -> Exchange | None:
    """Return the exchange that gives the recommendations of a page; None if nothing was asked."""
    question, answer = found.question, found.answer
    if question is None or answer is None:
        return None
    body = {"tenant": question.tenant, "market": question.market, "type": question.type}
    endpoint, about = _about(question)
    body |= about
    body |= {name: value for name in ("limit", "session_id") if (value := getattr(question, name))}
    address = f"/v2/recommend/products/{endpoint}"
    return Exchange(
        address=address,
        request=_pretty(body),
        response=_pretty(json.loads(answer.body)),
        curl=curl(request.build_absolute_uri(address), body=body, key=_key()),
    )


def _about(question: RecommendRequest) -> tuple[str, dict[str, Any]]:
    """Return the endpoint for what a question is about, and how its body says that."""
    if question.category_id:
        return "category", {"category_id": question.category_id}
    if len(question.product_ids) == 1:
        return "product", {"product_id": question.product_ids[0]}
    if question.product_ids:
        return "products", {"product_ids": list(question.product_ids)}
    return "general", {}


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


def _key() -> str:
    """The demo's key, on a developer's machine; a shop never shows one with all scopes."""
    return (DemoState.load().key if settings.DEBUG else "") or "YOUR_KEY"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
