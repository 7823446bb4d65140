"""Erase what is stored of one shopper, and leave a receipt that does not say whose it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import sleep

from django.db import connections, router, transaction
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.events.digests import digest
from depict_reco.events.erasures import Erasure
from depict_reco.events.linking import ID_FIELDS, Shopper, clean_ids, linked
from depict_reco.events.models import Event, EventQuerySet
from depict_reco.tenants.models import Market, Tenant

BATCH = 500
"""Rows deleted in one transaction."""

Forget = Callable[..., Mapping[str, int]]
"""Takes keys of events that are about to be deleted, and ``market_pk``; says what else went."""

ErasureProgress = Callable[[int, int], None]
"""Called after each batch with how many rows are gone, and how many there are in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """Whose data is to go, and who says so."""

    ids: tuple[str, ...]
    """Session and user ids; each is looked for among both."""
    linked: bool = False
    """Whether ids that stand beside one of them in an event or an order go, too."""
    asked_by: str
    channel: str = Erasure.Channel.CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an erasure would take."""

    shopper: Shopper
    rows: dict[str, int]
    """Events by type."""
    markets: tuple[str, ...]
    """Slugs of the markets that have any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure took; the ids are told to the caller alone."""

    erasure: Erasure
    ids: tuple[str, ...]
    markets: tuple[str, ...]
    """Slugs of the markets that lost events, whose models are to be trained again."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where rows of the shopper lie."""

    market: Market
    ids: Mapping[str, str] = field(default_factory=dict)
    """One of the columns of ids, and its value."""
    orders: tuple[str, ...] = ()


def look(tenant: Tenant, ids: Iterable[str], *, with_linked: bool = False) -> Found:
    """Say what an erasure would take, and change nothing."""
    names = clean_ids(ids)
    shopper = linked(tenant, names) if with_linked else Shopper(ids=names)
    rows: Counter[str] = Counter()
    markets: dict[str, None] = {}
    seen: set[int] = set()
    for place in _places(tenant, shopper):
        for pk, kind in _events(place).values_list("pk", "type").iterator():
            if pk not in seen:
                seen.add(pk)
                rows[kind] += 1
                markets[place.market.slug] = None
    return Found(shopper=shopper, rows=dict(rows), markets=tuple(markets))


def erase(
    tenant: Tenant,
    request: ErasureRequest,
    *,
    forget: Sequence[Forget] = (),
    progress: ErasureProgress = lambda done, total: None,
    wait: float | None = None,
) -> Erased:
    """Erase what is stored of a shopper in all markets of a tenant, in short transactions.

    May be killed at any moment: asked again with the same ids, it goes on where it was. Asked
    again afterwards, it finds nothing, and a receipt says so. From the first moment on, events
    of the shopper that come in again are kept out (``events.admitting``). ``forget`` are called,
    in the same transactions, for what other rooms keep of events. ``wait`` is for how many seconds
    other processes may still store events of the shopper; as long as they can, by default.
    """
    erasure = _begin(tenant, request)
    return resume(erasure, forget=forget, progress=progress, wait=wait)


def resume(
    erasure: Erasure,
    *,
    forget: Sequence[Forget] = (),
    progress: ErasureProgress = lambda done, total: None,
    wait: float | None = None,
) -> Erased:
    """Carry an erasure through that was begun."""
    tenant = erasure.tenant
    shopper = _find(erasure)
    places = _places(tenant, shopper)
    total = sum(_events(place).count() for place in places)
    done, markets = 0, dict[str, None]()
    sleep(settling_seconds() if wait is None else wait)
    for _sweep in range(2):  # once more for what was committed meanwhile, behind the first one
        for place in places:
            while gone := _delete_some(erasure, place, forget):
                done += gone
                markets[place.market.slug] = None
                progress(done, max(done, total))
    with transaction.atomic(using=_database()):
        Erasure.objects.filter(pk=erasure.pk, finished_at=None).update(
            state=Erasure.State.DONE, pending=[], finished_at=timezone.now()
        )
    erasure.refresh_from_db()
    return Erased(erasure=erasure, ids=shopper.ids, markets=tuple(markets))


def settling_seconds() -> float:
    """Return after how long all is committed that was let in before an erasure was in force.

    Every process learns of it within REFRESH_SECONDS, and has what it had in hand stored within
    EVENT_PATIENCE_SECONDS, or gives it up.
    """
    patience = settings.EVENT_PATIENCE_SECONDS if _is_postgres() else settings.REFRESH_SECONDS
    return settings.REFRESH_SECONDS + patience


def _is_postgres() -> bool:
    return connections[_database()].vendor == "postgresql"


def _begin(tenant: Tenant, request: ErasureRequest) -> Erasure:
    """Return the erasure of these ids that was interrupted, or a new one; it is in force now."""
    names = clean_ids(request.ids)
    for erasure in Erasure.objects.filter(tenant=tenant).unfinished().newest_first():
        same = set(names) <= {name for kind, name in erasure.pending if kind == "id"}
        if same and erasure.linked == request.linked:
            return erasure
    with transaction.atomic(using=_database()):
        erasure = Erasure.objects.create(
            tenant=tenant,
            asked_by=request.asked_by[:255],
            channel=request.channel,
            linked=request.linked,
            given=len(names),
            digests=[digest(name, tenant_pk=tenant.pk) for name in names],
            pending=[["id", name] for name in names],
        )
        Tenant.objects.touch({tenant.pk})
    return erasure


def _find(erasure: Erasure) -> Shopper:
    """Return by what the shopper is known; what was found is noted before anything is deleted."""
    ids = tuple(name for kind, name in erasure.pending if kind == "id")
    orders = tuple(name for kind, name in erasure.pending if kind == "order")
    if erasure.state != Erasure.State.FINDING:
        return Shopper(ids=ids, orders=orders)
    tenant = erasure.tenant
    try:
        shopper = linked(tenant, ids) if erasure.linked else Shopper(ids=ids)
    except Exception:
        erasure.delete()  # nothing is gone yet, and nothing will be
        Tenant.objects.touch({tenant.pk})
        raise
    erasure.state = Erasure.State.DELETING
    erasure.digests = [digest(name, tenant_pk=tenant.pk) for name in shopper.ids]
    erasure.pending = [
        *(["id", name] for name in shopper.ids),
        *(["order", name] for name in shopper.orders),
    ]
    with transaction.atomic(using=_database()):
        erasure.save(update_fields=["state", "digests", "pending"])
        Tenant.objects.touch({tenant.pk})
    return shopper


def _delete_some(erasure: Erasure, place: _Place, forget: Sequence[Forget]) -> int:
    """Delete one batch and note it in the receipt, both or neither; return how many rows."""
    with transaction.atomic(using=_database()):
        # whoever works on the same erasure waits here, so that no row is counted twice
        locked = Erasure.objects.select_for_update().get(pk=erasure.pk)
        some = list(_events(place).select_for_update().values_list("pk", "type")[:BATCH])
        if some:
            pks = [pk for pk, _kind in some]
            rows = Counter(locked.rows) + Counter(kind for _pk, kind in some)
            for act in forget:
                rows.update(act(pks, market_pk=place.market.pk))
            Event.objects.filter(pk__in=pks).delete()
            locked.rows = dict(rows)
            locked.save(update_fields=["rows"])
    return len(some)


def _places(tenant: Tenant, shopper: Shopper) -> list[_Place]:
    """Return all places, each a small range of an index."""
    places: list[_Place] = []
    for market in Market.objects.filter(tenant=tenant).order_by("pk"):
        for name in shopper.ids:
            places += [_Place(market, ids={column: name}) for column in ID_FIELDS]
        places += [_Place(market, orders=(order,)) for order in shopper.orders]
    return places


def _events(place: _Place) -> EventQuerySet:
    events = Event.objects.filter(market=place.market, **place.ids).order_by()
    return events.of_orders(place.orders) if place.orders else events


def _database() -> str:
    return router.db_for_write(Event)
