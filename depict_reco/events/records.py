"""An event before it is stored: clean values, whoever sent it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b

from depict_reco.catalog.records import MAX_ID_LENGTH

NO_SESSIONS = frozenset({"server", "NA", "N/A"})
"""Session and user ids that stand for no one: clients that render on a server send the first."""

NO_RECOMMENDATIONS = frozenset({"placeholder", "not_depict"})
"""Recommendation ids of cards that no recommendation put there."""

NO_PRODUCTS = frozenset({"placeholder", "DNT"})
"""Product ids of cards without a product."""

_DERIVED_PREFIX = "~"
_DIGEST_BYTES = 16


def stored_id(text: str) -> str:
    """Return an id as events have it: a longer one is cut short, with a digest at its end."""
    if len(text) <= MAX_ID_LENGTH:
        return text
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{text[: MAX_ID_LENGTH - 1 - len(digest)]}~{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One thing that one shopper did; texts that are not known are empty."""

    type: str
    time: datetime
    """With a zone."""
    session_id: str = ""
    user_id: str = ""
    dsid: str | None = None
    """Depict's session id, where it is neither of the two."""
    product_id: str = ""
    sku: str = ""
    quantity: int = 1
    price: Decimal | None = None
    """Of one piece."""
    currency: str = ""
    """Empty: the market's."""
    transaction_id: str = ""
    recommendation_id: str = ""
    recommendation_type: str = ""
    deduplication_id: str = ""
    """Equal on every copy of one event; empty: derived from all the rest."""


def derived_deduplication_id(event: NewEvent, *, line: int | None = None, part: int = 0) -> str:
    """Return an id that is equal for equal events, and like no id that a shop would give.

    ``line`` takes the place of the time for events whose time is made up; ``part`` tells
    events apart that are equal and yet two, such as two lines of one order. Ids of one time
    begin alike, so that a database adds them to its index side by side.
    """
    seconds = event.time.timestamp()
    content = (
        event.type,
        str(seconds) if line is None else f"line {line}",
        str(part),
        event.session_id,
        event.user_id,
        event.product_id,
        event.sku,
        event.transaction_id,
        event.recommendation_id,
        str(event.quantity),
        "" if event.price is None else f"{event.price:.4f}",
    )
    digest = blake2b("\0".join(content).encode(), digest_size=10).hexdigest()
    return f"{_DERIVED_PREFIX}{int(seconds) if line is None else line:08x}{digest}"
