"""From the events that storefronts send, once they are known to be valid, to events to store.

Whatever the contract lets through becomes an event: what makes no sense in it, such as a price
that is no number, is left out, since a page cannot mend it and the rest is still true. Of
addresses nothing is kept but the recommendation id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from depict_reco.conf import settings
from depict_reco.events import identity
from depict_reco.events.models import EventType
from depict_reco.events.records import (
    NO_PRODUCTS,
    NO_RECOMMENDATIONS,
    NO_SESSIONS,
    NewEvent,
    stored_id,
)
from depict_reco.events.values import BLANKS, MAX_QUANTITY, read_price
from depict_reco.serving.tracking import read_recommendation_id

CURRENCIES = (
    "AED|AFN|ALL|AMD|ANG|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|"
    "BYR|BZD|CAD|CDF|CHF|CLP|CNY|COP|CRC|CUC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|"
    "GBP|GEL|GGP|GHS|GIP|GMD|GNF|GTQ|GYD|HKD|HNL|HRK|HTG|HUF|IDR|ILS|IMP|INR|IQD|IRR|ISK|JEP|JMD|"
    "JOD|JPY|KES|KGS|KHR|KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|LKR|LRD|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|"
    "MOP|MRO|MUR|MVR|MWK|MXN|MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PGK|PHP|PKR|PLN|PYG|QAR|"
    "RON|RSD|RUB|RWF|SAR|SBD|SCR|SDG|SEK|SGD|SHP|SLL|SOS|SPL|SRD|STD|SVC|SYP|SZL|THB|TJS|TMT|TND|"
    "TOP|TRY|TTD|TVD|TWD|TZS|UAH|UGX|USD|UYU|UZS|VEF|VND|VUV|WST|XAF|XCD|XDR|XOF|XPF|YER|ZAR|ZMW|"
    "ZWD"
)
"""The codes that the contract knows."""

_CURRENCY = re.compile(CURRENCIES)
_LONGEST_PRICE = 64
_LONGEST_TYPE = 100
_MAX_URL_PARAMETERS = 200
_TYPES = {"ws_click": EventType.CLICK.value}
_ONCE_PER_DISPLAY = {EventType.CLICK.value: "click", EventType.ELEMENT_VISIBLE.value: "seen"}
_OF_ITS_PAGE = frozenset({EventType.PAGE_VIEW, EventType.ADD_TO_CART, EventType.PURCHASE})
"""Events that the address of their page may be said to have led to. A card that is clicked or
comes into sight has an id of its own, or none."""


def shopper_event(values: Mapping[str, Any], *, now: datetime, frame_id: str = "") -> NewEvent:
    """Return the event of a valid item of ``/create-events``, or of a frame of the WebSocket."""
    kind = _TYPES.get(values["type"], values["type"])
    session_id, user_id, dsid = _shopper(values)
    variants = values.get("variant_ids") or ("",)
    product_id = _id(values.get("product_id"), NO_PRODUCTS) or _id(variants[0], NO_PRODUCTS)
    recommendation_id = _id(values.get("recommendation_id"), NO_RECOMMENDATIONS)
    display = recommendation_id or _result_id(values)
    if not recommendation_id and kind in _OF_ITS_PAGE:
        recommendation_id = _recommendation_of_page(values)
    price, code = _price(values.get("entity_price"))
    return NewEvent(
        type=kind,
        time=now,
        session_id=session_id,
        user_id=user_id,
        dsid=dsid,
        product_id=product_id,
        sku=_id((values.get("entity_identifiers") or {}).get("sku"), NO_PRODUCTS),
        price=price,
        currency=_currency(values.get("currency")) or code,
        recommendation_id=recommendation_id,
        recommendation_type=_text(values.get("recommendation_type"))[:_LONGEST_TYPE],
        deduplication_id=_deduplication_id(
            kind,
            shopper=session_id or user_id,
            recommendation_id=recommendation_id,
            display=display,
            product=product_id,
            given=_id(values.get("deduplication_id")),
            frame_id=frame_id,
            now=now,
        ),
    )


def order_events(values: Mapping[str, Any], *, now: datetime) -> list[NewEvent]:
    """Return the events of a valid item of ``/v2/create-events``: of an order one for each line."""
    session_id, user_id, dsid = _shopper(values)
    event = NewEvent(type="", time=now, session_id=session_id, user_id=user_id, dsid=dsid)
    if "products" in values:
        return _lines(event, values)
    if "unavailability_type" in values:
        return [
            replace(
                event,
                type=EventType.PRODUCT_UNAVAILABLE.value,
                product_id=_id(values["product_id"], NO_PRODUCTS),
                deduplication_id=identity.unique(),
            )
        ]
    transaction_id = _id(values["transaction_id"])
    shopper = (session_id, user_id, dsid or "")
    return [
        replace(
            event,
            type=EventType.TRANSACTION_MAPPING.value,
            transaction_id=transaction_id,
            deduplication_id=identity.order_mapping(transaction_id=transaction_id, shopper=shopper),
        )
    ]


def _lines(event: NewEvent, values: Mapping[str, Any]) -> list[NewEvent]:
    transaction_id = _id(values["transaction_id"])
    currency = _currency(values["currency"])
    parts: Counter[str] = Counter()
    lines: list[NewEvent] = []
    for product in values["products"]:
        sku = _id(product["sku"], NO_PRODUCTS)
        price, _ = _price(product["price"])
        key = identity.order_line(transaction_id=transaction_id, sku=sku, part=parts[sku])
        parts[sku] += 1
        lines.append(
            replace(
                event,
                type=EventType.PURCHASE.value,
                sku=sku,
                quantity=min(product["quantity"], MAX_QUANTITY),
                price=price,
                currency=currency,
                transaction_id=transaction_id,
                # an order without a number cannot be told from another one
                deduplication_id=key if transaction_id else identity.unique(),
            )
        )
    return lines


def _shopper(values: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return session id, user id, and Depict's session id where that is a third one."""
    session_id = _id(values.get("session_id"), NO_SESSIONS)
    user_id = _id(values.get("user_id"), NO_SESSIONS)
    dsid = _id(values.get("dsid"), NO_SESSIONS)
    if not session_id:
        session_id, dsid = dsid, ""
    return session_id, user_id, dsid if dsid not in ("", session_id, user_id) else None


def _deduplication_id(
    kind: str,
    *,
    shopper: str,
    recommendation_id: str,
    display: str,
    product: str,
    given: str,
    frame_id: str,
    now: datetime,
) -> str:
    if kind == EventType.CLICK and recommendation_id:
        return identity.display_click(recommendation_id=recommendation_id, now=now)
    if display and kind in _ONCE_PER_DISPLAY:
        return identity.display_act(_ONCE_PER_DISPLAY[kind], shopper=shopper, display=display)
    if given:
        return given
    if kind == EventType.CLICK and shopper and product:
        return identity.product_click(shopper=shopper, product=product, now=now)
    if frame_id:
        return identity.frame(frame_id, shopper=shopper, kind=kind)
    return identity.unique()


def _result_id(values: Mapping[str, Any]) -> str:
    """Return the id of a card that a search or a listing has put there."""
    found = _id(values.get("search_result_id"), NO_RECOMMENDATIONS)
    return found or _id(values.get("product_listing_result_id"), NO_RECOMMENDATIONS)


def _recommendation_of_page(values: Mapping[str, Any]) -> str:
    """Return the recommendation id of ours that the address of the page carries."""
    parameter = settings.RECOMMENDATION_ID_PARAMETER
    for name in ("page_url", "url"):
        url = values.get(name) or ""
        if not parameter or parameter not in url:
            continue
        try:
            pairs = parse_qsl(urlsplit(url).query, max_num_fields=_MAX_URL_PARAMETERS)
        except ValueError:
            continue
        for key, text in reversed(pairs):
            if key == parameter and read_recommendation_id(text) is not None:
                return text
    return ""


def _id(value: str | None, nobody: frozenset[str] = frozenset()) -> str:
    """Return an id that the database can keep; what stands for none is empty."""
    text = _text(value)
    if text in nobody or text.lower() in BLANKS:
        return ""
    return stored_id(text)


def _text(value: str | None) -> str:
    return value.replace("\0", "").strip() if value else ""


def _price(value: str | float | None) -> tuple[Decimal | None, str]:
    """Return a price, and the currency beside it; none for what is no price."""
    if value is None or (isinstance(value, str) and len(value) > _LONGEST_PRICE):
        return None, ""
    try:
        return read_price(value)
    except ValueError:
        return None, ""


@lru_cache(maxsize=256)
def _currency(text: str | None) -> str:
    """Return the code in a text; the contract takes any text that has one in it."""
    found = _CURRENCY.search(text or "")
    return found[0] if found else ""
