"""What makes two reports of one act one event: deduplication ids of events from the wire.

Depict's client reports a click twice, by HTTP and over the WebSocket, with no id in common, and
sends whatever was not answered again. So what cannot happen twice is known by what it is: a click
within a short time; the coming into sight of a display, once for each shopper; a line of an order;
an order's mapping. Anything else is known by the ``deduplication_id`` or the frame that it came
with, and without either it is an event of its own.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

_PREFIX = "~"
"""No shop gives ids like this; those that events.records derives begin so too, with digits."""
_CLICK = f"{_PREFIX}click"
CLICK_SECONDS = 60
"""Two clicks on one display, or of one shopper on one product, are one if they come within one to
two of these."""


def display_act(act: str, *, shopper: str, display: str) -> str:
    """Return the id of what a shopper can do only once with a display, such as ``click``."""
    return f"{_PREFIX}{act}:{_digest(shopper, display)}"


def display_click(*, recommendation_id: str, now: datetime) -> str:
    """Return the id of a click on a display of an answer, which no other answer has.

    Whoever clicked: a browser that may store nothing names another shopper in each report.
    """
    return _click(now, "display", recommendation_id)


def product_click(*, shopper: str, product: str, now: datetime) -> str:
    """Return the id of a click on a product that no display is named for."""
    return _click(now, shopper, product)


@dataclass(frozen=True, slots=True)
class Click:
    """A click, as it is known whenever and in whichever order it is reported."""

    name: str
    ids: tuple[str, ...]
    """Deduplication ids that another report of it may have; its own among them."""


def click_of(deduplication_id: str) -> Click | None:
    """Return the click that an id is about; None for all else."""
    minute, colon, digest = deduplication_id.removeprefix(_CLICK).partition(":")
    if not deduplication_id.startswith(_CLICK) or not colon or not minute.isdigit():
        return None
    near = range(int(minute) - 1, int(minute) + 2)
    return Click(digest, tuple(f"{_CLICK}{one}:{digest}" for one in near))


def _click(now: datetime, *parts: str) -> str:
    return f"{_CLICK}{int(now.timestamp()) // CLICK_SECONDS}:{_digest(*parts)}"


def order_line(*, transaction_id: str, sku: str, part: int) -> str:
    """Return the id of a line of an order; ``part`` tells lines of one SKU apart."""
    return f"{_PREFIX}line:{_digest(transaction_id, sku, str(part))}"


def order_mapping(*, transaction_id: str, shopper: tuple[str, ...]) -> str:
    """Return the id of the mapping of an order to the ids of its shopper."""
    return f"{_PREFIX}order:{_digest(transaction_id, *shopper)}"


def frame(frame_id: str, *, shopper: str, kind: str) -> str:
    """Return the id of an event that came in a frame, which is sent again until it is answered.

    Pages make ids of their own: those of two shoppers may be the same.
    """
    return f"{_PREFIX}frame:{_digest(frame_id, shopper, kind)}"


def unique() -> str:
    """Return an id that no other event has."""
    return f"{_PREFIX}own:{secrets.token_hex(10)}"


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
