"""Train a market's model: read, hold out, tune, measure, fit on everything."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.engine.content import ContentModel
from depict_reco.engine.holdout import accuracy, split_by_time, tuned_options, tuned_weights
from depict_reco.engine.model import FitOptions, ShopModel, Weights
from depict_reco.exceptions import TrainingError, TrainingRunningError
from depict_reco.tenants.models import Market
from depict_reco.training.dataset import Dataset, read_dataset
from depict_reco.training.models import TrainingRun

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of the whole training that is done (0 to 1)."""

HEARTBEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The outcome of a training, not yet stored."""

    model: ShopModel
    item_ids: list[str]
    accuracy: dict[str, Any]
    n_events: int
    n_unknown: int
    window: tuple[datetime, ...]


def start_run(market: Market) -> TrainingRun:
    """Record that a training begins.

    Raises TrainingRunningError while another training of this market is at work. One that has
    given no sign of life for a while is taken for dead and closed.
    """
    runs = TrainingRun.objects.filter(market=market)
    with transaction.atomic():
        # Writing first takes SQLite's lock, which knows no other for the rows below.
        runs.dead().update(
            status=TrainingRun.Status.FAILED,
            finished_at=timezone.now(),
            message="Interrupted: the process gave no further sign of life.",
        )
        Market.objects.select_for_update().get(pk=market.pk)
        if other := runs.alive().first():
            raise TrainingRunningError(
                f"A training of {market} is running since {other.started_at:%H:%M} UTC on "
                f"{other.worker} (stage: {other.stage}). Wait for it, or stop that process: "
                f"{int(TrainingRun.SILENCE.total_seconds() // 60)} minutes after its last sign "
                "of life another training may start."
            )
        return TrainingRun.objects.create(
            market=market, worker=f"{socket.gethostname()}:{os.getpid()}", stage="starting"
        )


def finish_run(run: TrainingRun, status: str, *, message: str = "", **fields: Any) -> None:
    """Close a run with what came of it; its row may be gone with its market."""
    fields = {"stage": run.stage, **fields}
    fields |= {"status": status, "message": message, "finished_at": timezone.now()}
    for name, value in fields.items():
        setattr(run, name, value)
    TrainingRun.objects.filter(pk=run.pk).update(**fields)


def heartbeat(run: TrainingRun, progress: Progress) -> Progress:
    """Return a progress function that notes the stage in the run now and then, and passes it on.

    It raises TrainingError once the run was closed by somebody else: the process slept for long
    and was taken for dead, or the market was removed.
    """
    written = float("-inf")

    def note(stage: str, share: float) -> None:
        nonlocal written
        progress(stage, share)
        run.stage = stage
        if time.monotonic() - written >= HEARTBEAT_SECONDS:
            written = time.monotonic()
            if not sign_of_life(run):
                raise TrainingError(f"{run.market} was taken over by another training, or removed.")

    return note


def sign_of_life(run: TrainingRun) -> bool:
    """Note that a run is at work, and at what; return False when it was closed meanwhile."""
    mine = TrainingRun.objects.filter(pk=run.pk, status=TrainingRun.Status.RUNNING)
    try:
        return bool(mine.update(stage=run.stage, heartbeat_at=timezone.now()))
    except OperationalError as error:  # SQLite, locked: the next sign of life comes in seconds
        logger.info("Cannot note that the training of %s is at work: %s", run.market, error)
        return True


def train(market: Market, *, progress: Progress = lambda stage, share: None) -> TrainedModel:
    """Train on the market's window; raises TrainingError when there is nothing to train on.

    Progress gives reading 40 %, the fit for measuring 20 %, tuning and measuring 15 %, and the
    final fit the rest.
    """

    def reading(done: int, total: int) -> None:
        progress("reading events", 0.4 * done / total if total else 0.0)

    dataset = read_dataset(market, window_days=settings.TRAINING_WINDOW_DAYS, progress=reading)
    if not dataset.items.ids:
        raise TrainingError(
            f"{market} has no products. Import its product feed first: "
            f"reco_import_feed {market.tenant.slug} {market.slug} SOURCE"
        )
    progress("content", 0.4)
    content = ContentModel.fit(dataset.items.texts)
    options, weights, measured = _tune_and_measure(dataset, content, progress)
    model = ShopModel.fit(
        dataset.interactions,
        (),
        options=options,
        weights=weights,
        content=content,
        progress=lambda stage, share: progress(stage, 0.75 + 0.25 * share),
    )
    return TrainedModel(
        model=model,
        item_ids=dataset.items.ids,
        accuracy=measured,
        n_events=len(dataset.interactions),
        n_unknown=dataset.n_unknown,
        window=dataset.window or (),
    )


def _tune_and_measure(
    dataset: Dataset, content: ContentModel, progress: Progress
) -> tuple[FitOptions, Weights, dict[str, Any]]:
    """Return the options and weights to train with, and the accuracy that they can be held to.

    The accuracy is that of weights learned without the sessions and baskets it is measured on.
    """
    split = split_by_time(dataset.interactions)
    if split is None:
        return FitOptions(), Weights(), {}
    progress("trial: linear model", 0.42)
    options = tuned_options(FitOptions(), split)
    trial = ShopModel.fit(
        split.train,
        (),
        options=options,
        content=content,
        progress=lambda stage, share: progress(f"trial: {stage}", 0.45 + 0.15 * share),
    )
    progress("measuring", 0.6)
    measured = accuracy(replace(trial, weights=tuned_weights(trial, split, limit=1000)), split)
    progress("tuning", 0.68)
    return options, tuned_weights(trial, split, everything=True), measured
