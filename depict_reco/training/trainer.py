"""Train a market's model: read, hold out, tune, measure, fit on everything."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic, perf_counter
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.engine.content import ContentModel
from depict_reco.engine.holdout import Split, accuracy, split_by_time, tuned_options, tuned_weights
from depict_reco.engine.model import FitOptions, ShopModel, Weights
from depict_reco.engine.popularity import Popularity
from depict_reco.exceptions import TrainingError, TrainingRunningError
from depict_reco.tenants.models import Market
from depict_reco.training.dataset import Dataset, Window, open_window, read_dataset, read_items
from depict_reco.training.memory import affordable_linear_items
from depict_reco.training.models import TrainingRun
from depict_reco.training.pace import Pace, Phase, Progress, expectation, last_run

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0

MOST_QUESTIONS = 2000
"""Held-out questions of each kind that tuning asks, where its share of the time allows."""
LEAST_QUESTIONS = 250
LEAST_TUNING_SECONDS = 60.0
"""Tuning may take so long whatever its share of the training is."""
_PILOT_QUESTIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A model fitted without the newest events, and those, to ask it about."""

    model: ShopModel
    split: Split
    item_ids: list[str]
    accuracy: dict[str, Any]


Examine = Callable[[Trial], None]
"""Called with the trial of a training, to hold it against other models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The outcome of a training, not yet stored."""

    model: ShopModel
    item_ids: list[str]
    accuracy: dict[str, Any]
    n_events: int
    n_unknown: int
    window: tuple[datetime, ...]
    n_runaway: int = 0
    tuning: dict[str, Any] = field(default_factory=dict)
    """What tuning asked and how long it took."""


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
        if monotonic() - written >= HEARTBEAT_SECONDS:
            written = monotonic()
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


def train(
    market: Market, *, pace: Pace | None = None, examine: Examine = lambda trial: None
) -> TrainedModel:
    """Train on the market's window.

    Raises TrainingError when there is nothing to train on, and its TrainingMemoryError, before
    anything is read, when there is too little memory for it.
    """
    pace = pace or Pace()
    window = open_window(market, days=settings.TRAINING_WINDOW_DAYS)
    options = _affordable_options(market, window)
    dataset = _read(market, window, pace)
    pace.enter(Phase.CONTENT)
    split = split_by_time(dataset.interactions)
    # what came after the split must not be known to what is measured on it
    liked = Popularity.fit(split.train if split else dataset.interactions).liked
    content = ContentModel.fit(dataset.items.texts, liked=liked)
    dataset.items.texts.clear()  # they are large, and of no more use
    tuned = _Tuned(options=options)
    if split is not None:
        tuned = _tune_and_measure(dataset.items.ids, split, content, options, pace, examine)
    del split  # nearly as large as all that was read
    pace.enter(Phase.FITTING)
    model = ShopModel.fit(
        dataset.interactions,
        (),
        options=tuned.options,
        weights=tuned.weights,
        content=content,
        progress=lambda stage, share: pace.note(share, detail=stage),
    )
    pace.finish()
    return TrainedModel(
        model=model,
        item_ids=dataset.items.ids,
        accuracy=tuned.accuracy,
        n_events=len(dataset.interactions),
        n_unknown=dataset.n_unknown,
        n_runaway=dataset.n_runaway,
        window=dataset.window or (),
        tuning=tuned.facts,
    )


def _affordable_options(market: Market, window: Window) -> FitOptions:
    """Return what to fit with where memory allows no more, unless it does not allow a training."""
    products = market.products.count()
    if not products:
        raise TrainingError(
            f"{market} has no products. Import its product feed first: "
            f"reco_import_feed {market.tenant.slug} {market.slug} SOURCE"
        )
    linear_items = affordable_linear_items(
        market, events=window.count, products=products, days=window.days()
    )
    return FitOptions(linear_items=linear_items)


def _read(market: Market, window: Window, pace: Pace) -> Dataset:
    """Read what there is to learn from."""
    products = market.products.count()
    pace.expected = expectation(events=window.count, products=products, last=last_run(market))
    pace.enter(Phase.READING_PRODUCTS)
    items = read_items(market)
    pace.enter(Phase.READING_EVENTS)
    return read_dataset(
        window,
        items=items,
        progress=lambda done, total: pace.note(done / total if total else 1.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tuned:
    """What to train with."""

    options: FitOptions = field(default_factory=FitOptions)
    weights: Weights = field(default_factory=Weights)
    accuracy: dict[str, Any] = field(default_factory=dict)
    """Of weights learned without the sessions and baskets that it was measured on."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What tuning asked and how long it took, for the manifest."""


def _tune_and_measure(
    item_ids: list[str],
    split: Split,
    content: ContentModel,
    options: FitOptions,
    pace: Pace,
    examine: Examine,
) -> _Tuned:
    """Learn from the newest sessions and baskets what to train with, and how good that is."""
    pace.enter(Phase.OPTIONS)
    options = tuned_options(options, split)
    pace.enter(Phase.TRIAL)
    trial = ShopModel.fit(
        split.train,
        (),
        options=options,
        content=content,
        progress=lambda stage, share: pace.note(share, detail=stage),
    )
    pace.enter(Phase.TUNING)
    seconds = tuning_seconds(pace)
    limit = _affordable(trial, split, seconds)
    half = tuned_weights(trial, split, limit=limit // 2)
    weights = tuned_weights(trial, split, everything=True, limit=limit)
    pace.enter(Phase.MEASURING)
    trial = replace(trial, weights=half)
    measured = accuracy(trial, split)
    pace.enter(Phase.COMPARING)
    examine(Trial(model=trial, split=split, item_ids=item_ids, accuracy=measured))
    spent = pace.durations[Phase.TUNING]
    return _Tuned(
        options=options,
        weights=weights,
        accuracy=measured,
        facts={"questions": limit, "seconds": round(spent, 1), "allowed": round(seconds, 1)},
    )


def tuning_seconds(pace: Pace) -> float:
    """Return how long the search for weights may take, once the trial is fitted.

    TUNING_SHARE of the whole, with the final fit expected to take as long as the trial did, less
    what the choice of options has taken of it.
    """
    options, trial = pace.durations.get(Phase.OPTIONS, 0.0), pace.durations.get(Phase.TRIAL, 0.0)
    share = settings.TUNING_SHARE
    rest = pace.spent() - options + trial
    return max(share / (1.0 - share) * rest - options, LEAST_TUNING_SECONDS)


def _affordable(trial: ShopModel, split: Split, seconds: float) -> int:
    """Return how many questions of each kind can be asked in so many seconds, by asking a few.

    The answer is one of a few round numbers, so that two trainings of the same data agree.
    """
    start = perf_counter()
    tuned_weights(trial, split, everything=True, limit=_PILOT_QUESTIONS)
    # asked twice: of half the questions to measure, of all of them to keep
    each = 1.5 * (perf_counter() - start) / _PILOT_QUESTIONS
    limit = MOST_QUESTIONS
    while limit > LEAST_QUESTIONS and limit * each > seconds:
        limit //= 2
    return limit
