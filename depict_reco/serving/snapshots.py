"""What this process knows of a market: its catalogue, its model, and how they belong together.

A snapshot never changes. When the catalogue or the model has, another one is put in its place
between two requests, so that no answer mixes old and new. A new model is loaded beside the
requests, which are answered from the old one until it is ready.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
from django.db import Error as DatabaseFailure
from numpy.typing import NDArray

from depict_reco.artifacts.current import LoadedArtifact, load_current
from depict_reco.artifacts.repairs import repairs
from depict_reco.conf import settings
from depict_reco.engine.model import ShopModel
from depict_reco.serving.background import Background
from depict_reco.serving.columns import Columns
from depict_reco.serving.displays import Displays
from depict_reco.serving.image_files import newest_revision
from depict_reco.serving.kept import Kept
from depict_reco.serving.overlay import overlaid
from depict_reco.serving.pairing import pair
from depict_reco.serving.refresh import (
    lay_out_soon,
    needs_image,
    opened,
    opened_anew,
    read_changes,
)
from depict_reco.tenants.directory import PATIENCE, MarketEntry
from depict_reco.tenants.outages import CONNECTION_FAILURES, outages

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
    _outside: dict[tuple[str, ...], NDArray[np.bool_]] = field(default_factory=dict)
    kept: Kept[Hashable, Any] = field(default_factory=lambda: Kept(settings.RANKINGS_KEPT))
    """Rankings by question, as far as they follow from this state alone; they go with it."""

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
        code_of_item, item_of_code = pair(columns, artifact)
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
        displays = self.displays.renewed(columns, codes, market=market)
        if artifact is self.artifact and columns.first_seen is self.columns.first_seen:
            return replace(
                self,
                market=market,
                columns=columns,
                displays=displays,
                _outside={},
                kept=Kept(settings.RANKINGS_KEPT),
            )
        return self.build(market, columns, artifact, displays=displays)

    def after(self, now: MarketSnapshot) -> Self:
        """Return the state with this model that follows a later one of the same catalogue."""
        codes: set[int] = set()
        following = self.renewed(now.market, now.columns, self.artifact, codes)
        return replace(following, displays=now.displays)

    def eligible_outside(self, categories: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which item groups may be answered where some categories are left out."""
        if not categories:
            return self.columns.eligible
        found = self._outside.get(categories)
        if found is None:
            found = self.columns.eligible.copy()
            for category_id in categories:
                found[self.columns.codes_in(self.columns.tree.pks.get(category_id, 0))] = False
            self._outside[categories] = found
        return found

    @property
    def model(self) -> ShopModel | None:
        return self.artifact.model if self.artifact else None


class SnapshotBook:
    """The snapshots of all markets that this process was asked about."""

    def __init__(self) -> None:
        self._snapshots: dict[int, MarketSnapshot] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._right_at: dict[int, float] = {}
        """When each was last found to be as the directory says."""
        self._renewing_since: dict[int, float] = {}
        self._failed_at: dict[int, float] = {}
        """When each last could not be renewed though the database is there."""
        self._artifact_revisions: dict[int, int] = {}
        """Of which revision each market's model was loaded last, with or without success."""
        self._awaiting_since: dict[int, float] = {}
        """When each was first found to have a model that is not loaded yet."""
        self._background = Background()

    def get(self, market: MarketEntry) -> MarketSnapshot:
        """Return the market's snapshot, brought up to date if anything changed.

        One thread does that work. Others are answered from the old snapshot meanwhile, if it was
        right a moment ago; where nobody has asked for longer, they wait for the new one, up to
        PATIENCE. Without a database the old one stays. For a new model, and for an image of a
        catalogue of which much has changed, nobody waits.
        """
        snapshot = self._snapshots.get(market.pk)
        if snapshot is not None and self._awaits_artifact(market):
            self._awaiting_since.setdefault(market.pk, time.monotonic())
            self._background.begin(f"model-{market.pk}", partial(self._load_artifact, market))
            snapshot = self._snapshots[market.pk]
        if snapshot is not None and _is_up_to_date(snapshot.market, market):
            self._right_at[market.pk] = time.monotonic()
            return snapshot
        if snapshot is not None and self._is_paused(market.pk):
            overlay = snapshot.columns.overlay
            if overlay is not None and overlay.revision < market.catalog_revision:
                self._background.begin(f"overlay-{market.pk}", partial(self._lay_over, market))
            return self._snapshots[market.pk]
        anew = False
        lock = self._locks.setdefault(market.pk, threading.Lock())
        if not lock.acquire(blocking=snapshot is None):
            if lock.acquire(timeout=self._patience(market.pk)):
                lock.release()
            return self._snapshots[market.pk]
        try:
            snapshot = self._snapshots.get(market.pk)
            if snapshot is None or not _is_up_to_date(snapshot.market, market):
                self._renewing_since[market.pk] = began = time.monotonic()
                if snapshot is None:
                    self._artifact_revisions[market.pk] = market.artifact_revision
                anew = snapshot is not None and _needs_image(snapshot, market)
                if not anew:
                    snapshot = self._snapshots[market.pk] = _renewed(snapshot, market)
                    self._right_at[market.pk] = began
                    self._failed_at.pop(market.pk, None)
        except DatabaseFailure as error:
            if snapshot is None:
                raise
            self._note_failure(market, error)
        finally:
            self._renewing_since.pop(market.pk, None)
            lock.release()
        if anew:
            self._background.begin(f"image-{market.pk}", partial(self._open_anew, market))
        return self._snapshots[market.pk]

    def is_loading(self, market_pk: int) -> bool:
        """Whether a model of the market is being loaded beside the requests."""
        return self._background.is_doing(f"model-{market_pk}")

    def _awaits_artifact(self, market: MarketEntry) -> bool:
        """Whether a market has a model that this process has not tried to load, or is to again."""
        return (
            self._artifact_revisions[market.pk] < market.artifact_revision
            or repairs().is_due(market.pk)
        ) and not outages().database.lasts

    def _load_artifact(self, market: MarketEntry) -> None:
        """Load the model of a market and put it in place; one that is broken is tried again."""
        present = self._snapshots[market.pk]
        try:
            artifact = load_current(market.pk, known=present.artifact)
        except CONNECTION_FAILURES:
            outages().database.begin()
            logger.warning("The database does not answer; market %s stays as it was.", market.pk)
            return
        except Exception:
            logger.exception("The model of market %s cannot be loaded.", market.pk)
            repairs().failed(market.pk)
        else:
            self._put_artifact(market.pk, artifact)
        self._artifact_revisions[market.pk] = market.artifact_revision
        self._awaiting_since.pop(market.pk, None)

    def _put_artifact(self, market_pk: int, artifact: LoadedArtifact | None) -> None:
        present = self._snapshots[market_pk]
        if artifact is present.artifact:
            return
        made = MarketSnapshot.build(
            present.market, present.columns, artifact, displays=present.displays
        )
        if (now := self._snapshots[market_pk]) is not present:
            made, present = made.after(now), now  # it may take long: not under the lock
        with self._locks[market_pk]:
            now = self._snapshots[market_pk]
            self._snapshots[market_pk] = made if now is present else made.after(now)

    def _open_anew(self, market: MarketEntry) -> None:
        """Put a market in place as it is in a new image; before that, what matters most of it."""
        present = self._snapshots[market.pk]
        try:
            self._put_overlay(market)
            columns = opened_anew(present.columns, market)
        except DatabaseFailure as error:
            self._note_failure(market, error)
            return
        except Exception:
            self._failed_at[market.pk] = time.monotonic()
            logger.exception("No image of market %s can be made; it stays as it was.", market.slug)
            return
        made = MarketSnapshot.build(market, columns, present.artifact)
        with self._locks[market.pk]:
            now = self._snapshots[market.pk]
            if now.artifact is not present.artifact:
                made = MarketSnapshot.build(market, columns, now.artifact)
            self._snapshots[market.pk] = made
            self._right_at[market.pk] = time.monotonic()
            self._failed_at.pop(market.pk, None)

    def _lay_over(self, market: MarketEntry) -> None:
        """Lay over a market what has changed while its image is made."""
        try:
            self._put_overlay(market)
        except DatabaseFailure as error:
            self._note_failure(market, error)

    def _put_overlay(self, market: MarketEntry) -> None:
        present = self._snapshots[market.pk]
        overlay = present.columns.overlay
        since = present.market.catalog_revision if overlay is None else overlay.revision
        columns, codes = overlaid(present.columns, market, since=since)
        with self._locks[market.pk]:
            now = self._snapshots[market.pk]
            if now.columns is present.columns:
                self._snapshots[market.pk] = now.renewed(now.market, columns, now.artifact, codes)

    def lag(self, market: MarketEntry) -> float:
        """Return for how many seconds the snapshot of a market has been behind the directory."""
        now = since = time.monotonic()
        if not _is_up_to_date(self._snapshots[market.pk].market, market):
            since = self._right_at.get(market.pk, now)
        return now - min(since, self._awaiting_since.get(market.pk, now))

    def fails(self, market: MarketEntry) -> bool:
        """Whether a market cannot be brought up to date though the database is there."""
        known = self._snapshots[market.pk].market
        return market.pk in self._failed_at and not _is_up_to_date(known, market)

    def _is_paused(self, market_pk: int) -> bool:
        """Whether a market is not to be renewed now: that failed, or an image is on its way."""
        if self._background.is_doing(f"image-{market_pk}"):
            return True
        failed_at = self._failed_at.get(market_pk)
        return failed_at is not None and time.monotonic() - failed_at < settings.RETRY_SECONDS

    def _note_failure(self, market: MarketEntry, error: DatabaseFailure) -> None:
        if isinstance(error, CONNECTION_FAILURES):
            outages().database.begin()
            logger.warning("The database does not answer; market %s stays as it was.", market.pk)
            return
        self._failed_at[market.pk] = time.monotonic()  # the next request would meet it again
        logger.error("Market %s cannot be read; it stays as it was.", market.slug, exc_info=error)

    def _patience(self, market_pk: int) -> float:
        """Return for how many seconds to wait for the thread that renews a snapshot."""
        now = time.monotonic()
        if now - self._right_at.get(market_pk, now) < settings.REFRESH_SECONDS:
            return 0.0
        return max(0.0, self._renewing_since.get(market_pk, now) + PATIENCE - now)


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


def _needs_image(old: MarketSnapshot, market: MarketEntry) -> bool:
    return needs_image(old.columns, market, since=old.market.catalog_revision)


def _renewed(old: MarketSnapshot | None, market: MarketEntry) -> MarketSnapshot:
    """Return a snapshot of the market as it is now, read as sparingly as the old one allows."""
    artifact = old.artifact if old else load_current(market.pk, known=None)
    if old is not None and old.market.catalog_revision == market.catalog_revision:
        if replace(old.market, artifact_revision=market.artifact_revision) == market:
            return replace(old, market=market)
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
    lay_out_soon(changed.columns, market)
    return old.renewed(market, changed.columns, artifact, changed.codes)


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
