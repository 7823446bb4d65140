"""How a file of events is to be imported, and what an import did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, tzinfo
from typing import Any

from depict_reco.events.consent import Consent
from depict_reco.exceptions import EventImportError

MAX_REJECTIONS = 1000
"""Rejected rows that a result names; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A row that was not taken."""

    line: int
    field: str
    """Empty: the row as a whole."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventImportResult:
    """What an import did. Every row is in one of ``stored`` to ``erased``."""

    rows: int = 0
    """Rows of the file; of orders with several lines, the lines."""
    stored: int = 0
    """Events that are new; with ``dry_run``, that would be."""
    duplicates: int = 0
    """Events that were stored before or stand several times in the file."""
    filtered: int = 0
    """Rows that the filters left out."""
    ignored: int = 0
    """Events of types that say nothing of products, such as a search."""
    without_product: int = 0
    """Views of pages that show no product."""
    rejected: int = 0
    """Rows that cannot be read or make no sense."""
    erased: int = 0
    """Events of shoppers who were erased since these happened; they are not stored again."""
    returns: int = 0
    """Of the events, those of goods that came back and of cancelled orders."""
    unknown_products: int = 0
    """Of the events, those of products that the catalogue does not have (yet)."""
    anonymous: int = 0
    """Of the events, those stored without session and user, for want of consent."""
    clamped: int = 0
    """Of the events, those from more than 20 years ago, taken for it, and of the future: now."""
    rejections: tuple[Rejection, ...] = ()
    """The first of the rejected rows."""
    notes: tuple[str, ...] = ()
    """What the importer had to assume."""
    dry_run: bool = False
    """Whether it was only looked at what would be stored."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


class EventImportCutShortError(EventImportError):
    """The file could not be read to its end; ``result`` says what was imported before."""

    def __init__(self, message: str, *, result: EventImportResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class EventImportOptions:
    """How to read a file of events."""

    file_format: str = "auto"
    mapping: Mapping[str, str] | None = None
    """Column or key by field, where the names are not known; an empty one leaves it out."""
    filters: tuple[tuple[str, str], ...] = ()
    """Pairs of column and value; of several for one column, any may hold."""
    event_type: str = ""
    """Type of all events, whatever the file says."""
    zone: tzinfo = UTC
    """Zone of times that name none."""
    time_format: str = ""
    """strptime() pattern of the times, where they are not ISO 8601 or epoch seconds."""
    consent: Consent = Consent.UNKNOWN
    """What the shoppers of the file said about being remembered."""
