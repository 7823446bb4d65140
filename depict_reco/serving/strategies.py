"""The ways to answer a recommendation type, and the chain of sources behind each.

A chain is declared, not accidental: a source that has too little to say hands over to the next
one, and the last one always has something as long as the market has a product to show.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class Strategy(models.TextChoices):
    """What a shop wants to know, in the field's words."""

    SUBSTITUTES = "substitutes", _("similar products, to choose from instead")
    COMPLEMENTS = "complements", _("products that go with these")
    UPSELL = "upsell", _("similar products of a higher price")
    NEXT = "next", _("what this shopper will want next")
    POPULAR = "popular", _("popular products")
    TRENDING = "trending", _("products on the rise")
    NEWEST = "newest", _("new products")
    RECENTLY_VIEWED = "recently_viewed", _("what this shopper looked at")
    BUY_AGAIN = "buy_again", _("what this shopper will buy again")


MOST_EXPLORED = 0.5
"""Largest share of an answer that may go to new products."""

CHAINS: dict[str, tuple[str, ...]] = {
    # source names are methods of serving.candidates; one answer is filled from left to right
    Strategy.SUBSTITUTES: ("substitutes", "content", "trending", "popular", "catalogue"),
    Strategy.COMPLEMENTS: ("complements", "sessions", "trending", "popular", "catalogue"),
    Strategy.UPSELL: ("upsell", "substitutes", "content", "trending", "popular", "catalogue"),
    Strategy.NEXT: ("sessions", "content", "trending", "popular", "catalogue"),
    Strategy.POPULAR: ("popular", "catalogue"),
    Strategy.TRENDING: ("trending", "popular", "catalogue"),
    Strategy.NEWEST: ("newest", "catalogue"),
    Strategy.RECENTLY_VIEWED: ("recently_viewed", "sessions", "trending", "popular", "catalogue"),
    Strategy.BUY_AGAIN: ("buy_again", "sessions", "trending", "popular", "catalogue"),
}


def validate_parameters(parameters: Any) -> None:
    """Raise ValueError, with what to do, unless these are parameters of a type.

    ``exclude_category_ids``  list of category ids whose products are left out
    ``chain``                 list of source names to use instead of the strategy's own
    ``exploration``           share of the places that new products take turns in, 0 to 0.5
    """
    if not isinstance(parameters, dict):
        raise ValueError("Parameters are a JSON object, such as {}.")
    known = {"exclude_category_ids", "chain", "exploration"}
    if unknown := sorted(set(parameters) - known):
        raise ValueError(f"Unknown parameter {unknown[0]!r}; known are {', '.join(sorted(known))}.")
    share = parameters.get("exploration", 0)
    if type(share) not in (int, float) or not 0 <= share <= MOST_EXPLORED:
        raise ValueError(
            f"exploration must be a number from 0 to {MOST_EXPLORED}, not {share!r}: the share of "
            "the places that go to new products."
        )
    for name, value in parameters.items():
        if name == "exploration":
            continue
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise ValueError(f"{name} must be a list of strings.")
    sources = {source for chain in CHAINS.values() for source in chain}
    for source in parameters.get("chain", ()):
        if source not in sources:
            raise ValueError(f"Unknown source {source!r}; known are {', '.join(sorted(sources))}.")
