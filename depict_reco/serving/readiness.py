"""Whether this process can answer for each market, and how fresh what it answers from is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseFailure

from depict_reco.artifacts.inspection import inspection
from depict_reco.serving.snapshots import MarketSnapshot, snapshot_book
from depict_reco.serving.types import type_book
from depict_reco.tenants.directory import MarketEntry, TenantEntry, directory
from depict_reco.tenants.outages import CONNECTION_FAILURES

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketState:
    """What this process has of one active market."""

    market_pk: int
    tenant: str
    market: str
    loaded: bool
    """Whether requests for it can be answered at all."""
    products: int = 0
    changes: int = 0
    """Products that this process keeps beside the image that its machine shares."""
    lag_seconds: float = 0.0
    """How long what it is answered from has been behind the directory; 0: it is up to date."""
    model_version: str = ""
    model_made_at: datetime | None = None
    problem: str = ""
    """What is wrong with its model or catalogue; empty if nothing is."""

    def model_is_older(self, age: timedelta, *, now: datetime) -> bool:
        return self.model_made_at is not None and now - self.model_made_at > age


def market_states() -> Iterator[MarketState]:
    """Yield the state of each active market; what is not loaded yet is loaded now.

    So a process that has said once that it is ready answers its first request at once.
    """
    for tenant in directory().tenants():
        for market in tenant.markets.values():
            yield _state(tenant, market)


def _state(tenant: TenantEntry, market: MarketEntry) -> MarketState:
    try:
        type_book().types_of(tenant)
        snapshot = snapshot_book().get(market)
    except DatabaseFailure as error:
        if not isinstance(error, CONNECTION_FAILURES):
            logger.exception("Market %s/%s cannot be read.", tenant.slug, market.slug)
        return MarketState(
            market_pk=market.pk,
            tenant=tenant.slug,
            market=market.slug,
            loaded=False,
            problem="The catalogue could not be read from the database.",
        )
    artifact = snapshot.artifact
    return MarketState(
        market_pk=market.pk,
        tenant=tenant.slug,
        market=market.slug,
        loaded=True,
        products=snapshot.columns.n_rows,
        changes=snapshot.columns.n_changes,
        lag_seconds=snapshot_book().lag(market),
        model_version="" if artifact is None else artifact.version,
        model_made_at=None if artifact is None else _made_at(artifact.manifest.get("created_at")),
        problem=_problem(snapshot, market),
    )


def _problem(snapshot: MarketSnapshot, market: MarketEntry) -> str:
    if snapshot_book().fails(market):
        return "Its changes cannot be read, an older state is served; the log says why."
    artifact = snapshot.artifact
    if artifact is None and market.artifact_revision == 0:
        return "No model has been published yet: answers rest on the catalogue alone."
    if artifact is None and snapshot_book().is_loading(market.pk):
        return "The first model is being loaded: answers rest on the catalogue alone."
    if artifact is None:
        return "The published model is broken, and no other one is there."
    if artifact.degraded:
        return f"The published model is broken; {artifact.version} stands in for it."
    if found := inspection().problem(artifact.path):
        return f"The served model is in memory only, its files are damaged: {found}"
    return ""


def _made_at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def warm_up() -> int:
    """Load all active markets, for the hook of a server; return how many are loaded.

    Without a database nothing is, and the first requests will have to wait for it.
    """
    try:
        return sum(state.loaded for state in market_states())
    except DatabaseFailure:
        logger.warning("The database does not answer; no market could be loaded.")
        return 0
