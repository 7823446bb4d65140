"""A row of a feed as it was written, before anybody asks what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One product (or category) of a feed: its column or element names with their values."""

    line: int
    """Where it begins, counted from 1."""
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    """Why it cannot be read; empty when it can."""
    table: bool = False
    """Whether every row of the feed has these columns."""
    unread: Mapping[str, Any] = field(default_factory=dict)
    """Columns that mean nothing here unless somebody maps them."""
