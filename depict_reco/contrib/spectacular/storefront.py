"""The storefront's part of the OpenAPI document, as far as serializers do not say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from depict_reco.api.event_serializers import EVENT_TYPES, UNAVAILABILITY_TYPES

_ERROR = {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Error"}

COMPONENTS: dict[str, Any] = {
    "RecommendResponse": {
        "type": "object",
        "title": "RecommendResponse",
        "properties": {
            "displays": {"type": "array", "items": {"type": "object"}, "title": "Displays"},
            "error": _ERROR,
            "variant": {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "Variant"},
            "experiment_id": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "title": "Experiment Id",
            },
        },
        "required": ["displays"],
        "additionalProperties": False,
    },
    "RecommendResponseV3": {
        "type": "object",
        "title": "RecommendResponseV3",
        "properties": {
            "displays": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/APIDisplay"},
                "title": "Displays",
            },
            "error": _ERROR,
        },
        "required": ["displays"],
        "additionalProperties": False,
    },
    "APIDisplay": {
        "type": "object",
        "title": "APIDisplay",
        "description": "Beside these fields, `recommendation_id` names the display in events.",
        "properties": {
            "variant_index": {"type": "integer", "title": "Variant Index"},
            "variant_displays": {
                "type": "array",
                "items": {"type": "object"},
                "title": "Variant Displays",
            },
            "variant_skus": {"type": "array", "items": {"type": "string"}, "title": "Variant Skus"},
            "variant_product_ids": {
                "type": "array",
                "items": {"type": "string"},
                "title": "Variant Product Ids",
            },
        },
        "required": ["variant_index", "variant_displays", "variant_skus", "variant_product_ids"],
    },
    "Surface": {
        "type": "object",
        "title": "Surface",
        "properties": {
            "name": {"type": "string"},
            "kind": {
                "type": "string",
                "enum": ["user_only", "product", "category", "multi_product"],
            },
        },
        "required": ["name", "kind"],
    },
    "EEventType": {"type": "string", "title": "EEventType", "enum": list(EVENT_TYPES)},
    "EUnavailabilityType": {
        "type": "string",
        "title": "EUnavailabilityType",
        "enum": list(UNAVAILABILITY_TYPES),
    },
    "HTTPValidationError": {
        "type": "object",
        "title": "HTTPValidationError",
        "properties": {
            "detail": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/ValidationError"},
                "title": "Detail",
            }
        },
    },
    "ValidationError": {
        "type": "object",
        "title": "ValidationError",
        "properties": {
            "loc": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "title": "Location",
            },
            "msg": {"type": "string", "title": "Message"},
            "type": {"type": "string", "title": "Error Type"},
        },
        "required": ["loc", "msg", "type"],
    },
}


def component(name: str) -> dict[str, str]:
    """Return a reference to one of the components above."""
    return {"$ref": f"#/components/schemas/{name}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the document says of one endpoint."""

    id: str
    tag: str
    summary: str
    description: str
    answer: dict[str, Any] = field(default_factory=dict)
    """Schema of the answer 200; empty where the contract says nothing of it."""
    example: Any = None
    reads_headers: bool = False
    """Whether the contract names the headers that a server may read."""
    deprecated: bool = False


_DISPLAYS = (
    "Answers recommendation displays. Each carries a `recommendation_id`, which also stands in "
    "its `page_url`; send it back in events when the shopper does something with the product. "
)
_V2 = "Recommendations (v2)"
_V3 = "Recommendations (v3)"
_OTHER = "Other (v3)"
_EVENTS = "Events (v2)"
_TAKEN = {"accepted": 1, "duplicates": 0}
_ALL_OR_NONE = (
    "Answers how many events are stored now, and how many were stored before. Of a request with "
    "an event that is not valid nothing is stored. "
)

OPERATIONS = {
    "RecommendForUserView": Operation(
        id="Recommend_for_User_v2_recommend_products_general_post",
        tag=_V2,
        summary="Recommend For User",
        description=_DISPLAYS + "Nothing but the shopper is known.",
        answer=component("RecommendResponse"),
    ),
    "RecommendForProductView": Operation(
        id="Recommend_for_Product_and_User_v2_recommend_products_product_post",
        tag=_V2,
        summary="Recommend For Product And User",
        description=_DISPLAYS + "Beside one product.",
        answer=component("RecommendResponse"),
    ),
    "RecommendForCategoryView": Operation(
        id="Recommend_for_Category_and_User_v2_recommend_products_category_post",
        tag=_V2,
        summary="Recommend For Category And User",
        description=_DISPLAYS + "In one category.",
        answer=component("RecommendResponse"),
    ),
    "RecommendForProductsView": Operation(
        id="Recommend_for_Products_and_User_v2_recommend_products_products_post",
        tag=_V2,
        summary="Recommend For Products And User",
        description=_DISPLAYS + "Beside several products, such as a basket; there may be none.",
        answer=component("RecommendResponse"),
    ),
    "RecommendV3View": Operation(
        id="Recommendations_v3_recommend_products_post",
        tag=_V3,
        summary="Recommendations",
        description=_DISPLAYS + "One endpoint for all types; fields that it does not know are "
        "ignored, since Depict's client forwards whatever a shop hands to it.",
        answer=component("RecommendResponseV3"),
    ),
    "CreateEventsView": Operation(
        id="create_events_create_events_post",
        tag=_EVENTS,
        summary="Create Events",
        description=_ALL_OR_NONE + "Takes what shoppers do on pages, as a bare array.",
        example=_TAKEN,
        reads_headers=True,
    ),
    "CreateEventsV2View": Operation(
        id="create_events_v2_v2_create_events_post",
        tag=_EVENTS,
        summary="Create Events V2",
        description=_ALL_OR_NONE + "Takes orders, whose they are, and products that cannot be "
        "bought any more.",
        example=_TAKEN,
    ),
    "TrackV2View": Operation(
        id="track_v2_v2_track_post",
        tag=_EVENTS,
        summary="Track V2",
        description=_ALL_OR_NONE + "The older name of `/v2/create-events`.",
        example=_TAKEN,
        deprecated=True,
    ),
    "GetDisplaysView": Operation(
        id="get_displays_v3_get_displays_post",
        tag=_OTHER,
        summary="Get Displays",
        description="Answers `displays` of 1 to 50 products; unknown ones are left out.",
    ),
    "MarketsView": Operation(
        id="get_markets_v3_markets_get",
        tag=_OTHER,
        summary="Get Markets",
        description="The keys of a shop's markets.",
        example={"markets": ["se"]},
    ),
    "LocalesView": Operation(
        id="get_locales_v3_locales_get",
        tag=_OTHER,
        summary="Get Locales",
        description="The locales of all of a shop's markets.",
        example={"locales": ["sv-SE"]},
    ),
    "SurfacesView": Operation(
        id="observed_v2_recommend_surfaces_get",
        tag=_V2,
        summary="List recommendation types",
        description="The types that a shop can ask for.",
        answer={"type": "array", "items": component("Surface")},
    ),
}
"""By the name of the view."""
