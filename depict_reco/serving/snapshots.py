"""What this process knows of a market: its catalogue, its model, and how they belong together.

A snapshot never changes. When the catalogue or the model has, another one is put in its place
between two requests, so that no answer mixes old and new.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from django.db import Error as DatabaseFailure  # interface errors too: a lost connection
from numpy.typing import NDArray

from depict_reco.artifacts.current import ItemIds, LoadedArtifact, load_current
from depict_reco.artifacts.repairs import repairs
from depict_reco.engine.model import ShopModel
from depict_reco.serving.columns import Columns
from depict_reco.serving.displays import Displays
from depict_reco.serving.image_files import newest_revision
from depict_reco.serving.mapped import Texts
from depict_reco.serving.refresh import laid_out, lay_out_soon, opened, read_changes
from depict_reco.tenants.directory import MarketEntry
from depict_reco.tenants.outages import outages

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSnapshot:
    """A market at one moment."""

    market: MarketEntry
    columns: Columns
    displays: Displays
    artifact: LoadedArtifact | None
    code_of_item: NDArray[np.int32]
    """(n_items,): item group code of each item of the model; -1 where it is gone."""
    item_of_code: NDArray[np.int32]
    """(n_codes,): item of the model, -1 for what came after the training."""
    popular_order: NDArray[np.int32]
    """Codes with any popularity, the most popular first; the next two likewise."""
    trending_order: NDArray[np.int32]
    newest_order: NDArray[np.int32]
    """All codes, newest first."""
    catalogue_order: NDArray[np.int32]
    """All codes: popular ones first, then the newest."""
    catalogue_rank: NDArray[np.int32]
    """(n_codes,): place of each code in ``catalogue_order``."""
    trending_rank: NDArray[np.int32]
    """(n_codes,): place among the trending ones, followed by all others as in the catalogue."""

    @classmethod
    def build(
        cls,
        market: MarketEntry,
        columns: Columns,
        artifact: LoadedArtifact | None,
        *,
        displays: Displays | None = None,
    ) -> Self:
        """Bring a catalogue and a model together."""
        model = artifact.model if artifact else None
        code_of_item, item_of_code = _mapping(columns, artifact)
        popular, trending = _popularity(model, item_of_code)
        age = -columns.first_seen
        newest = np.lexsort((age,)).astype(np.int32)
        catalogue = np.lexsort((age, -popular)).astype(np.int32)
        rising = np.lexsort((age, -popular, -trending)).astype(np.int32)
        return cls(
            market=market,
            columns=columns,
            displays=displays or Displays(columns, market),
            artifact=artifact,
            code_of_item=code_of_item,
            item_of_code=item_of_code,
            popular_order=catalogue[popular[catalogue] > 0],
            trending_order=rising[trending[rising] > 0],
            newest_order=newest,
            catalogue_order=catalogue,
            catalogue_rank=_ranks(catalogue),
            trending_rank=_ranks(rising),
        )

    def renewed(
        self,
        market: MarketEntry,
        columns: Columns,
        artifact: LoadedArtifact | None,
        codes: set[int],
    ) -> Self:
        """Return the next state, in which some item groups of the same image changed."""
        displays = self.displays.renewed(columns, codes)
        if artifact is self.artifact and columns.first_seen is self.columns.first_seen:
            return replace(self, market=market, columns=columns, displays=displays)
        return self.build(market, columns, artifact, displays=displays)

    @property
    def model(self) -> ShopModel | None:
        return self.artifact.model if self.artifact else None


class SnapshotBook:
    """The snapshots of all markets that this process was asked about."""

    def __init__(self) -> None:
        self._snapshots: dict[int, MarketSnapshot] = {}
        self._locks: dict[int, threading.Lock] = {}

    def get(self, market: MarketEntry) -> MarketSnapshot:
        """Return the market's snapshot, brought up to date if anything changed.

        One thread does that work; others are answered from the old snapshot meanwhile. Without
        a database the old one stays.
        """
        snapshot = self._snapshots.get(market.pk)
        mend = repairs().is_due(market.pk)
        if snapshot is not None and _is_up_to_date(snapshot.market, market) and not mend:
            return snapshot
        lock = self._locks.setdefault(market.pk, threading.Lock())
        if not lock.acquire(blocking=snapshot is None):
            return snapshot  # type: ignore[return-value]  # it did not block, so there is one
        try:
            snapshot = self._snapshots.get(market.pk)
            mend = repairs().is_due(market.pk)
            if snapshot is None or mend or not _is_up_to_date(snapshot.market, market):
                snapshot = self._snapshots[market.pk] = _renewed(snapshot, market)
        except DatabaseFailure:
            if snapshot is None:
                raise
            outages().database.begin()
            logger.warning("The database does not answer; market %s stays as it was.", market.pk)
        finally:
            lock.release()
        return snapshot


@functools.cache
def snapshot_book() -> SnapshotBook:
    """Return the snapshots of this process."""
    return SnapshotBook()


def _is_up_to_date(known: MarketEntry, wanted: MarketEntry) -> bool:
    """Whether a state is the one asked for, or a newer one that another thread has seen."""
    return (
        known is wanted
        or known == wanted
        or known.catalog_revision > wanted.catalog_revision
        or known.artifact_revision > wanted.artifact_revision
    )


def _renewed(old: MarketSnapshot | None, market: MarketEntry) -> MarketSnapshot:
    """Return a snapshot of the market as it is now, read as sparingly as the old one allows."""
    artifact = old.artifact if old else None
    mend = repairs().is_due(market.pk)
    if old is None or mend or old.market.artifact_revision != market.artifact_revision:
        artifact = load_current(market.pk, known=artifact)
    if old is not None and old.market == market and old.artifact is artifact:
        return old
    if old is not None and old.market.catalog_revision == market.catalog_revision:
        return MarketSnapshot.build(market, old.columns, artifact)
    if old is None or newest_revision(market) > old.columns.image.revision:
        columns = opened(market)
        return MarketSnapshot.build(market, columns, artifact)
    changed = read_changes(
        old.columns,
        market,
        since=old.market.catalog_revision,
        deletions_since=old.market.deletion_revision,
    )
    if not changed.whole:
        columns = laid_out(changed.columns, market)
        return MarketSnapshot.build(market, columns, artifact)
    lay_out_soon(changed.columns, market)
    return old.renewed(market, changed.columns, artifact, changed.codes)


def _mapping(
    columns: Columns, artifact: LoadedArtifact | None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    item_ids: Sequence[str] = artifact.item_ids if artifact else ()
    same = _common(item_ids, columns.image.group_ids) if isinstance(item_ids, ItemIds) else 0
    code_of_item = np.arange(len(item_ids), dtype=np.int32)
    if same < len(item_ids):
        find = columns.codes_by_group(since=same).get
        code_of_item[same:] = [find(item_id, -1) for item_id in item_ids[same:]]
    item_of_code = np.full(columns.n_codes, -1, dtype=np.int32)
    present = np.flatnonzero(code_of_item >= 0)
    item_of_code[code_of_item[present]] = present
    return code_of_item, item_of_code


def _common(item_ids: ItemIds, group_ids: Texts) -> int:
    """Return how many ids both begin with.

    Mostly that is all of them, since both follow the order in which products came.
    """
    ours, theirs = item_ids.indptr, group_ids.indptr
    count = min(len(ours), len(theirs))
    differs = np.flatnonzero(ours[:count] != theirs[:count])
    count = int(differs[0]) if len(differs) else count
    size = int(ours[count - 1])
    text = np.frombuffer(group_ids.buffer, np.uint8, count=size, offset=group_ids.offset)
    differs = np.flatnonzero(item_ids.text[:size] != text)
    size = int(differs[0]) if len(differs) else size
    return int(np.searchsorted(ours[:count], size, side="right")) - 1


def _popularity(
    model: ShopModel | None, item_of_code: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    popular = np.zeros(len(item_of_code), dtype=np.float32)
    trending = np.zeros(len(item_of_code), dtype=np.float32)
    if model is not None:
        known = item_of_code >= 0
        popular[known] = model.popularity.popular[item_of_code[known]]
        trending[known] = model.popularity.trending[item_of_code[known]]
    return popular, trending


def _ranks(order: NDArray[np.int32]) -> NDArray[np.int32]:
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return ranks
