"""Put together what is known of one shopper: sessions, users and orders that belong together."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import router, transaction

from depict_reco.events.models import Event, EventQuerySet, EventType
from depict_reco.events.records import NewEvent


def join(events: Sequence[NewEvent], *, market_pk: int) -> None:
    """Give earlier events the ids of their shopper that these stored events make known.

    A mapping says who placed an order, and that a session is a user's. Ids that an event has are
    left alone. Whichever of a mapping and its order is stored later finds the other, if each is
    committed before this is called; calling it again changes nothing.
    """
    orders: set[str] = set()
    for event in events:
        if event.type == EventType.TRANSACTION_MAPPING:
            _claim_session(event, market_pk)
            _claim_order(event, market_pk)
        elif event.transaction_id and not (event.session_id and event.user_id):
            orders.add(event.transaction_id)
    if orders:
        for mapping in _events(market_pk).of_orders(orders).filter(
            type=EventType.TRANSACTION_MAPPING
        ):  # fmt: skip
            _claim_order(mapping, market_pk)


def _claim_session(mapping: NewEvent, market_pk: int) -> None:
    """Say of what was done in a session, without a user, who did it."""
    sessions = {mapping.session_id, mapping.dsid or ""} - {"", mapping.user_id}
    if mapping.user_id and sessions:
        anonymous = _events(market_pk).filter(session_id__in=sessions, user_id="")
        _say(anonymous, user_id=mapping.user_id)


def _claim_order(mapping: NewEvent | Event, market_pk: int) -> None:
    """Say of the lines of an order in which session, and by whom, it was placed."""
    order = _events(market_pk).of_orders([mapping.transaction_id])
    if mapping.session_id:
        _say(order.filter(session_id=""), session_id=mapping.session_id)
    if mapping.user_id:
        _say(order.filter(user_id=""), user_id=mapping.user_id)


def _say(events: EventQuerySet, **ids: str) -> None:
    """Fill ids in; rows are locked in one order, so that two who do it wait for each other."""
    with transaction.atomic(using=events.db):
        pks = list(events.order_by("pk").select_for_update().values_list("pk", flat=True))
        if pks:
            Event.objects.using(events.db).filter(pk__in=pks).update(**ids)


def _events(market_pk: int) -> EventQuerySet:
    return Event.objects.using(router.db_for_write(Event)).filter(market=market_pk)
