"""The names that fields and types of events have in files of all sorts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from depict_reco.events.models import EventType

FIELDS: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "timestamp", "event_timestamp", "event_time", "eventTime", "time", "ts", "datetime",
        "time_stamp", "created_at", "InvoiceDate", "order_date", "purchase_date",
        "transaction_date", "date", "event_date", "t_dat",
    ),
    "type": (
        "type", "event_type", "eventType", "event_name", "event", "action", "behavior",
        "behavior_type",
    ),
    "session_id": ("session_id", "SessionId", "session", "user_session", "visit_id", "dsid"),
    "user_id": ("user_id", "userId", "user", "CustomerID", "customer", "shopper_id"),
    "visitor_id": ("visitor_id", "visitorId", "user_pseudo_id", "anonymous_id", "client_id"),
    "ga_session_id": ("ga_session_id",),
    "product_id": (
        "product_id", "productId", "item_id", "ItemId", "product", "item", "StockCode",
        "article_id", "aid", "asin",
    ),
    "sku": ("sku", "variant_sku", "item_sku", "product_sku", "Lineitem sku", "variant_id"),
    "quantity": ("quantity", "qty", "item_quantity", "Lineitem quantity"),
    "price": ("price", "UnitPrice", "item_price", "Lineitem price", "priceInfo.price"),
    "currency": ("currency", "currency_code", "currencyCode", "priceInfo.currencyCode"),
    "transaction_id": (
        "transaction_id", "ecommerce.transaction_id", "purchaseTransaction.id", "order_id",
        "InvoiceNo", "Invoice", "order_number", "basket_id",
    ),
    "recommendation_id": ("recommendation_id",),
    "deduplication_id": ("deduplication_id",),
}  # fmt: skip
"""Per field the names that are known for it; of several in one file the first one counts.

Names are compared without regard to case, spaces, hyphens and underscores.
"""

LISTS = frozenset({"items", "products", "productdetails", "lineitems", "lines", "events"})
"""Keys that hold the lines of an order, or the events of a session; each becomes an event."""

ENVELOPES = frozenset({"event", "data", "payload", "message", "properties", "eventparams"})
"""Keys around an event, which do not change what is inside."""

PARTS = LISTS | {"ecommerce", "product", "item", "user", "userinfo", "purchasetransaction"}
"""Keys around a part of an event: all fields but the type and the time are known inside."""

_NAMED_BY_ID = (LISTS | {"product", "item"}) - {"events"}

TYPES: dict[str, tuple[str, ...]] = {
    EventType.PAGE_VIEW: (
        "page_view", "view", "views", "detail-page-view", "home-page-view", "view_item",
        "product_view", "product_viewed", "detail", "pv", "pageview",
    ),
    EventType.CLICK: ("click", "clicks", "ws_click", "select_item", "product_clicked"),
    EventType.ADD_TO_CART: (
        "add_to_cart", "cart", "carts", "basket", "add", "product_added", "add_to_basket",
    ),
    EventType.PURCHASE: (
        "purchase", "buy", "buys", "order", "orders", "transaction", "purchase-complete",
        "order_completed", "purchased", "sale", "checkout_complete", "conversion",
    ),
    EventType.ELEMENT_VISIBLE: ("element_visible", "impression"),
    EventType.RECOMMENDATIONS_INSERTED: ("recommendations_inserted",),
    EventType.RETURN: (
        "return", "returned", "refund", "order_refunded", "cancel", "cancelled", "cancellation",
    ),
}  # fmt: skip
"""Per event type the names that are known for it."""

IGNORED_TYPES = (
    "search", "view_search_results", "category-page-view", "view_item_list", "view_promotion",
    "select_promotion", "shopping-cart-page-view", "view_cart", "begin_checkout",
    "add_payment_info", "add_shipping_info", "remove_from_cart", "removefromcart", "remove",
    "add_to_wishlist", "wishlist", "fav", "favorite", "session_start", "first_visit",
    "user_engagement", "scroll", "login", "sign_up", "share", "form_start", "form_submit",
    "file_download", "promotion-click", "page-load",
)  # fmt: skip
"""Types that other systems export and that say nothing this app learns from."""


def plain(name: str) -> str:
    """Return a name as names are compared: without case, spaces, hyphens and underscores."""
    return "".join(character for character in name.lower() if character.isalnum())


_NAMES = {
    plain(name): (field, rank) for field, names in FIELDS.items() for rank, name in enumerate(names)
}
_TYPE_NAMES: dict[str, str] = {
    plain(name): str(event_type) for event_type, names in TYPES.items() for name in names
} | {plain(name): "" for name in IGNORED_TYPES}


@lru_cache(maxsize=1024)
def read_type(text: str) -> str:
    """Return the event type of a name, empty for one that is known but of no use here."""
    try:
        return _TYPE_NAMES[plain(text)]
    except KeyError:
        raise ValueError(f"{text[:40]!r} is no known type of event") from None


def field_of(path: Sequence[str]) -> tuple[str, int] | None:
    """Return the field that a column or a path of keys holds, and its rank among the aliases."""
    keys = [plain(key) for key in path]
    around = ""
    in_part = False
    while keys:
        found = _NAMES.get("".join(keys))
        if found and not (in_part and found[0] in ("type", "timestamp")):
            return found
        if keys == ["id"] and around in _NAMED_BY_ID:
            return "product_id", len(FIELDS["product_id"])
        around = keys.pop(0)
        if around not in PARTS | ENVELOPES:
            return None
        in_part = in_part or around in PARTS
    return None
