"""Bodies of recommend requests that come from files: told apart by what they hold."""

from __future__ import annotations

from typing import Any

from depict_reco.api.fields import StrictSerializer
from depict_reco.api.serializers import (
    CategoryRecommendRequestSerializer,
    GeneralRecommendRequestSerializer,
    RecommendForManyRequestSerializer,
    RecommendRequestSerializer,
    RecommendRequestV3Serializer,
)

# the endpoint that a body belongs to is told by the first of these keys that it has
_SERIALIZERS = {
    "category_id": CategoryRecommendRequestSerializer(),
    "product_id": RecommendRequestSerializer(),
    "product_ids": RecommendForManyRequestSerializer(),
}
_GENERAL = GeneralRecommendRequestSerializer()
_V3 = RecommendRequestV3Serializer()


def is_v3(body: Any) -> bool:
    """Whether a body is one of v3, which calls the shop ``merchant``."""
    return isinstance(body, dict) and "merchant" in body and "tenant" not in body


def serializer_of(body: Any) -> StrictSerializer:
    """Return what reads a body."""
    if is_v3(body):
        return _V3
    if isinstance(body, dict):
        for name, serializer in _SERIALIZERS.items():
            if name in body:
                return serializer
    return _GENERAL
