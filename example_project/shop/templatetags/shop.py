"""What the shop's templates need beyond Django's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.template import Context

from depict_reco.serving.pages import Recommendations
from example_project.shop import placements

register = template.Library()


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """Show an amount as a shopper reads it."""
    return placements.price(amount, currency)


@register.inclusion_tag("shop/behind.html", takes_context=True)
def behind(context: Context, found: Recommendations) -> dict[str, Any]:
    """Show what the API was asked for a row, and what it answered."""
    return {"exchange": placements.exchange_of(found, request=context["request"])}
