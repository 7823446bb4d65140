"""The bodies that events come in, field by field as the contract has them.

Where clients send what the contract forbids and a server has to take, it is taken: numbers for
``document_width`` and ``entity_price``, and three fields more in an event of a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty

from depict_reco.api.fields import (
    StrictChoiceField,
    StrictDictField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
    StrictStringField,
    StrictStringOrNumberField,
)
from depict_reco.events.wire import CURRENCIES

_NO_EVENT = {
    "non_field_errors": [
        ErrorDetail(
            "Input should be a valid dictionary or object to extract fields from",
            code="model_attributes_type",
        )
    ]
}

EVENT_TYPES = (
    "page_view", "click", "add_to_cart", "purchase", "element_visible", "ws_click",
    "recommendations_inserted", "native_shopify_collection_click",
    "native_shopify_collection_view", "native_shopify_grid_item_click",
)  # fmt: skip
"""Kinds of event that pages report, in the contract's order."""

UNAVAILABILITY_TYPES = ("out_of_stock", "missing")


def _text(help_text: str, **kwargs: Any) -> StrictStringField:
    return StrictStringField(required=False, allow_null=True, help_text=help_text, **kwargs)


class EventSerializer(StrictSerializer):
    """One thing that a shopper did."""

    ignores = frozenset({"transaction_id", "error_type", "detail"})
    """Fields that Depict's client lets through, though the contract does not know them."""

    tenant = StrictStringField(help_text="The shop's key (lower case).")
    market = StrictStringField(help_text="The market's key (lower case).")
    deduplication_id = _text("Equal on every retry of one event, so that it is stored once.")
    type = StrictChoiceField(choices=EVENT_TYPES, help_text="What the shopper did.")
    user_id = _text("The shop's own key of the customer.")
    session_id = _text("The key of the browser or app session.")
    dsid = _text("Depict's session key, sent by Depict's own client.", min_length=1)
    ab_test_group = _text("Accepted and not used.")
    product_id = _text("The product, by the id that displays have.")
    variant_ids = StrictListField(
        child=StrictStringField(),
        required=False,
        allow_null=True,
        help_text="The first one stands in for a product id that is missing.",
    )
    entity_identifiers = StrictDictField(
        child=StrictStringField(),
        required=False,
        allow_null=True,
        help_text="Further ids of the product; `sku` is used.",
    )
    url = _text("The page's address; only a recommendation id in it is kept.")
    entity_price = StrictStringOrNumberField(
        required=False, allow_null=True, help_text="The product's price, such as 100 or `100$`."
    )
    currency = _text("ISO 4217 code.")
    document_referrer = _text("Accepted and not used.")
    document_width = StrictStringOrNumberField(
        required=False, allow_null=True, help_text="Accepted and not used."
    )
    attribution_id = _text("Accepted and not used.")
    recommendation_id = _text("The id of the display that the shopper dealt with.")
    search_result_id = _text("The id of a search result; tells clicks apart.")
    product_listing_result_id = _text("The id of a product in a listing; tells clicks apart.")
    click_location = _text("Accepted and not used.")
    page_url = _text("The product page's address; only a recommendation id in it is kept.")
    recommendation_type = _text("The type of the recommendations that were inserted.")
    collection_handle = _text("Accepted and not used.")
    shopify_collection_id = _text("Accepted and not used.")
    grid_item_id = StrictIntegerField(
        required=False, allow_null=True, help_text="Accepted and not used."
    )
    grid_item_link = _text("Accepted and not used.")
    depict_ab_variant = _text("Accepted and not used.")


class _OrderEventSerializer(StrictSerializer):
    """What the events of ``/v2/create-events`` have in common."""

    user_id = _text("The shop's own key of the customer.", min_length=1)
    session_id = _text("The key of the browser or app session.", min_length=1)
    dsid = _text("Depict's session key, sent by Depict's own client.", min_length=1)


def _event_type(name: str, **kwargs: Any) -> StrictChoiceField:
    return StrictChoiceField(choices=[name], **kwargs)


def _transaction() -> StrictStringField:
    return StrictStringField(min_length=1, help_text="The shop's number of the order.")


class UserTransactionMappingEventSerializer(_OrderEventSerializer):
    """Whose an order is: the session in which it was placed, and the customer."""

    transaction_id = _transaction()
    event_type = _event_type("transaction_mapping", required=False, allow_null=True)


class PurchasedProductSerializer(StrictSerializer):
    """A line of an order."""

    sku = StrictStringField(min_length=1, help_text="The product, by the id that orders name.")
    price = StrictStringOrNumberField(least=0, help_text="Of one piece, as it was paid.")
    quantity = StrictIntegerField(min_value=1)


class CurrencyField(StrictStringField):
    """A text that holds a code of the contract's."""

    default_error_messages = {
        "string_pattern_mismatch": "String should match pattern '{pattern}'",
    }
    pattern = re.compile(f"^{CURRENCIES}$")

    def run_validation(self, data: Any = empty) -> str | None:
        text = super().run_validation(data)
        if text is not None and not self.pattern.search(text):
            self.fail("string_pattern_mismatch", pattern=self.pattern.pattern)
        return text


class PurchaseEventSerializer(_OrderEventSerializer):
    """An order."""

    transaction_id = _transaction()
    event_type = _event_type("purchase", required=False, allow_null=True)
    currency = CurrencyField()
    products = StrictListField(child=PurchasedProductSerializer(), min_length=1)
    depict_ab_variant = _text("Accepted and not used.")


class ProductUnavailableEventSerializer(_OrderEventSerializer):
    """A product that cannot be bought, as a page found out."""

    event_type = _event_type("product_unavailable")
    product_id = StrictStringField(min_length=1, help_text="The product or its item group.")
    unavailability_type = StrictChoiceField(choices=UNAVAILABILITY_TYPES)


class OrderEventField(serializers.Field[Any, Any, Any, Any]):
    """One of the three events above: told by ``event_type``, without it by the fields."""

    default_error_messages = {
        "union_tag_invalid": "Input tag {tag!r} found using 'event_type' does not match any of "
        "the expected tags: 'transaction_mapping', 'purchase', 'product_unavailable'",
    }
    options: Mapping[str, StrictSerializer] = {
        "transaction_mapping": UserTransactionMappingEventSerializer(),
        "purchase": PurchaseEventSerializer(),
        "product_unavailable": ProductUnavailableEventSerializer(),
    }

    def run_validation(self, data: Any = empty) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValidationError(_NO_EVENT)
        tag = data.get("event_type")
        if tag is None:
            told = {"products", "currency", "depict_ab_variant"} & data.keys()
            tag = "purchase" if told else "transaction_mapping"
        option = self.options.get(tag) if isinstance(tag, str) else None
        if option is None:
            self.fail("union_tag_invalid", tag=tag)
        return option.run_validation(data)


class TrackV2RequestSerializer(StrictSerializer):
    """Orders and what belongs to them."""

    tenant = StrictStringField(min_length=1, help_text="The shop's key (lower case).")
    market = StrictStringField(min_length=1, help_text="The market's key (lower case).")
    events = StrictListField(child=OrderEventField())
