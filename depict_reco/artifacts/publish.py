"""Make a trained model the one that is served, go back to an earlier one, clear out old ones."""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

import depict_reco
from depict_reco.artifacts import store
from depict_reco.artifacts.models import Artifact, CurrentArtifact
from depict_reco.conf import settings
from depict_reco.exceptions import ArtifactError
from depict_reco.signals import artifact_published
from depict_reco.tenants.models import Market
from depict_reco.training.models import TrainingRun
from depict_reco.training.trainer import TrainedModel

logger = logging.getLogger(__name__)

ITEM_IDS = "item_ids"
ITEM_IDS_INDPTR = "item_ids_indptr"


def store_model(market: Market, trained: TrainedModel, *, run: TrainingRun | None) -> Artifact:
    """Write a trained model to the storage and record it; it is not served yet."""
    now = timezone.now()
    version = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    path = f"{_folder(market)}/{version}"
    encoded = [item_id.encode("utf-8") for item_id in trained.item_ids]
    lengths = np.fromiter((len(text) for text in encoded), dtype=np.int64, count=len(encoded))
    arrays = trained.model.arrays() | {
        ITEM_IDS: np.frombuffer(b"".join(encoded), dtype=np.uint8),
        ITEM_IDS_INDPTR: np.concatenate(([0], np.cumsum(lengths))),
    }
    manifest = store.write(path, arrays, _manifest(market, version, now, trained))
    try:
        return Artifact.objects.create(
            market=market, version=version, path=path, training_run=run, manifest=manifest
        )
    except BaseException:
        store.delete(path)
        raise


def publish(artifact: Artifact) -> None:
    """Serve this artifact from now on; publishing an older one is how to roll back.

    Its files are verified first. Raises ArtifactBrokenError, and nothing changes.
    """
    store.verify(artifact.path)
    with transaction.atomic():
        Market.objects.advance(artifact.market_id, "artifact_revision")
        if not Artifact.objects.filter(pk=artifact.pk).exists():
            raise ArtifactError(f"{artifact} has just been cleared out.")
        CurrentArtifact.objects.update_or_create(
            market_id=artifact.market_id,
            defaults={"artifact": artifact, "published_at": timezone.now()},
        )
        transaction.on_commit(
            partial(artifact_published.send_robust, sender=Artifact, artifact=artifact)
        )


def roll_back(market: Market, *, version: str = "") -> Artifact:
    """Serve a named version again, or the newest one that is older than the served one.

    Raises ArtifactError when there is none.
    """
    artifacts = Artifact.objects.filter(market=market).newest_first()
    if version:
        artifact = artifacts.filter(version=version).first()
        if artifact is None:
            kept = ", ".join(artifacts.values_list("version", flat=True)) or "none"
            raise ArtifactError(f"{market} has no artifact {version!r}; kept are: {kept}.")
    else:
        current = CurrentArtifact.objects.filter(market=market).first()
        older = artifacts.filter(pk__lt=current.artifact_id) if current else artifacts.none()
        artifact = older.first()
        if artifact is None:
            raise ArtifactError(f"{market} has no older artifact to go back to.")
    publish(artifact)
    return artifact


def prune(market: Market) -> int:
    """Remove all but the newest versions and the served one; return how many went.

    Folders that no row knows, left over from a killed training, go as soon as they are old.
    """
    with transaction.atomic():
        # The lock that publishing takes as well: what is being published now stays.
        Market.objects.select_for_update().get(pk=market.pk)
        served = CurrentArtifact.objects.filter(market=market).values("artifact")
        kept = Artifact.objects.filter(market=market).newest_first()
        newest = list(kept.values_list("pk", flat=True)[: max(settings.ARTIFACT_VERSIONS_KEPT, 1)])
        spare = kept.exclude(pk__in=newest).exclude(pk__in=served)
        removed = list(spare.values_list("path", flat=True))
        spare.filter(path__in=removed).delete()
        known = set(kept.values_list("path", flat=True))
    # Rows first: a kill in between leaves files that nobody knows, never a row without files.
    for path in store.paths_under(_folder(market)):
        if path not in known and path not in removed and _age_in_days(path) > 1:
            removed.append(path)
    for path in removed:
        store.delete(path)
    return len(removed)


def _folder(market: Market) -> str:
    # Primary keys, not slugs: a slug may be changed, and may differ from another by case only.
    return f"{market.tenant_id}/{market.pk}"


def _age_in_days(path: str) -> float:
    stamp = path.rsplit("/", 1)[-1].partition("-")[0]
    try:
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return (timezone.now() - made).total_seconds() / 86_400


def _manifest(market: Market, version: str, now: datetime, trained: TrainedModel) -> dict[str, Any]:
    return {
        "version": version,
        "tenant": market.tenant.slug,
        "market": market.slug,
        "created_at": now.isoformat(),
        "depict_reco": depict_reco.__version__,
        "products": len(trained.item_ids),
        "events": trained.n_events,
        "unknown_products": trained.n_unknown,
        "runaway_events": trained.n_runaway,
        "window": [stamp.isoformat() for stamp in trained.window],
        "accuracy": trained.accuracy,
        "tuning": trained.tuning,
        "model": trained.model.settings(),
    }
