"""From the raw values of a row to an event, or to the reason why there is none."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from depict_reco.events.layouts import Values
from depict_reco.events.models import EventType
from depict_reco.events.names import read_type
from depict_reco.events.records import (
    NO_PRODUCTS,
    NO_RECOMMENDATIONS,
    NO_SESSIONS,
    NewEvent,
    derived_deduplication_id,
)
from depict_reco.events.values import (
    clamp_time,
    read_currency,
    read_id,
    read_price,
    read_quantity,
    read_time,
)

_SALES = frozenset({EventType.PURCHASE, EventType.RETURN, EventType.ADD_TO_CART})
_STEP = timedelta(milliseconds=1)
_NOTHING: frozenset[str] = frozenset()
_Read = TypeVar("_Read")


class Skip(enum.Enum):
    """Why a row that is in order makes no event."""

    IGNORED_TYPE = "ignored"
    WITHOUT_PRODUCT = "without_product"


class RejectedError(ValueError):
    """A row cannot be an event."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """How the rows of one file are read."""

    default_type: str
    """Type of rows without one."""
    forced_type: str = ""
    """Type of all rows, whatever they say."""
    zone: tzinfo = UTC
    time_format: str = ""
    marks_cancelled: bool = False
    """Whether a transaction id that begins with C is a cancelled invoice."""
    ordered_from: datetime | None = None
    """For files without times: the time of line 0; each line is a millisecond later."""
    counts: Counter[str] = field(default_factory=Counter)
    """Where it is counted as ``clamped`` that a time was put right."""

    def clean(self, values: Values, *, line: int, part: int = 0) -> NewEvent | Skip:
        """Return the event of a row, or why there is none; raises RejectedError.

        ``part`` counts the events of one row from 0.
        """
        (
            time, event_type, session, user, visitor, ga_session, product, sku, quantity, price,
            currency, transaction, recommendation, deduplication,
        ) = values  # fmt: skip
        kind = self.forced_type or _take("type", self._type, event_type)
        if not kind:
            return Skip.IGNORED_TYPE
        product_id = _name("product_id", product, NO_PRODUCTS)
        sku = _name("sku", sku, NO_PRODUCTS)
        recommendation_id = _name("recommendation_id", recommendation, NO_RECOMMENDATIONS)
        if not product_id and not sku and _needs_product(kind, recommendation_id):
            return Skip.WITHOUT_PRODUCT
        transaction_id = _take("transaction_id", read_id, transaction)
        kind, pieces = self._pieces(kind, quantity, transaction_id)
        amount, code = _take("price", read_price, price)
        session_id, user_id = _shopper(session, user, visitor, ga_session)
        event = NewEvent(
            type=kind,
            time=self._time(time, line, part),
            session_id=session_id,
            user_id=user_id,
            product_id=product_id,
            sku=sku,
            quantity=pieces,
            price=amount,
            currency=_take("currency", read_currency, currency) or code,
            transaction_id=transaction_id,
            recommendation_id=recommendation_id,
            deduplication_id=_deduplication_id(deduplication, part),
        )
        if not event.deduplication_id and (self.ordered_from is not None or part):
            place = line if self.ordered_from else None
            derived = derived_deduplication_id(event, line=place, part=part)
            event = replace(event, deduplication_id=derived)
        return self._clamped(event)

    def _clamped(self, event: NewEvent) -> NewEvent:
        """Put a time right that cannot be; the id goes by what the file says, and stays."""
        time = clamp_time(event.time)
        if time == event.time:
            return event
        self.counts["clamped"] += 1
        known_by = event.deduplication_id or derived_deduplication_id(event)
        return replace(event, time=time, deduplication_id=known_by)

    def _type(self, value: Any) -> str:
        name = read_id(value)
        return read_type(name) if name else self.default_type

    def _time(self, value: Any, line: int, part: int) -> datetime:
        if self.ordered_from is not None:
            return self.ordered_from + line * _STEP + part * _STEP / 1000
        if value is None or value == "":
            raise RejectedError("timestamp", "is missing")
        try:
            return read_time(value, zone=self.zone, time_format=self.time_format)
        except ValueError as error:
            raise RejectedError("timestamp", str(error)) from None

    def _pieces(self, kind: str, quantity: Any, transaction_id: str) -> tuple[str, int]:
        """Return the type and how many pieces: goods that came back are a return."""
        pieces = _take("quantity", read_quantity, quantity)
        cancelled = (
            self.marks_cancelled and transaction_id[:1] in "cC" and transaction_id[1:2].isdigit()
        )
        if kind == EventType.PURCHASE and (pieces < 0 or cancelled):
            kind = EventType.RETURN.value
        if pieces == 0 and kind in _SALES:
            raise RejectedError("quantity", "is zero")
        return kind, abs(pieces) or 1


def _take(field: str, read: Callable[[Any], _Read], value: Any) -> _Read:
    try:
        return read(value)
    except ValueError as error:
        raise RejectedError(field, str(error)) from None


def _name(field: str, value: Any, nobody: frozenset[str]) -> str:
    if value is None:
        return ""
    name = _take(field, read_id, value)
    return "" if name in nobody else name


def _shopper(session: Any, user: Any, visitor: Any, ga_session: Any) -> tuple[str, str]:
    """Return session and user id; a visitor's id stands in for what is missing of them."""
    session_id = _name("session_id", session, NO_SESSIONS)
    user_id = _name("user_id", user, NO_SESSIONS)
    if visitor is None:
        return session_id, user_id
    visitor_id = _name("visitor_id", visitor, NO_SESSIONS)
    number = _name("ga_session_id", ga_session, NO_SESSIONS)
    if visitor_id and number and not session_id:
        # Google counts the sessions of each visitor: alone the number is not unique.
        session_id = _take("ga_session_id", read_id, f"{visitor_id}.{number}")
    if not user_id:
        return session_id, visitor_id
    return session_id or visitor_id, user_id


def _needs_product(kind: str, recommendation_id: str) -> bool:
    """Whether there can be no event of this type without a product; sales are refused then."""
    if kind not in _SALES or (kind == EventType.ADD_TO_CART and recommendation_id):
        return not recommendation_id
    raise RejectedError("product_id", "is missing, and so is the sku")


def _deduplication_id(value: Any, part: int) -> str:
    given = _name("deduplication_id", value, _NOTHING)
    if not given or not part:
        return given
    return _take("deduplication_id", read_id, f"{given}#{part}")
