"""Take the events that storefronts send: the one act behind HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections, router

from depict_reco.catalog.withdrawing import withdraw_products
from depict_reco.conf import settings
from depict_reco.events.admitting import admit
from depict_reco.events.consent import Consent, masked
from depict_reco.events.identity import Click, click_of
from depict_reco.events.ingest import ProductNames, ingest
from depict_reco.events.joining import join
from depict_reco.events.models import Event, EventType
from depict_reco.events.records import NewEvent
from depict_reco.events.shown import shown_products
from depict_reco.events.transactions import patient, take_turns
from depict_reco.serving.tracking import read_recommendation_id
from depict_reco.tenants.directory import MarketEntry, TenantEntry
from depict_reco.tenants.outages import outages

_ATTEMPTS = 3
_CLASHES = frozenset({"40001", "40P01"})
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of events that were taken."""

    stored: int
    duplicates: int
    """Events that were stored before, or came twice; those of erased shoppers among them."""

    def __add__(self, other: Accepted) -> Accepted:
        return Accepted(
            stored=self.stored + other.stored, duplicates=self.duplicates + other.duplicates
        )


def accept_events(
    events: Sequence[NewEvent],
    *,
    tenant: TenantEntry,
    market: MarketEntry,
    consent: Consent = Consent.UNKNOWN,
    withdraw_share: float = 1.0,
) -> Accepted:
    """Store the events of a market, all or none, and do what they ask for.

    ``consent`` is what their shoppers said about being remembered: without it, events count and
    name nobody. ``withdraw_share`` is how much of the market their sender may take out of answers,
    together with all others: see ``catalog.withdrawing``.

    When it returns they are committed, unless the caller has opened a transaction. When it raises,
    the sender has to send them again, which stores nothing twice that carries an id.
    """
    if outages().database.lasts:
        raise OperationalError("The database is away.")
    place = _Place(tenant_pk=tenant.pk, market_pk=market.pk, using=router.db_for_write(Event))
    try:
        return _again_after_clash(
            lambda: _accept(events, place, consent=consent, withdraw_share=withdraw_share),
            using=place.using,
        )
    except (OperationalError, InterfaceError):
        connection = connections[place.using]
        if not connection.in_atomic_block and not connection.is_usable():
            outages().database.begin()  # nobody else need wait for it in vain
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where events are stored."""

    tenant_pk: int
    market_pk: int
    using: str


def _accept(
    events: Sequence[NewEvent], place: _Place, *, consent: Consent, withdraw_share: float
) -> Accepted:
    """Store events: with one statement, or where they bear upon others in one transaction."""
    clicks = {event: click for event in events if (click := click_of(event.deduplication_id))}
    gone = {event.product_id for event in events if event.type == EventType.PRODUCT_UNAVAILABLE}
    turns = {click.name for click in clicks.values()}
    turns |= {event.transaction_id for event in events}
    turns.discard("")
    if not turns and not gone:
        return _store(events, place, consent=consent)
    with patient(using=place.using, seconds=settings.EVENT_PATIENCE_SECONDS):
        take_turns(turns, market_pk=place.market_pk, using=place.using)
        fresh = _first_reports(events, clicks, place) if clicks else events
        accepted = _store(fresh, place, consent=consent)
        if gone - {""}:
            withdraw_products(place.market_pk, gone - {""}, share=withdraw_share)
    return replace(accepted, duplicates=accepted.duplicates + len(events) - len(fresh))


def _store(events: Sequence[NewEvent], place: _Place, *, consent: Consent) -> Accepted:
    # before all else, so that nothing below learns an id that must not be kept
    admitted = admit(events, tenant_pk=place.tenant_pk, consent=consent).events
    fresh = _without_earlier_clicks(admitted, place)
    named, products = _with_products(fresh, market_pk=place.market_pk)
    ingested = ingest(
        named,
        tenant_pk=place.tenant_pk,
        market_pk=place.market_pk,
        products=products,
        consent=consent,
        patience=settings.EVENT_PATIENCE_SECONDS,
    )
    join(named, market_pk=place.market_pk)
    return Accepted(
        stored=ingested.stored, duplicates=ingested.duplicates + len(events) - len(fresh)
    )


def _again_after_clash(act: Callable[[], _Result], *, using: str) -> _Result:
    """Do something again that PostgreSQL broke off to let another one go first.

    That happens to those who send the same events in another order at the same time.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return act()
        except OperationalError as error:
            cause = error.__cause__
            state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
            inside = connections[using].in_atomic_block
            if state not in _CLASHES or inside:
                raise
    return act()


def _first_reports(
    events: Sequence[NewEvent], clicks: Mapping[NewEvent, Click], place: _Place
) -> Sequence[NewEvent]:
    """Leave out clicks that were reported a moment ago, or are twice among these.

    With ids or without: a click that was reported by both ways may have been stored as either.
    """
    masks = {
        name: masked(name, tenant_pk=place.tenant_pk)
        for click in clicks.values()
        for name in click.ids
    }
    stored = (
        Event.objects.using(place.using)
        .filter(market=place.market_pk, deduplication_id__in=[*masks, *masks.values()])
        .values_list("deduplication_id", flat=True)
    )
    known = set(stored)
    kept = []
    for event in events:
        click = clicks.get(event)
        if click is not None:
            if not known.isdisjoint(name for own in click.ids for name in (own, masks[own])):
                continue
            known.add(event.deduplication_id)
        kept.append(event)
    return kept


def _without_earlier_clicks(events: Sequence[NewEvent], place: _Place) -> Sequence[NewEvent]:
    """Leave out clicks on displays that the same shopper has clicked before, however long ago."""
    clicks = {
        event: (event.recommendation_id, event.session_id, event.user_id)
        for event in events
        if event.type == EventType.CLICK
        and event.recommendation_id
        and (event.session_id or event.user_id)
    }
    if not clicks:
        return events
    displays = {display for display, _session, _user in clicks.values()}
    before = Event.objects.using(place.using).filter(
        market=place.market_pk, type=EventType.CLICK, recommendation_id__in=displays
    )
    sessions = {session for _display, session, _user in clicks.values()} - {""}
    users = {user for _display, session, user in clicks.values() if not session}
    known: set[tuple[str, str]] = set()
    for field, names in (("session_id", sessions), ("user_id", users)):
        if names:
            rows = before.filter(**{f"{field}__in": names})
            known |= set(rows.values_list("recommendation_id", field))
    return [
        event
        for event in events
        if event not in clicks
        or (event.recommendation_id, event.session_id or event.user_id) not in known
    ]


def _with_products(
    events: Sequence[NewEvent], *, market_pk: int
) -> tuple[Sequence[NewEvent], ProductNames | None]:
    """Name the products of events that name only what showed them, and look up SKUs."""
    nameless = [event for event in events if not event.product_id]
    if not nameless:
        return events, None
    by_sku = [event for event in nameless if event.sku]
    products = ProductNames(market_pk) if by_sku else None
    if products:
        products.look_up(by_sku)
    shown = {
        event.recommendation_id: recommendation.product_pk
        for event in nameless
        if event.recommendation_id
        and not event.sku
        and (recommendation := read_recommendation_id(event.recommendation_id))
    }
    if not shown:
        return events, products
    ids = shown_products().ids(shown.values(), market_pk=market_pk)
    named = [
        event
        if event.product_id or event.recommendation_id not in shown
        else replace(event, product_id=ids.get(shown[event.recommendation_id], ""))
        for event in events
    ]
    return named, products
