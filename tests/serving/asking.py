"""Ask the small shop, and look at the answer as a storefront would."""

from __future__ import annotations

import json
from typing import Any

from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import Answer, RecommendRequest


def answer(type_: str, *product_ids: str, **fields: Any) -> Answer:
    fields = {"tenant": "acme", "market": "se"} | fields
    return recommend(RecommendRequest(type=type_, product_ids=product_ids, **fields))


def ask(type_: str, *product_ids: str, **fields: Any) -> list[str]:
    """Return the recommended product ids, best first."""
    return [display["product_id"] for display in displays(type_, *product_ids, **fields)]


def displays(type_: str, *product_ids: str, **fields: Any) -> list[dict[str, Any]]:
    return json.loads(answer(type_, *product_ids, **fields).body)["displays"]
