"""How good is a market's model, beside what a shop could do without one?"""

from __future__ import annotations

from typing import Any

from depict_reco.conf import settings
from depict_reco.engine.content import ContentModel
from depict_reco.engine.holdout import (
    Split,
    measured_questions,
    split_by_time,
    tuned_options,
    tuned_weights,
)
from depict_reco.engine.holdout import measure as measure_answers
from depict_reco.engine.model import FitOptions, ShopModel
from depict_reco.engine.popularity import Popularity
from depict_reco.engine.sparse import Scored, without
from depict_reco.exceptions import TrainingError
from depict_reco.tenants.models import Market
from depict_reco.training.dataset import open_window, read_dataset, read_items
from depict_reco.training.memory import affordable_linear_items
from depict_reco.training.pace import Progress


def evaluate(
    market: Market, *, progress: Progress = lambda stage, share: None, limit: int = 2000
) -> dict[str, dict[str, dict[str, float]]]:
    """Train on the older part of the window and ask about the newest sessions and baskets.

    Returns, per question (``next``, ``basket``) and method, the measures of ``engine.metrics``.
    Nothing is stored or served. Raises TrainingError when there is too little to measure on, and
    its TrainingMemoryError when there is too little memory for it.
    """

    def reading(done: int, total: int) -> None:
        progress("reading events", 0.5 * done / total if total else 0.0)

    window = open_window(market, days=settings.TRAINING_WINDOW_DAYS)
    products = market.products.count()
    linear_items = affordable_linear_items(
        market, events=window.count, products=products, days=window.days()
    )
    dataset = read_dataset(window, items=read_items(market), progress=reading)
    split = split_by_time(dataset.interactions)
    if split is None:
        raise TrainingError(
            f"{market} has too few sessions to measure on: "
            f"{len(dataset.interactions)} usable events, {dataset.n_unknown} of products that "
            "the catalogue does not know."
        )
    content = ContentModel.fit(dataset.items.texts, liked=Popularity.fit(split.train).liked)
    model = ShopModel.fit(
        split.train,
        (),
        options=tuned_options(FitOptions(linear_items=linear_items), split),
        content=content,
        progress=lambda stage, share: progress(stage, 0.5 + 0.2 * share),
    )
    progress("tuning", 0.7)
    model = model.with_weights(tuned_weights(model, split))
    progress("measuring", 0.85)
    return {
        question: {
            name: measure_answers(questions, answer, model.n_items)
            for name, answer in answers.items()
        }
        for question, (questions, answers) in _methods(model, split, limit).items()
        if questions
    }


def _methods(model: ShopModel, split: Split, limit: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return, per question, what is asked, at most ``limit`` times, and the ways to answer it."""
    popular = _popular(model)
    sessions, baskets = measured_questions(split, limit)
    together, in_baskets = model.related.table("together"), model.related.table("baskets")
    return {
        "next": (
            sessions,
            {
                "model": model.next_items,
                "popular": lambda query: without(popular, query),
                "co-occurrence": lambda query: without(together.scores_of(query), query),
            },
        ),
        "basket": (
            baskets,
            {
                "model": model.complements,
                "popular": lambda query: without(popular, query),
                "co-occurrence": lambda query: without(in_baskets.scores_of(query), query),
            },
        ),
    }


def _popular(model: ShopModel) -> Scored:
    scores = model.popularity.popular
    items = scores.nonzero()[0]
    return Scored(items.astype("int32"), scores[items])
