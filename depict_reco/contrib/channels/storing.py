"""Store what sockets have received, a batch at a time; the part that may block."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import InterfaceError, OperationalError, close_old_connections
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError

from depict_reco.api.errors import InvalidRequestError
from depict_reco.api.event_serializers import EventSerializer
from depict_reco.api.refusing import note_refused_request
from depict_reco.api.views import consent_of
from depict_reco.contrib.channels.entry import check_sender, request_of
from depict_reco.contrib.channels.frames import Frame, Status
from depict_reco.events.accept import accept_events
from depict_reco.events.consent import Consent
from depict_reco.events.records import NewEvent
from depict_reco.events.wire import shopper_event
from depict_reco.tenants.directory import MarketEntry, TenantEntry, directory

logger = logging.getLogger(__name__)

_AWAY = (OperationalError, InterfaceError)
_EVENT = EventSerializer()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    tenant: TenantEntry
    market: MarketEntry
    event: NewEvent
    consent: Consent
    """What the address of the socket says of it."""


def store_frames(frames: Sequence[Frame]) -> list[Status | None]:
    """Store the events of some frames; return what became of each, None for "not yet"."""
    close_old_connections()
    try:
        outcomes: list[Status | None] = [None] * len(frames)
        places: dict[tuple[int, int, Consent], list[tuple[int, _Placed]]] = {}
        for at, frame in enumerate(frames):
            found = _read(frame)
            if isinstance(found, _Placed):
                place = found.tenant.pk, found.market.pk, found.consent
                places.setdefault(place, []).append((at, found))
            else:
                outcomes[at] = found
        for some in places.values():
            for (at, _), status in zip(some, _store([one for _, one in some]), strict=True):
                outcomes[at] = status
        return outcomes
    finally:
        close_old_connections()


def _read(frame: Frame) -> _Placed | Status | None:
    """Return the event of a frame and whose it is, or what became of the frame without."""
    try:
        event = frame.event()
        try:
            return _placed(frame, event)
        except APIException as error:
            note_refused_request(error, body=event)
            return Status.NOT_OK
    except DatabaseFailure:  # nobody knows yet whether it is welcome
        return None
    except Exception:  # one bad frame must not end the thread that stores all others
        logger.exception("A frame cannot be read.")
        return Status.NOT_OK


def _placed(frame: Frame, sent: dict[str, Any]) -> _Placed:
    try:
        values = _EVENT.run_validation(sent)
    except ValidationError as error:
        raise InvalidRequestError.from_validation(error, within="event") from None
    request = request_of(frame.scope)
    check_sender(request, values["tenant"])
    tenant = directory().tenant(values["tenant"])
    if tenant is None:
        raise PermissionDenied("The shop of this API key is closed.")
    market = tenant.markets.get(values["market"])
    if market is None:
        raise InvalidRequestError.of(
            "unknown_market", "The shop has no such open market", loc=("event", "market")
        )
    event = shopper_event(values, now=frame.received_at, frame_id=frame.id)
    return _Placed(tenant=tenant, market=market, event=event, consent=consent_of(request))


def _store(some: Sequence[_Placed]) -> list[Status | None]:
    """Store events of one place; where the database refuses some, the others without them."""
    first = some[0]
    try:
        accept_events(
            [one.event for one in some],
            tenant=first.tenant,
            market=first.market,
            consent=first.consent,
        )
    except _AWAY:
        logger.warning("The database takes no events now; %d are held.", len(some))
        return [None] * len(some)
    except Exception:
        if len(some) > 1:
            return [status for one in some for status in _store([one])]
        logger.exception("An event from a socket cannot be stored.")
        return [Status.NOT_OK]
    return [Status.OK] * len(some)
