"""What was not taken as it came, noted so that the people of a shop can see it and mend it.

Notes are few and small, whatever clients send: a kind is written at most once a minute by each
process, a process knows a hundred kinds at a time, and a shop has five hundred; what goes beyond
is counted under its reason alone. No note holds a value of a request, only names of its fields.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from time import monotonic
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import F
from django.utils import timezone

from depict_reco.events.models import Refusal
from depict_reco.tenants.outages import outages

logger = logging.getLogger(__name__)

WRITE_INTERVAL = 60.0
"""Seconds between two writings of one kind by one process."""
KINDS_PER_PROCESS = 100
KINDS_PER_TENANT = 500
KEPT = timedelta(days=30)
"""How long a kind stays that is seen no more."""

_MARKET_LENGTH = 100
_DETAIL_LENGTH = 200
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,49}")
_FIELDS_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    tenant_pk: int | None
    market: str
    reason: str
    detail: str

    @property
    def fingerprint(self) -> str:
        text = "\0".join((str(self.tenant_pk), self.market, self.reason, self.detail))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def in_short(self) -> _Kind:
        """Return the kind that stands for all of this reason."""
        return _Kind(self.tenant_pk, "", self.reason, "")


@dataclass(slots=True)
class _Pending:
    first_seen_at: datetime
    last_seen_at: datetime
    count: int = 0


def note_refusal(
    reason: str,
    *,
    tenant_pk: int | None = None,
    market: str = "",
    detail: str = "",
    times: int = 1,
) -> None:
    """Note that something was refused; never raises, and seldom asks the database.

    ``reason`` is a RefusalReason, ``market`` the market as the client named it, ``detail`` what
    was wrong, without values: ``wrong_fields()`` makes it of the entries of a 422. A tenant that
    is not known is None. Counts of the last minute of a process may get lost with it. To be
    called outside of event loops and transactions.
    """
    kind = _Kind(
        tenant_pk,
        _printable(market, _MARKET_LENGTH),
        str(reason),
        _printable(detail, _DETAIL_LENGTH),
    )
    refusal_book().note(kind, times)


def wrong_fields(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return which fields were wrong, by the entries of a 422, such as ``price: decimal_type``.

    Of numbered things the number is left out, so that one fault is one kind; names that no
    contract would give to a field are too, for they may be values.
    """
    named: dict[str, None] = {}
    for entry in entries:
        names = [_field(part) for part in entry.get("loc", ())]
        place = ".".join(names[1:] or names)
        named[": ".join(filter(None, (place, str(entry.get("type", "")))))] = None
        if len(named) > _FIELDS_NAMED:
            break
    texts = list(named)
    return ", ".join([*texts[:_FIELDS_NAMED], *(["…"] if texts[_FIELDS_NAMED:] else [])])


class RefusalBook:
    """The notes of this process: what is not written yet, and when the rest was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[_Kind, _Pending] = {}
        self._written: dict[_Kind, float] = {}

    def note(self, kind: _Kind, times: int) -> None:
        now, clock = timezone.now(), monotonic()
        with self._lock:
            if not self._knows_or_has_room(kind, clock):
                kind = kind.in_short()
            pending = self._pending.setdefault(kind, _Pending(now, now))
            pending.count += times
            pending.last_seen_at = now
            due = [] if outages().database.lasts else self._take_due(clock)
        for one, what in due:
            _write(one, what)

    def _take_due(self, clock: float) -> list[tuple[_Kind, _Pending]]:
        """Return what is to be written now, and count it as written."""
        due = [
            kind
            for kind in self._pending
            if clock - self._written.get(kind, float("-inf")) >= WRITE_INTERVAL
        ]
        self._written.update(dict.fromkeys(due, clock))
        return [(kind, self._pending.pop(kind)) for kind in due]

    def _knows_or_has_room(self, kind: _Kind, clock: float) -> bool:
        known = self._written.keys() | self._pending.keys()
        if kind in known or len(known) < KINDS_PER_PROCESS:
            return True
        self._written = {
            one: at for one, at in self._written.items() if clock - at < WRITE_INTERVAL
        }
        return len(self._written.keys() | self._pending.keys()) < KINDS_PER_PROCESS


@functools.cache
def refusal_book() -> RefusalBook:
    """Return the notes of this process."""
    return RefusalBook()


def _write(kind: _Kind, pending: _Pending) -> None:
    try:
        with transaction.atomic(using=router.db_for_write(Refusal)):
            if _add(kind, pending):
                return
            if not _has_room(kind.tenant_pk):
                kind = kind.in_short()
                if _add(kind, pending):
                    return
            _create(kind, pending)
    except Exception:  # a note is not worth a second fault, least of all the answer to a request
        logger.warning("A refusal could not be noted.", exc_info=True)


def _add(kind: _Kind, pending: _Pending) -> bool:
    """Count into the row of a kind; return whether there is one."""
    rows = Refusal.objects.filter(fingerprint=kind.fingerprint)
    return bool(rows.update(count=F("count") + pending.count, last_seen_at=pending.last_seen_at))


def _has_room(tenant_pk: int | None) -> bool:
    """Drop what is long past, and say whether a tenant may have another kind."""
    rows = Refusal.objects.filter(tenant=tenant_pk)
    rows.filter(last_seen_at__lt=timezone.now() - KEPT).delete()
    return rows[:KINDS_PER_TENANT].count() < KINDS_PER_TENANT


def _create(kind: _Kind, pending: _Pending) -> None:
    try:
        with transaction.atomic(using=router.db_for_write(Refusal)):
            Refusal.objects.create(
                tenant_id=kind.tenant_pk,
                market=kind.market,
                reason=kind.reason,
                detail=kind.detail,
                count=pending.count,
                first_seen_at=pending.first_seen_at,
                last_seen_at=pending.last_seen_at,
                fingerprint=kind.fingerprint,
            )
    except IntegrityError:  # another process was quicker; or the tenant was deleted just now
        _add(kind, pending)


def _field(part: Any) -> str:
    if isinstance(part, int):
        return "*"
    return part if isinstance(part, str) and _FIELD.fullmatch(part) else "?"


def _printable(text: str, length: int) -> str:
    """Return a text that every database takes and every page shows."""
    clean = "".join(sign if sign.isprintable() else " " for sign in str(text)[:length])
    return clean.encode(errors="replace").decode().strip()
