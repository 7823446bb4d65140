"""A product as somebody hands it in: clean values, and a mark for whatever is not said."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

MAX_ID_LENGTH = 255
MAX_TITLE_LENGTH = 1000
_MAX_PRICE = Decimal(10) ** 10
_MAX_QUANTITY = 2**63
_MAX_DEPTH = 20


class Keep(enum.Enum):
    """The type of KEEP."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep.KEEP
"""Stands for a value that is not given: a stored product keeps its own, a new one the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a row cannot be taken, in words for the person who sent it."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRecord:
    """One product to be written; every field but the id may be left out (KEEP)."""

    product_id: str
    sku: str | Keep = KEEP
    item_group_id: str | Keep = KEEP
    main_product_id: str | Keep = KEEP
    title: str | Keep = KEEP
    description: str | Keep = KEEP
    brand: str | Keep = KEEP
    category_ids: Sequence[str] | Keep = KEEP
    """Ids of categories; those that do not exist are made, "A > B > C" with its parents."""
    price: Decimal | Keep | None = KEEP
    sale_price: Decimal | Keep | None = KEEP
    currency: str | Keep = KEEP
    image_url: str | Keep = KEEP
    additional_image_urls: Sequence[str] | Keep = KEEP
    page_url: str | Keep = KEEP
    in_stock: bool | Keep = KEEP
    quantity: int | Keep | None = KEEP
    attributes: Mapping[str, Any] | Keep = KEEP
    texts: Mapping[str, Mapping[str, str]] | Keep = KEEP
    hidden: bool | Keep = KEEP
    active: bool | Keep = KEEP
    merge: bool = False
    """Add ``attributes`` and ``texts`` to those that stand, instead of replacing them."""

    @property
    def describes(self) -> bool:
        """Whether there is more than an id, a price and a stock: something to show."""
        return any(
            value is not KEEP and bool(value)
            for value in (
                self.title,
                self.description,
                self.brand,
                self.image_url,
                self.page_url,
                self.category_ids,
            )
        )

    def problems(self) -> list[Problem]:
        """Return what keeps this record from being stored; empty when nothing does."""
        found = list(self._text_problems())
        if not self.product_id:
            found.append(Problem(field="product_id", reason="is empty"))
        if self.title == "":
            found.append(Problem(field="title", reason="is empty"))
        for name in ("price", "sale_price"):
            value = getattr(self, name)
            if isinstance(value, Decimal) and not (value.is_finite() and 0 <= value < _MAX_PRICE):
                found.append(Problem(field=name, reason="is not between 0 and 9,999,999,999"))
        if isinstance(self.quantity, int) and not -_MAX_QUANTITY <= self.quantity < _MAX_QUANTITY:
            found.append(Problem(field="quantity", reason="is too large"))
        return found

    def _text_problems(self) -> Iterator[Problem]:
        for name in _FIELD_NAMES:
            value = getattr(self, name)
            if value is KEEP or not value:
                continue
            if isinstance(value, str):
                limit = _LIMITS.get(name)
                reason = text_problem(value)
                if limit is not None and len(value) > limit:
                    reason = f"is longer than {limit} characters"
            elif isinstance(value, (int, Decimal)):
                continue
            else:
                reason = nested_problem(value)
                if name == "category_ids" and any(not 0 < len(x) <= MAX_ID_LENGTH for x in value):
                    reason = f"an id is empty or longer than {MAX_ID_LENGTH} characters"
            if reason:
                yield Problem(field=name, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRecord:
    """One category to be written; every field but the id may be left out (KEEP)."""

    category_id: str
    parent_id: str | Keep = KEEP
    """Empty: the category is a root."""
    name: str | Keep = KEEP
    page_url: str | Keep = KEEP

    def problems(self) -> list[Problem]:
        """Return what keeps this record from being stored; empty when nothing does."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str):
                reason = text_problem(value)
                if field.name != "page_url" and len(value) > MAX_ID_LENGTH:
                    reason = f"is longer than {MAX_ID_LENGTH} characters"
                if reason:
                    found.append(Problem(field=field.name, reason=reason))
        if not self.category_id:
            found.append(Problem(field="category_id", reason="is empty"))
        elif self.parent_id == self.category_id:
            found.append(Problem(field="parent_id", reason="is the category itself"))
        return found


_FIELD_NAMES = tuple(field.name for field in fields(ProductRecord))
_LIMITS = {
    "product_id": MAX_ID_LENGTH,
    "sku": MAX_ID_LENGTH,
    "item_group_id": MAX_ID_LENGTH,
    "main_product_id": MAX_ID_LENGTH,
    "brand": MAX_ID_LENGTH,
    "title": MAX_TITLE_LENGTH,
    "currency": 3,
}


def text_problem(text: str) -> str:
    """Say why a database cannot keep a text; empty when every one can."""
    if "\0" in text:
        return "contains a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "is not valid Unicode (a wrong encoding, or half a surrogate pair)"
    return ""


def nested_problem(value: object, depth: int = 0) -> str:
    """Say why a database cannot keep a JSON value; empty when every one can."""
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "contains a number that is not finite"
    if isinstance(value, (Mapping, list, tuple)):
        if depth >= _MAX_DEPTH:
            return f"is nested more than {_MAX_DEPTH} deep"
        parts = (*value.keys(), *value.values()) if isinstance(value, Mapping) else value
        try:
            return text_problem("".join(parts))  # all of them texts, as those of tables are
        except TypeError:
            pass
        return next(filter(None, (nested_problem(part, depth + 1) for part in parts)), "")
    return ""
