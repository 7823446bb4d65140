"""The request bodies of the storefront, field by field as the contract has them."""

from __future__ import annotations

from typing import Any

from depict_reco.api.fields import (
    StrictDictField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
    StrictStringField,
)
from depict_reco.events.consent import CONSENT_PARAMETER, Consent, read_consent
from depict_reco.serving.models import MAX_LIMIT
from depict_reco.serving.requests import RecommendRequest


def _tenant(**kwargs: Any) -> StrictStringField:
    return StrictStringField(help_text="The shop's key (lower case).", **kwargs)


def _market(**kwargs: Any) -> StrictStringField:
    return StrictStringField(help_text="The market's key (lower case).", **kwargs)


def _type() -> StrictStringField:
    return StrictStringField(
        help_text="Name of a configured recommendation type, such as `cross_sell`."
    )


def _limit() -> StrictIntegerField:
    return StrictIntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MAX_LIMIT,
        help_text="At most this many displays.",
    )


def _optional_string(help_text: str, **kwargs: Any) -> StrictStringField:
    return StrictStringField(required=False, allow_null=True, help_text=help_text, **kwargs)


class GeneralRecommendRequestSerializer(StrictSerializer):
    """What to recommend for a shopper."""

    tenant = _tenant()
    market = _market()
    locale = _optional_string("A locale of the market; another one means the default.")
    type = _type()
    limit = _limit()
    user_id = _optional_string("The shop's own key of the customer.")
    session_id = _optional_string("The key of the browser or app session.")
    dsid = _optional_string("Depict's session key, sent by Depict's own client.", min_length=1)
    document_referrer = _optional_string("Accepted and not used.")
    metadata = StrictDictField(
        child=StrictStringField(),
        required=False,
        allow_null=True,
        help_text="`consent` is read: with `denied` no history is used, with `granted` it is. "
        "Other keys are accepted and not used.",
    )


class RecommendRequestSerializer(GeneralRecommendRequestSerializer):
    """What to recommend beside one product."""

    product_id = StrictStringField(help_text="The product that the shopper looks at.")


class CategoryRecommendRequestSerializer(GeneralRecommendRequestSerializer):
    """What to recommend in a category."""

    category_id = StrictStringField(help_text="The category that the shopper looks at.")


class RecommendForManyRequestSerializer(GeneralRecommendRequestSerializer):
    """What to recommend beside several products, such as a basket."""

    product_ids = StrictListField(
        child=StrictStringField(), help_text="The products, oldest first; may be empty."
    )


class RecommendRequestV3Serializer(StrictSerializer):
    """What to recommend, for any type."""

    refuses_unknown_fields = False  # the v3 client forwards whatever fields a shop hands to it

    merchant = _tenant()
    market = _market()
    locale = StrictStringField(help_text="A locale of the market; another one means the default.")
    type = _type()
    product_ids = StrictListField(
        child=StrictStringField(),
        default=list,
        help_text="No, one or several products, oldest first.",
    )
    limit = _limit()
    session_id = _optional_string("The key of the browser or app session.")


class GetDisplaysRequestV3Serializer(StrictSerializer):
    """Which products to show."""

    refuses_unknown_fields = False

    market = _market(min_length=1)
    product_ids = StrictListField(child=StrictStringField(), min_length=1, max_length=50)
    merchant = _tenant(min_length=1)
    locale = StrictStringField(
        min_length=1, help_text="A locale of the market; another one means the default."
    )


class TenantQuerySerializer(StrictSerializer):
    """The query parameter of v2 that names the shop."""

    refuses_unknown_fields = False

    tenant = _tenant()


class MerchantQuerySerializer(StrictSerializer):
    """The query parameter of v3 that names the shop."""

    refuses_unknown_fields = False

    merchant = _tenant()


def recommend_request(
    values: dict[str, Any], *, variants: bool, debug: bool, consent: Consent = Consent.UNKNOWN
) -> RecommendRequest:
    """Return the question that a valid body asks; ``consent`` is what its address says of it."""
    if "product_id" in values:
        product_ids = (values["product_id"],)
    else:
        product_ids = tuple(values.get("product_ids", ()))
    return RecommendRequest(
        tenant=values["merchant" if variants else "tenant"],
        market=values["market"],
        type=values["type"],
        product_ids=product_ids,
        category_id=values.get("category_id"),
        locale=values.get("locale"),
        limit=values.get("limit"),
        user_id=values.get("user_id"),
        session_id=values.get("session_id"),
        dsid=values.get("dsid"),
        variants=variants,
        consent=_consent(values.get("metadata"), consent),
        debug=debug,
    )


def _consent(metadata: dict[str, str] | None, said: Consent) -> Consent:
    if not metadata:  # as nearly always
        return said
    return read_consent(metadata.get(CONSENT_PARAMETER), said.value)
