"""Shopify's product export: a table with a row per variant, and further rows for more images.

The variants of a product follow one another and share its ``Handle``; what is common to them
stands in the first row only. Each variant becomes a row of its own, in our words.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from depict_reco.feeds.readers.rows import Row

_ROWS_AHEAD = 1000
_NO_OPTION = {"", "default title"}
_GOOGLE = re.compile(r"google shopping / (?!google product category)(.+)", re.IGNORECASE)
_METAFIELD = re.compile(r"(.+) \(product\.metafields\..+\)", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!][^>]*>")
_BLANKS = re.compile(r"\s+")
_FALSE = {"false", "no", "0"}


def is_shopify(header: str) -> bool:
    """Whether a header line is that of a product export of Shopify."""
    names = {name.strip(' "').lower() for name in re.split(r"[,;\t]", header)}
    return bool(names & {"handle", "url handle"}) and any(
        name.startswith(("variant ", "option1 ")) for name in names
    )


def read_shopify(rows: Iterator[Row]) -> Iterator[Row]:
    """Turn the rows of an export into one row per variant."""
    ahead = list(itertools.islice(rows, _ROWS_AHEAD))
    counted = _quantities_count(ahead)
    group: list[Row] = []
    for row in itertools.chain(ahead, rows):
        if row.reason:
            yield row
            continue
        if group and _cell(row, "handle") != _cell(group[0], "handle"):
            yield from _variants(group, quantities_count=counted)
            group = []
        group.append(_lower_case(row))
    if group:
        yield from _variants(group, quantities_count=counted)


def _quantities_count(rows: Sequence[Row]) -> bool:
    """Whether variants without an inventory tracker have quantities that mean something.

    A shop that does not track its stock exports zeros; where such variants have some, those
    that have none are sold out.
    """
    lower = [_lower_case(row) for row in rows]
    return any(
        not _cell(row, "variant inventory tracker")
        and _cell(row, "variant inventory qty").lstrip("-") not in ("", "0")
        for row in lower
    )


def _lower_case(row: Row) -> Row:
    return Row(line=row.line, values={name.lower(): value for name, value in row.values.items()})


def _cell(row: Row, name: str) -> str:
    value = row.values.get(name)
    if value is None and name == "handle":
        value = row.values.get("Handle", row.values.get("url handle", row.values.get("URL handle")))
    return value.strip() if isinstance(value, str) else ""


def _variants(group: Sequence[Row], *, quantities_count: bool) -> Iterator[Row]:
    variants = [row for row in group if _is_variant(row)] or [group[0]]
    skus = Counter(_cell(row, "variant sku") for row in variants)
    common = _common_values(group)
    names = [_cell(group[0], f"option{n} name") for n in (1, 2, 3)]
    for row in variants:
        options = [_cell(row, f"option{n} value") for n in (1, 2, 3)]
        chosen = [option for option in options if option.lower() not in _NO_OPTION]
        sku = _cell(row, "variant sku")
        handle = common["item_group_id"]
        own_id = ":".join([handle, *chosen]) if handle else ""
        values = {
            **common,
            "product_id": sku if sku and skus[sku] == 1 else own_id,
            "sku": sku,
            **_stock(row, quantities_count=quantities_count),
            **_prices(row),
        }
        if image := _cell(row, "variant image"):
            values["image_url"] = [image, *common["image_url"]]
        if barcode := _cell(row, "variant barcode"):
            values["gtin"] = barcode.lstrip("'")
        for name, option in zip(names, options, strict=True):
            if name and option.lower() not in _NO_OPTION:
                values.setdefault(name.lower(), option)
        own = {name: cell for name, cell in row.values.items() if cell}
        yield Row(line=row.line, values=values, unread={**group[0].values, **own})


def _is_variant(row: Row) -> bool:
    return any(_cell(row, name) for name in ("variant sku", "variant price", "option1 value"))


def _common_values(group: Sequence[Row]) -> dict[str, Any]:
    """What the first row says of all variants, and the images of every row."""
    first = group[0]
    handle = _cell(first, "handle")
    body = _plain_text(_cell(first, "body (html)") or _cell(first, "description"))
    values: dict[str, Any] = {
        "item_group_id": handle,
        "title": _cell(first, "title"),
        "description": body or _cell(first, "seo description"),
        "brand": _cell(first, "vendor"),
        "category_ids": [
            category
            for name in ("type", "product category")
            if (category := _cell(first, name)) and category.lower() != "uncategorized"
        ],
        "image_url": _images(group),
        "page_url": f"/products/{handle}" if handle else "",
        "active": _is_published(first),
    }
    if tags := [tag for part in _cell(first, "tags").split(",") if (tag := part.strip())]:
        values["tags"] = tags
    for name, cell in first.values.items():
        match = _GOOGLE.fullmatch(name) or _METAFIELD.fullmatch(name)
        if match and isinstance(cell, str) and cell.strip():
            values.setdefault(_BLANKS.sub("_", match[1].strip()), cell.strip())
    return values


def _images(group: Sequence[Row]) -> list[str]:
    placed = []
    for row in group:
        if source := _cell(row, "image src") or _cell(row, "product image url"):
            position = _cell(row, "image position")
            placed.append((int(position) if position.isdecimal() else 1 << 30, source))
    placed.sort(key=lambda pair: pair[0])
    return list(dict.fromkeys(source for _, source in placed))


def _is_published(row: Row) -> bool:
    status = _cell(row, "status").lower()
    return _cell(row, "published").lower() not in _FALSE and status in ("", "active")


def _stock(row: Row, *, quantities_count: bool) -> dict[str, Any]:
    quantity = _cell(row, "variant inventory qty")
    counts = bool(_cell(row, "variant inventory tracker")) or quantities_count
    sells_on = _cell(row, "variant inventory policy").lower() == "continue"
    if not quantity or not counts:
        return {"availability": True}
    return (
        {"quantity": quantity, "availability": "in stock"} if sells_on else {"quantity": quantity}
    )


def _prices(row: Row) -> dict[str, Any]:
    """The price, and the one that it is compared with."""
    return {
        "price": _cell(row, "variant price"),
        "original_price": _cell(row, "variant compare at price"),
    }


def _plain_text(markup: str) -> str:
    return _BLANKS.sub(" ", html.unescape(_TAG.sub(" ", markup))).strip()
