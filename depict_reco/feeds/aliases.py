"""Under which names feeds give our fields; the first name that a row has a value for counts."""

from __future__ import annotations

import re

FIELDS: dict[str, tuple[str, ...]] = {
    "product_id": (
        "product_id",
        "id",
        "item_id",
        "article_id",
        "variant_id",
        "offer_id",
        "product_number",
        "article_number",
        "product_code",
        "stock_code",
        "item",
        "sku",
    ),
    "sku": ("sku", "transaction_product_id", "variant_sku", "merchant_sku", "item_sku"),
    "item_group_id": (
        "item_group_id",
        "item_group",
        "group_id",
        "product_group_id",
        "primary_product_id",
        "parent_product_id",
        "parent_id",
        "parent_sku",
    ),
    "main_product_id": ("main_product_id",),
    "title": (
        "title",
        "name",
        "product_name",
        "prod_name",
        "product_title",
        "item_name",
        "item_title",
        "article_name",
        "display_name",
    ),
    "description": (
        "description",
        "product_description",
        "long_description",
        "detail_description",
        "detail_desc",
        "body",
        "body_html",
        "content",
        "summary",
        "short_description",
    ),
    "brand": ("brand", "brands", "brand_name", "product_brand", "vendor", "manufacturer"),
    "category_ids": (
        "category_ids",
        "category_id",
        "product_type",
        "product_types",
        "categories",
        "category",
        "category_path",
        "product_category",
        "product_type_name",
        "breadcrumbs",
        "breadcrumb",
        "google_product_category",
    ),
    "price": ("price", "unit_price", "current_price"),
    "sale_price": (
        "sale_price",
        "special_price",
        "offer_price",
        "discount_price",
        "discounted_price",
    ),
    "original_price": (
        "original_price",
        "regular_price",
        "list_price",
        "compare_at_price",
        "retail_price",
        "old_price",
        "msrp",
        "rrp",
    ),
    "currency": ("currency", "currency_code", "price_currency"),
    "image_url": (
        "image_url",
        "image_link",
        "main_image_url",
        "main_image",
        "image",
        "image_uri",
        "image_src",
        "img_url",
        "picture_url",
        "picture",
        "images",
        "image_urls",
        "image_links",
    ),
    "additional_image_urls": (
        "additional_image_urls",
        "additional_image_url",
        "additional_image_link",
        "additional_image_links",
        "additional_images",
        "additional_image",
    ),
    "page_url": (
        "page_url",
        "page_link",
        "link",
        "url",
        "uri",
        "product_url",
        "product_link",
        "product_page_url",
        "canonical_link",
        "deeplink",
    ),
    "availability": (
        "availability",
        "in_stock",
        "is_in_stock",
        "available",
        "is_available",
        "stock_status",
    ),
    "quantity": (
        "quantity",
        "available_quantity",
        "stock_quantity",
        "inventory_quantity",
        "quantity_available",
        "sell_on_google_quantity",
        "inventory",
        "stock_level",
        "stock",
        "qty",
    ),
    "active": ("active", "is_active", "published", "enabled"),
    "attributes": ("attributes", "custom_attributes"),
    "texts": ("texts",),
}
"""Our fields; ``original_price`` is the price before a sale, where ``price`` is the one after."""

LOOSE_PATHS = frozenset(FIELDS["category_ids"][2:])
"""Names under which "A>B" is a path of categories even without blanks."""

ALL_VALUES_COUNT = frozenset({"image_url", "additional_image_urls"})
"""Fields that take the values under all of their names, not only under the first."""

TEXT_FIELDS = ("title", "description", "page_url")
"""Fields that may differ from locale to locale."""

CATEGORY_FIELDS: dict[str, tuple[str, ...]] = {
    "category_id": ("category_id", "id", "category"),
    "parent_id": ("parent_id", "parent_category_id", "parent_category", "parent"),
    "name": ("name", "category_name", "title", "label"),
    "page_url": ("page_url", "page_link", "link", "url", "uri", "category_url"),
}
"""The fields of a feed of categories."""

_IGNORED = re.compile(r"[\s_-]+")


def normalize(name: str) -> str:
    """Return the form in which names are compared: no case, blanks, hyphens, ``_`` or ``g:``."""
    return _IGNORED.sub("", name.strip().lower().removeprefix("g:").replace("body (html)", "body"))
