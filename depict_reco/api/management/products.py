"""Products on the wire of the management API, singly and in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from depict_reco.api.management.serializers import MarketSlug, TenantSlug
from depict_reco.catalog.records import MAX_ID_LENGTH, MAX_TITLE_LENGTH, Problem, ProductRecord
from depict_reco.catalog.upsert import RowOutcome, RowStatus, upsert_products
from depict_reco.models import Market, Product

MAX_ROWS = 1000
"""Products in one bulk request."""

_AVAILABILITY = {
    "in_stock": True,
    "in stock": True,
    "preorder": True,
    "backorder": True,
    "out_of_stock": False,
    "out of stock": False,
}


def _price(**kwargs: Any) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=14,
        decimal_places=4,
        min_value=0,
        allow_null=True,
        coerce_to_string=True,
        **kwargs,
    )


def _text(max_length: int | None = None, **kwargs: Any) -> serializers.CharField:
    kwargs.setdefault("allow_blank", True)
    return serializers.CharField(max_length=max_length, trim_whitespace=False, **kwargs)


class ProductSerializer(serializers.ModelSerializer):
    """A product as it stands."""

    tenant = TenantSlug(source="market.tenant.slug", read_only=True)
    market = MarketSlug(source="market.slug", read_only=True)
    category_ids: Any = serializers.SlugRelatedField(
        source="categories", slug_field="category_id", many=True, read_only=True
    )
    price = _price(read_only=True)
    sale_price = _price(read_only=True, help_text="Null when the product is not on sale.")
    additional_image_urls = serializers.ListField(child=serializers.CharField(), read_only=True)
    attributes = serializers.DictField(read_only=True)
    texts = serializers.DictField(child=serializers.DictField(), read_only=True)

    class Meta:
        model = Product
        fields = [
            "id", "tenant", "market", "product_id", "sku", "item_group_id", "main_product_id",
            "title", "description", "brand", "category_ids", "price", "sale_price", "currency",
            "image_url", "additional_image_urls", "page_url", "in_stock", "quantity",
            "attributes", "texts", "hidden", "active", "first_seen_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class ProductChangeSerializer(serializers.Serializer):
    """What can be said of a product; a field that is left out keeps its value."""

    sku = _text(MAX_ID_LENGTH, required=False)
    item_group_id = _text(MAX_ID_LENGTH, required=False)
    main_product_id = _text(MAX_ID_LENGTH, required=False)
    title = _text(MAX_TITLE_LENGTH, required=False, allow_blank=False)
    description = _text(required=False)
    brand = _text(MAX_ID_LENGTH, required=False)
    category_ids = serializers.ListField(
        child=_text(MAX_ID_LENGTH, allow_blank=False),
        required=False,
        max_length=1000,
        help_text="Categories that do not exist are made, “A > B > C” with its parents.",
    )
    price = _price(required=False)
    sale_price = _price(required=False, help_text="Null when the product is not on sale.")
    currency = serializers.RegexField(
        r"\A([A-Z]{3})?\Z", required=False, allow_blank=True, help_text="Empty: the market's."
    )
    image_url = _text(required=False)
    additional_image_urls = serializers.ListField(child=_text(), required=False, max_length=1000)
    page_url = _text(required=False)
    in_stock = serializers.BooleanField(required=False)
    availability = serializers.ChoiceField(
        choices=list(_AVAILABILITY),
        required=False,
        write_only=True,
        help_text="Another way to say `in_stock`, as product feeds have it.",
    )
    quantity = serializers.IntegerField(required=False, allow_null=True)
    attributes = serializers.DictField(required=False, help_text="Replaces those there are.")
    texts = serializers.DictField(
        child=serializers.DictField(child=_text()),
        required=False,
        help_text="Per locale: title, description and page_url. Replaces those there are.",
    )
    hidden = serializers.BooleanField(required=False)
    active = serializers.BooleanField(required=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values: dict[str, Any] = super().to_internal_value(data)
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            reason = _("This is no field of a product; values of your own go into attributes.")
            raise serializers.ValidationError({str(name): [reason] for name in unknown})
        return values


class ProductRowSerializer(ProductChangeSerializer):
    """One product of a bulk request."""

    product_id = _text(MAX_ID_LENGTH, allow_blank=False)


@extend_schema_field(ProductRowSerializer)
class RowField(serializers.JSONField):
    """A row as it comes; it is looked at later, so that a bad one does not hold up the others."""


class BulkUpsertSerializer(serializers.Serializer):
    """Products of a market to be created or updated."""

    tenant = TenantSlug()
    market = MarketSlug()
    products = serializers.ListField(
        child=RowField(allow_null=True), min_length=1, max_length=MAX_ROWS
    )


class BulkDeleteSerializer(serializers.Serializer):
    """Products of a market to be deleted."""

    tenant = TenantSlug()
    market = MarketSlug()
    product_ids = serializers.ListField(child=_text(), min_length=1, max_length=MAX_ROWS)


class RowErrorSerializer(serializers.Serializer):
    """What is wrong with a row."""

    field = serializers.CharField(help_text="Name of the field; empty: the row as a whole.")
    reason = serializers.CharField()


class RowResultSerializer(serializers.Serializer):
    """What became of a row."""

    index = serializers.IntegerField(help_text="Place in the request, from 0.")
    product_id = serializers.CharField(help_text="Empty if the row has none that can be read.")
    status = serializers.ChoiceField(choices=[str(status) for status in RowStatus])
    id = serializers.IntegerField(allow_null=True, help_text="Null for rejected rows.")
    errors = RowErrorSerializer(many=True)  # type: ignore[assignment]  # not Serializer.errors


class BulkUpsertResultSerializer(serializers.Serializer):
    """What became of the rows of a bulk request."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = RowResultSerializer(many=True, help_text="One per row, in the order of the request.")


class BulkDeleteResultSerializer(serializers.Serializer):
    """What became of the products to be deleted."""

    deleted = serializers.IntegerField()
    not_found = serializers.ListField(child=serializers.CharField())


def upsert_rows(market: Market, rows: Sequence[Any]) -> dict[str, Any]:
    """Store the rows of a bulk request; a bad row never holds up a good one."""
    reader = ProductRowSerializer()
    records: dict[int, ProductRecord] = {}
    results: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        try:
            records[index] = record_from(reader.run_validation(row))
            results.append({})
        except serializers.ValidationError as error:
            results.append(_unread(index, row, error))
    upserted = upsert_products(market, list(records.values()))
    for index, outcome in zip(records, upserted.outcomes, strict=True):
        results[index] = _result(index, outcome)
    counts = {str(status): 0 for status in RowStatus}
    for result in results:
        counts[result["status"]] += 1
    return {**counts, "results": results}


def change_product(product: Product, values: Mapping[str, Any]) -> None:
    """Change a product through the one door that all writes of products go through."""
    record = record_from({**values, "product_id": product.product_id})
    outcome = upsert_products(product.market, [record]).outcomes[0]
    if outcome.problems:
        raise serializers.ValidationError(
            {problem.field: [problem.reason] for problem in outcome.problems}
        )


def delete_products(market: Market, product_ids: Sequence[str]) -> dict[str, Any]:
    """Delete products of a market by their ids, and say which there were not."""
    chosen = Product.objects.filter(market=market).with_ids(product_ids)
    found = dict(chosen.values_list("product_id", "pk"))
    Product.objects.filter(pk__in=found.values()).delete()
    missing = [product_id for product_id in dict.fromkeys(product_ids) if product_id not in found]
    return {"deleted": len(found), "not_found": missing}


def record_from(values: Mapping[str, Any]) -> ProductRecord:
    """Return valid values as the catalogue takes them."""
    given = dict(values)
    availability = given.pop("availability", None)
    if availability is not None:
        given.setdefault("in_stock", _AVAILABILITY[availability])
    return ProductRecord(**given)


def _unread(index: int, row: Any, error: serializers.ValidationError) -> dict[str, Any]:
    product_id = row.get("product_id", "") if isinstance(row, dict) else ""
    detail = error.detail if isinstance(error.detail, dict) else {"": error.detail}
    problems = tuple(
        Problem(field="" if name == "non_field_errors" else name, reason=" ".join(_texts(reasons)))
        for name, reasons in detail.items()
    )
    outcome = RowOutcome(
        product_id=product_id if isinstance(product_id, str) else "",
        status=RowStatus.REJECTED,
        problems=problems,
    )
    return _result(index, outcome)


def _texts(detail: Any) -> list[str]:
    """Flatten the reasons of DRF, which follow the nesting of the value."""
    if isinstance(detail, dict):
        return [f"{key}: {text}" for key, inner in detail.items() for text in _texts(inner)]
    if isinstance(detail, list):
        return [text for inner in detail for text in _texts(inner)]
    return [str(detail)]


def _result(index: int, outcome: RowOutcome) -> dict[str, Any]:
    return {
        "index": index,
        "product_id": outcome.product_id,
        "status": str(outcome.status),
        "id": outcome.pk,
        "errors": [
            {"field": problem.field, "reason": problem.reason} for problem in outcome.problems
        ],
    }
