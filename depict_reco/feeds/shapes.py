"""Nested shapes of products, laid flat: Google Retail's JSON, and that of Depict's catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_RETAIL = ("priceInfo", "retrievableFields", "colorInfo", "audience", "availableQuantity")
_DEPICT = ("locale_attributes", "pricelist_attributes", "inventory_attributes", "inactive")
_NOISE = frozenset({"name", "retrievableFields"})


def flatten(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row's values without the nesting of the shapes that are known here."""
    if any(name in values for name in _DEPICT):
        return _from_depict(values)
    if any(name in values for name in _RETAIL):
        return _from_retail(values)
    return values


def _from_retail(values: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(values)
    if flat.get("title"):
        for name in _NOISE:  # the resource name, and which fields a search may return
            flat.pop(name, None)
    if isinstance(price := flat.pop("priceInfo", None), dict):
        pairs = (
            ("price", "price"),
            ("original_price", "originalPrice"),
            ("currency", "currencyCode"),
            ("cost", "cost"),
        )
        flat.update({ours: price[theirs] for ours, theirs in pairs if price.get(theirs)})
    for nest in ("colorInfo", "audience"):
        if isinstance(inside := flat.pop(nest, None), dict):
            for name, value in inside.items():
                flat.setdefault(name, value)
    return flat


def attributes_from(value: Any) -> dict[str, Any]:
    """Return custom attributes given as an object or as a list of keys with values.

    Google Retail wraps the values: ``{"text": [...]}`` or ``{"numbers": [...]}``.
    """
    if isinstance(value, str):
        value = parse_object(value)
    if isinstance(value, Mapping):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list) and all(isinstance(x, Mapping) and "key" in x for x in value):
        pairs = ((member["key"], member.get("value")) for member in value)
    else:
        raise ValueError("is neither an object nor a list of keys with values")
    return {str(name): unwrapped for name, inside in pairs if (unwrapped := _unwrap(inside)) != ""}


def parse_object(text: str) -> Any:
    """Return the JSON object that a text is; another text is returned as it is."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else text
    except (ValueError, RecursionError):
        return text
    return value


def _unwrap(value: Any) -> Any:
    if isinstance(value, Mapping) and ("text" in value or "numbers" in value):
        return [*value.get("text", ()), *value.get("numbers", ())]
    return "" if value is None else value


def _from_depict(values: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(values)
    texts: dict[str, dict[str, Any]] = dict(flat.get("texts") or {})
    for entry in _entries(flat.pop("locale_attributes", None)):
        locale = str(entry.get("locale_id", ""))
        texts[locale] = {
            "title": entry.get("title"),
            "description": entry.get("description"),
            "page_url": entry.get("page_url", entry.get("uri")),
        }
        for name in ("color_name", "size_name", "material"):
            if entry.get(name):
                flat.setdefault(name, entry[name])
    if texts:
        flat["texts"] = texts
    for entry in _entries(flat.pop("pricelist_attributes", None))[:1]:
        for name in ("sale_price", "original_price", "currency"):
            if name in entry:
                flat[name] = entry[name]
    if inventory := _entries(flat.pop("inventory_attributes", None)):
        flat["availability"] = any(entry.get("in_stock") is True for entry in inventory)
        counts = [n for entry in inventory if isinstance(n := entry.get("quantity"), int)]
        if counts:
            flat["quantity"] = sum(counts)
    if "inactive" in flat:
        flat["active"] = flat.pop("inactive") is not True
    return flat


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return (
        [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
    )
