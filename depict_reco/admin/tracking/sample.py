"""What the findings are made from: the newest events of a market and what is known of them.

As many queries for ten million events as for one, each of them by index and limited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Q, Sum

from depict_reco.admin.tracking.recommendations import Shown, read_ids
from depict_reco.models import ApiKey, Event, Market, Product, Refusal, ServedCount

EVENTS = 4000
"""Newest events that findings are about."""
LIVE_WITHIN = timedelta(days=1)
"""Events that arrive later than this after they happened were imported from a file."""
SALES = frozenset({"purchase", "return", "transaction_mapping"})
ACTS = frozenset({"click", "add_to_cart", "purchase"})

_NAMES_PER_QUERY = 1000
_SESSIONS = 200
_REFUSALS = 200
_REFUSED_WITHIN = timedelta(days=7)
_KEYS = 50
_FIELDS = (
    "pk", "type", "time", "received_at", "session_id", "user_id", "product_id", "sku",
    "transaction_id", "recommendation_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of the sample."""

    pk: int
    type: str
    time: datetime
    received_at: datetime
    session_id: str
    user_id: str
    product_id: str
    sku: str
    transaction_id: str
    recommendation_id: str

    @property
    def shopper(self) -> str:
        return self.session_id or self.user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the names of products in events are in the catalogue."""

    product_ids: frozenset[str]
    skus: frozenset[str]
    groups: frozenset[str]
    elsewhere: dict[str, str]
    """Slug of another market of the tenant, by the product id that it has."""

    def know(self, event: Seen) -> bool:
        """Whether the catalogue has the event's product, by its id or its SKU."""
        return any(
            name in self.product_ids or name in self.skus
            for name in (event.product_id, event.sku)
            if name
        )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The newest events of a market, newest first."""

    market: Market
    now: datetime
    events: tuple[Seen, ...]
    names: Names
    shown: dict[str, Shown]
    """By recommendation id."""
    other_types: dict[str, frozenset[str]]
    """Types of events other than sales, by sessions that clicked or bought."""
    refusals: tuple[Refusal, ...]
    idle_keys: tuple[ApiKey, ...]
    """That may send events and have not been used for a day, or never."""
    served: int
    """About how many recommendations were sent since yesterday."""

    @cached_property
    def live(self) -> tuple[Seen, ...]:
        """Those that came from clients, not from files."""
        return tuple(one for one in self.events if one.received_at - one.time < LIVE_WITHIN)

    @cached_property
    def counts(self) -> Counter[str]:
        """Live events by type."""
        return Counter(one.type for one in self.live)


def take_sample(market: Market, *, now: datetime) -> Sample:
    """Read what the findings about a market need; fourteen queries at most, few rows each."""
    newest = Event.objects.filter(market=market).order_by("-time", "-pk")
    events = tuple(Seen(*row) for row in newest.values_list(*_FIELDS)[:EVENTS])
    ids = {one.recommendation_id for one in events} - {""}
    day_ago = now - LIVE_WITHIN
    keys = ApiKey.objects.live().filter(
        Q(last_used_at__lt=day_ago) | Q(last_used_at=None, created_at__lt=day_ago),
        tenant=market.tenant,
    )
    served = ServedCount.objects.filter(market=market, day__gte=day_ago.date())
    return Sample(
        market=market,
        now=now,
        events=events,
        names=_names(market, events),
        shown=read_ids(ids, market=market),
        other_types=_other_types(market, events),
        refusals=_refusals(market, now),
        idle_keys=tuple(
            key for key in keys.order_by("name", "pk")[:_KEYS] if ApiKey.Scope.EVENTS in key.scopes
        ),
        served=served.aggregate(sum=Sum("served", default=0))["sum"],
    )


def _names(market: Market, events: Iterable[Seen]) -> Names:
    given = sorted({name for one in events for name in (one.product_id, one.sku)} - {""})
    products = Product.objects.filter(market=market).order_by()
    ids: set[str] = set()
    skus: set[str] = set()
    for names in _parts(given):
        named = products.filter(Q(product_id__in=names) | Q(sku__in=names))
        for product_id, sku in named.values_list("product_id", "sku"):
            ids.add(product_id)
            skus.add(sku)
    unknown = [name for name in given if name not in ids and name not in skus][:_NAMES_PER_QUERY]
    groups = products.filter(item_group_id__in=unknown).values_list("item_group_id", flat=True)
    others = Market.objects.filter(tenant=market.tenant_id).exclude(pk=market.pk)
    elsewhere = Product.objects.filter(market__in=others.order_by(), product_id__in=unknown)
    return Names(
        product_ids=frozenset(ids),
        skus=frozenset(skus - {""}),
        groups=frozenset(groups.distinct()[:_NAMES_PER_QUERY]) if unknown else frozenset(),
        elsewhere=dict(
            elsewhere.order_by().values_list("product_id", "market__slug")[:_NAMES_PER_QUERY]
        )
        if unknown
        else {},
    )


def _parts(names: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(names), _NAMES_PER_QUERY):
        yield names[start : start + _NAMES_PER_QUERY]


def _other_types(market: Market, events: tuple[Seen, ...]) -> dict[str, frozenset[str]]:
    """Look what the sessions did that act in the sample, some of it before the sample begins."""
    acting = dict.fromkeys(one.session_id for one in events if one.type in ACTS and one.session_id)
    sessions = list(acting)[:_SESSIONS]
    if not sessions:
        return {}
    found: dict[str, set[str]] = {name: set() for name in sessions}
    since = min(one.time for one in events if one.session_id in found) - LIVE_WITHIN
    rows = Event.objects.filter(market=market, session_id__in=sessions, time__gte=since)
    rows = rows.exclude(type__in=SALES).order_by().distinct()
    for session_id, type_ in rows.values_list("session_id", "type"):
        found[session_id].add(type_)
    return {name: frozenset(types) for name, types in found.items()}


def _refusals(market: Market, now: datetime) -> tuple[Refusal, ...]:
    """Return what was refused lately of this market, and what named none that there is."""
    others = Market.objects.filter(tenant=market.tenant_id).exclude(pk=market.pk)
    rows = Refusal.objects.filter(last_seen_at__gte=now - _REFUSED_WITHIN)
    known = rows.filter(tenant=market.tenant_id).exclude(market__in=others.values("slug"))
    newest = [known.order_by("-last_seen_at"), rows.filter(tenant=None).order_by("-last_seen_at")]
    return tuple(row for some in newest for row in some[:_REFUSALS])
