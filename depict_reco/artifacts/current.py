"""The model that this process answers a market from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.artifacts import copies, store
from depict_reco.artifacts.models import Artifact
from depict_reco.artifacts.publish import ITEM_IDS, ITEM_IDS_INDPTR
from depict_reco.artifacts.repairs import repairs
from depict_reco.engine.model import ShopModel
from depict_reco.exceptions import ArtifactBrokenError
from depict_reco.tenants.models import Market

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ItemIds(Sequence[str]):
    """Ids in mapped arrays, made into strings as they are asked for."""

    text: NDArray[np.uint8]
    indptr: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[one] for one in range(len(self))[at]]
        start, end = self.indptr[range(len(self))[at]], self.indptr[range(len(self))[at] + 1]
        return self.text[start:end].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        text = self.text.tobytes()
        for start, end in pairwise(self.indptr.tolist()):
            yield text[start:end].decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedArtifact:
    """A model in memory and the ids of its items."""

    pk: int
    version: str
    path: str
    model: ShopModel
    item_ids: Sequence[str]
    """Item group ids; the place in the sequence is the item's number in the model."""
    manifest: dict[str, Any]
    degraded: bool
    """Whether this stands in for a newer artifact that is broken."""

    @property
    def lag(self) -> timedelta:
        """How old the newest event was when the model was trained: minutes, or years in a demo."""
        window = self.manifest["window"]
        if not window:
            return timedelta()
        made, newest = self.manifest["created_at"], window[-1]
        return datetime.fromisoformat(made) - datetime.fromisoformat(newest)


def load_current(market_pk: int, *, known: LoadedArtifact | None) -> LoadedArtifact | None:
    """Return the artifact that a market is to be answered from, or None if it has none.

    ``known``, what this process has loaded already, is kept if it is still the right one, or if
    the right one is broken. Without it, the newest older version that is whole stands in.
    ``repairs`` then says when to try the right one again.
    """
    current = Artifact.objects.filter(currentartifact__market=market_pk).first()
    if current is None:
        repairs().mended(market_pk)
        return None
    if known is not None and known.pk == current.pk and not known.degraded:
        repairs().mended(market_pk)
        return known
    kept = Artifact.objects.filter(market=market_pk).newest_first()
    try:
        loaded = load(current)
    except ArtifactBrokenError:
        repairs().failed(market_pk)
        logger.exception("Artifact %s of market %s is broken.", current.version, market_pk)
    else:
        repairs().mended(market_pk)
        _clear_away(current)
        return loaded
    if known is not None:
        return known if known.degraded else replace(known, degraded=True)
    for older in kept.filter(pk__lt=current.pk):
        try:
            return load(older, degraded=True)
        except ArtifactBrokenError:
            logger.exception("Artifact %s of market %s is broken.", older.version, market_pk)
    return None


def _clear_away(served: Artifact) -> None:
    """Remove copies on this machine that are not of the served version or the one before it."""
    older = Artifact.objects.filter(market=served.market_id, pk__lt=served.pk).newest_first()
    previous = older.values_list("path", flat=True)[:1]
    copies.forget_versions(served.path.rpartition("/")[0], keep={served.path, *previous})
    top = copies.cache_dir()
    markets = Market.objects.values_list("tenant_id", "pk")
    copies.forget_markets(
        top.glob("[0-9]*/[0-9]*"), keep={top / f"{tenant}/{pk}" for tenant, pk in markets}
    )


def load(artifact: Artifact, *, degraded: bool = False) -> LoadedArtifact:
    """Read an artifact from the storage; raises ArtifactBrokenError."""
    stored = store.read(artifact.path)
    try:
        model = ShopModel.from_arrays(stored.arrays, stored.manifest["model"])
        item_ids = ItemIds(stored.arrays[ITEM_IDS], stored.arrays[ITEM_IDS_INDPTR])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactBrokenError(
            f"{artifact.path} was written by another version ({error!r}): train again."
        ) from error
    return LoadedArtifact(
        pk=artifact.pk,
        version=artifact.version,
        path=artifact.path,
        model=model,
        item_ids=item_ids,
        manifest=stored.manifest,
        degraded=degraded,
    )
