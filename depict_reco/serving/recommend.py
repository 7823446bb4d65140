"""From a request to an answer: the one act that the API, the command and the pages share."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from django.db import Error as DatabaseFailure
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.engine.repeat import HISTORY
from depict_reco.events.consent import ids_allowed
from depict_reco.events.shoppers import (
    Dealt,
    ShopperEvent,
    recent_product_events,
    recent_products,
)
from depict_reco.serving.bought import Bought, bought_by
from depict_reco.serving.candidates import SOURCES, Codes, Context
from depict_reco.serving.encoding import to_json
from depict_reco.serving.exploration import explore
from depict_reco.serving.models import MAX_LIMIT
from depict_reco.serving.requests import UNKNOWN_TYPE, Answer, RecommendRequest
from depict_reco.serving.snapshots import MarketSnapshot, snapshot_book
from depict_reco.serving.strategies import Strategy
from depict_reco.serving.tracking import recommendation_blocks
from depict_reco.serving.types import TypeEntry, type_book
from depict_reco.tenants.directory import TenantEntry, directory
from depict_reco.tenants.outages import CONNECTION_FAILURES, outages

logger = logging.getLogger(__name__)

_READS_HISTORY = frozenset({"sessions", "recently_viewed", "buy_again"})
_ANCHORS = 200
"""Newest products of a request that sources look at; none of the request is ever answered."""
_FEW = 200
"""Item groups up to which looking at one after the other beats sieving them all first."""
_MOST_KEPT = 4
"""Products in a question up to which its ranking is kept: longer ones hardly come again."""
_LONGEST_KEPT = 255
"""Characters of an id up to which its question is kept; no product or category has longer ones."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was chosen for a request, and out of what."""

    snapshot: MarketSnapshot
    entry: TypeEntry
    request: RecommendRequest
    codes: list[int]
    """Item groups, best first."""
    sources: tuple[str, ...]
    """The source of each."""
    seen: Context | None = None
    """What the sources looked at, unless the ranking was kept."""

    @property
    def context(self) -> Context:
        """What the sources looked at, or would have looked at."""
        return self.seen or _context(self.snapshot, self.entry, self.request)


def recommend(request: RecommendRequest, *, tenant: TenantEntry | None = None) -> Answer:
    """Answer a request; an unknown tenant, market or type is an answer without displays.

    ``tenant`` is the tenant of the request, where the caller has just looked it up.
    """
    return answer_of(rank(request, tenant=tenant), request)


def rank(request: RecommendRequest, *, tenant: TenantEntry | None = None) -> Ranking | None:
    """Choose what to answer; None for an unknown tenant, market or type."""
    tenant = tenant or directory().tenant(request.tenant)
    market = tenant.markets.get(request.market) if tenant else None
    entry = type_book().find(tenant, market.pk, request.type) if tenant and market else None
    if tenant is None or market is None or entry is None:
        return None
    if not ids_allowed(request.consent, required=tenant.consent_required):
        request = request.without_ids()
    snapshot = snapshot_book().get(market)
    if entry.exploration or _reads_history(entry, request) or not _may_come_again(request):
        return _ranking(snapshot, entry, request)
    # The ranking follows from the question and the snapshot alone, as on every front page and
    # product page; what is kept knows nothing of the snapshot, which would never go then.
    question = (entry, request.product_ids, request.category_id, request.limit)
    kept: tuple[Codes, tuple[str, ...]] | None = snapshot.kept.get(question)
    if kept is not None:
        codes, sources = kept
        return Ranking(snapshot, entry, request, codes.tolist(), sources)
    ranking = _ranking(snapshot, entry, request)
    codes = np.array(ranking.codes, dtype=np.int32)  # a fifth of what a list of them takes
    snapshot.kept.put(question, (codes, _shared(ranking.sources)))
    return ranking


def answer_of(ranking: Ranking | None, request: RecommendRequest) -> Answer:
    """Say what was chosen in the words of the wire."""
    if ranking is None:
        return Answer(
            body=b'{"displays":[],"error":' + to_json(UNKNOWN_TYPE) + b"}", error=UNKNOWN_TYPE
        )
    snapshot, entry, sources = ranking.snapshot, ranking.entry, ranking.sources
    columns = snapshot.columns
    rows = list(map(columns.shown.item, ranking.codes))
    blocks = recommendation_blocks(columns.pks(rows), type_pk=entry.pk, now=timezone.now())
    displays = snapshot.displays.render(
        rows,
        blocks,
        locale=request.locale,
        variants=request.variants,
        logic=list(sources) if request.debug else None,
    )
    return Answer(
        body=b'{"displays":' + displays + b"}",
        columns=columns,
        rows=rows,
        sources=sources,
        wanted=min(request.limit or entry.default_limit, MAX_LIMIT),
        market_pk=snapshot.market.pk,
        type_pk=entry.pk,
    )


def displays_of(*, tenant: str, market: str, locale: str, product_ids: Sequence[str]) -> bytes:
    """Return the displays of named products, in variant form; unknown and hidden ones are left out.

    They carry recommendation ids of no type (0), since nobody recommended them.
    """
    owner = directory().tenant(tenant)
    entry = owner.markets.get(market) if owner else None
    if entry is None:
        return b'{"displays":[]}'
    snapshot = snapshot_book().get(entry)
    columns = snapshot.columns
    found = (columns.row_of(name) for name in dict.fromkeys(product_ids))
    rows = [at for at in found if at is not None and columns.row(at).visible]
    blocks = recommendation_blocks(columns.pks(rows), type_pk=0, now=timezone.now())
    return (
        b'{"displays":'
        + snapshot.displays.render(rows, blocks, locale=locale, variants=True)
        + b"}"
    )


@lru_cache(maxsize=1024)
def _shared(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Return the one tuple that all rankings with the same sources keep."""
    return sources


def _ranking(snapshot: MarketSnapshot, entry: TypeEntry, request: RecommendRequest) -> Ranking:
    context = _context(snapshot, entry, request)
    codes, sources = _rank(context, entry)
    if entry.exploration:
        codes, sources = explore(
            context,
            codes,
            sources,
            share=entry.exploration,
            key=request.shopper_ids or request.product_ids,
        )
    return Ranking(snapshot, entry, request, codes, tuple(sources), context)


def _rank(context: Context, entry: TypeEntry) -> tuple[list[int], list[str]]:
    """Return the chosen item groups, best first, and the source of each."""
    chosen: dict[int, str] = {}
    asked, is_eligible = frozenset(context.asked), context.eligible.item
    for name in entry.chain:
        for part in SOURCES[name](context):
            if len(part) > _FEW:
                part = part[context.may(part)]
            for code in part.tolist():
                if code not in chosen and code not in asked and is_eligible(code):
                    chosen[code] = name
                    if len(chosen) >= context.limit:
                        return list(chosen), list(chosen.values())
    return list(chosen), list(chosen.values())


def _context(snapshot: MarketSnapshot, entry: TypeEntry, request: RecommendRequest) -> Context:
    columns = snapshot.columns
    anchors = _codes(snapshot, request.product_ids)
    dealt, bought = _past(snapshot, entry, request)
    return Context(
        snapshot=snapshot,
        anchors=anchors[-_ANCHORS:],
        history=_history(snapshot, dealt),
        category=columns.tree.pks.get(request.category_id or ""),
        eligible=snapshot.eligible_outside(entry.excluded_categories),
        asked=anchors,
        limit=min(request.limit or entry.default_limit, MAX_LIMIT),
        bought=bought,
    )


def _codes(snapshot: MarketSnapshot, names: Iterable[str]) -> list[int]:
    """Return the item groups of products, each at its last place; unknown ones are skipped."""
    names = list(names)
    snapshot.columns.find(names)
    found = (snapshot.columns.code_of(name) for name in names)
    known = [code for code in found if code is not None]
    return list(dict.fromkeys(known[::-1]))[::-1]


def _may_come_again(request: RecommendRequest) -> bool:
    """Whether a question is short, as those are that others ask, too."""
    ids = (*request.product_ids, request.category_id or "")
    return len(ids) <= _MOST_KEPT + 1 and max(map(len, ids)) <= _LONGEST_KEPT


def _reads_history(entry: TypeEntry, request: RecommendRequest) -> bool:
    """Whether an answer depends on what the shopper did."""
    if entry.strategy == Strategy.COMPLEMENTS or _READS_HISTORY.isdisjoint(entry.chain):
        return False
    return bool(request.shopper_ids)


def _past(
    snapshot: MarketSnapshot, entry: TypeEntry, request: RecommendRequest
) -> tuple[Sequence[Dealt | ShopperEvent], Bought]:
    """Return what the shopper dealt with, newest first, and bought.

    One query, and none for types that do not ask for it.
    """
    if not _reads_history(entry, request) or directory().database_is_away:
        return (), ()
    whose = snapshot.market.pk, request.shopper_ids, settings.HISTORY_LENGTH
    try:
        if "buy_again" not in entry.chain:
            return recent_products(*whose), ()
        events = recent_product_events(*whose, purchases=HISTORY)
    except DatabaseFailure as error:
        # An answer without the shopper's history is better than none.
        if isinstance(error, CONNECTION_FAILURES):
            outages().database.begin()
        else:
            logger.exception("The history of a shopper could not be read.")
        return (), ()
    return events, bought_by(snapshot, events)


def _history(snapshot: MarketSnapshot, dealt: Sequence[Dealt | ShopperEvent]) -> list[int]:
    """Return what the shopper dealt with last, oldest first."""
    if not dealt:
        return []
    newest = dealt[: settings.HISTORY_LENGTH]
    snapshot.columns.find(event.product_id for event in newest)
    known = snapshot.columns.code_of
    # an event's product id may be one that only its SKU makes known
    names = (
        event.sku if known(event.product_id) is None else event.product_id
        for event in reversed(newest)
    )
    return _codes(snapshot, names)
