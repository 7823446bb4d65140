"""Measure and tune a model on a shop's own newest sessions and baskets.

Questions follow the unseen-item protocol: an item that the question already names is never the
right answer, as the API never returns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Groups, Interactions
from depict_reco.engine.metrics import Tally
from depict_reco.engine.model import (
    FitOptions,
    ShopModel,
    Weights,
    basket_groups,
    gram_of,
    session_groups,
    view_groups,
)
from depict_reco.engine.sparse import Ints, Scored, without
from depict_reco.engine.tuning import BlendSearch, Question

MOST_PER_BASKET = 5
FEWEST = 50
"""Questions that are needed to learn anything from them."""
REGULARISATIONS = (15.0, 50.0, 150.0, 500.0)
DROPOUTS = (0.3, 1.0, 3.0)
HALF_LIVES = (0.4, 0.2)
TRIAL_ITEMS = 3000
"""Most frequent items that take part in choosing the options of the linear model."""

_GOLDEN, _SILVER = (5**0.5 - 1) / 2, 2**0.5 - 1
"""Steps of these through a unit interval come near no place twice, nor near one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Interactions to learn from, and the newest sessions and baskets to be asked about."""

    train: Interactions
    sessions: Groups
    baskets: Groups
    views: Groups
    time: float
    """Seconds since the epoch; everything older is in ``train``."""


def split_by_time(interactions: Interactions, *, share: float = 0.1) -> Split | None:
    """Hold out the newest ``share`` of the sessions that can be asked about.

    Returns None where there are too few sessions for that.
    """
    sessions = session_groups(interactions)
    if len(sessions) < 20:
        return None
    time = float(sessions.times[int(len(sessions) * (1 - share))])
    train = interactions.select(interactions.times < time)
    newest = interactions.select(interactions.times >= time)
    held_sessions = session_groups(newest)
    if not len(train) or not len(held_sessions):
        return None
    return Split(
        train=train,
        sessions=held_sessions,
        baskets=basket_groups(newest),
        views=view_groups(newest),
        time=time,
    )


def next_questions(sessions: Groups, limit: int) -> Iterator[tuple[Ints, int]]:
    """Yield each position of each session, at most about ``limit`` of them, evenly spread."""
    rows = range(len(sessions))
    new = [(row, position) for row in rows for position in _new_positions(sessions.row(row))]
    share = limit / max(len(new), 1)
    for at, (row, position) in enumerate(new, start=1):
        if _drawn(at, share):
            items = sessions.row(row)
            yield items[:position], int(items[position])


def _new_positions(items: Ints) -> Iterator[int]:
    """Yield the positions after the first at which an item stands for the first time."""
    seen: set[int] = set()
    for position, item in enumerate(items.tolist()):
        if item not in seen and position:
            yield position
        seen.add(item)


def basket_questions(baskets: Groups, limit: int) -> Iterator[tuple[Ints, int]]:
    """Yield baskets with one item taken out, at most about ``limit`` of them, evenly spread.

    Each basket asks equally often, however long it is: once, or up to MOST_PER_BASKET times where
    there are few baskets.
    """
    asked = np.flatnonzero(np.diff(baskets.indptr) > 1)
    if len(asked) == 0:
        return
    stride = max(1, int(np.ceil(len(asked) / limit)))
    times = min(MOST_PER_BASKET, max(1, limit // len(asked)))
    for row in asked[::stride]:
        items = baskets.row(row)
        first = int(row * _GOLDEN % 1.0 * len(items))
        for position in range(first, first + min(times, len(items))):
            left_out = position % len(items)
            yield np.delete(items, left_out), int(items[left_out])


def companion_questions(baskets: Groups, limit: int) -> Iterator[tuple[Ints, int]]:
    """Yield single products and what they were bought with, at most about twice ``limit`` of them.

    Half of them stand for pages of products: one item of a basket, however long, and another one.
    The others are the baskets of two, whose first item was a basket of one.
    """
    for at, (others, target) in enumerate(basket_questions(baskets, limit)):
        asked = int(at * _SILVER % 1.0 * len(others))
        yield others[asked : asked + 1], target
        if len(others) == 1:
            yield others, target


def _drawn(at: int, share: float) -> bool:
    """Return whether the ``at``-th of many is among a ``share`` of them that is spread evenly.

    Steps of the golden ratio fall in with no length of sessions, as every n-th would.
    """
    return at * _GOLDEN % 1.0 < share


def tune(
    questions: Sequence[tuple[Ints, int]],
    parts_of: Callable[[Ints], list[Scored]],
    start: tuple[float, ...],
    priors: NDArray[np.float32],
) -> tuple[float, ...]:
    """Return the weights that answer these questions best; ``start`` if there are too few.

    ``start`` has the weights of the parts, then those of the ``priors`` (n_priors, n_items).
    """
    if len(questions) < FEWEST:
        return start
    search = BlendSearch(
        (
            Question(parts=[part.evidence() for part in parts_of(query)], target=target)
            for query, target in questions
        ),
        n_parts=len(start) - len(priors),
        priors=priors,
    )
    return tuple(search.best(start))


def tuned_options(options: FitOptions, split: Split, *, limit: int = 1000) -> FitOptions:
    """Choose what the linear basket model depends on, by fitting it on ``split.train``.

    Asks the older half of the held-out baskets. Too few of them, and nothing changes.
    """
    questions = list(basket_questions(split.baskets.before(len(split.baskets) // 2), limit))
    if len(questions) < FEWEST:
        return options
    baskets = basket_groups(split.train)
    fewer = replace(options, linear_items=min(options.linear_items, TRIAL_ITEMS))
    gram = cache(lambda half_life: gram_of(baskets, replace(fewer, half_life=half_life)))

    def goal(trial: FitOptions) -> float:
        """Return HR@10 + MRR@20 of the linear model alone."""
        linear = gram(trial.half_life).ease(
            count=trial.linear_neighbours,
            regularisation=trial.regularisation,
            dropout=trial.dropout,
        )
        measures = measure(
            questions, lambda query: without(linear.scores_of(query), query), baskets.n_items
        )
        return measures["hr@10"] + measures["mrr@20"]

    best, reached = options, float("-inf")
    steps: tuple[Callable[[FitOptions], list[FitOptions]], ...] = (
        lambda base: [replace(base, regularisation=value) for value in REGULARISATIONS],
        lambda base: [replace(base, dropout=value) for value in DROPOUTS],
        lambda base: [replace(base, half_life=value) for value in HALF_LIVES],
    )
    for trials_from in steps:
        for trial in trials_from(best):
            if (here := goal(trial)) > reached:
                best, reached = trial, here
    return best


def tuned_weights(
    model: ShopModel, split: Split, *, everything: bool = False, limit: int = 2000
) -> Weights:
    """Learn the weights of a model that was fitted on ``split.train``.

    The older half of the held-out groups is used, so that the newer half can measure; with
    ``everything`` both are, for the weights of a model that is not to be measured any more.
    """
    sessions, baskets, views = split.sessions, split.baskets, split.views
    if not everything:
        sessions, baskets, views = (
            groups.before(len(groups) // 2) for groups in (sessions, baskets, views)
        )
    priors = model.popularity.priors
    complements = tune(
        list(basket_questions(baskets, limit)),
        model.basket_parts,
        model.weights.complements,
        priors,
    )
    return Weights(
        next_items=tune(
            list(next_questions(sessions, limit)),
            model.next_parts,
            model.weights.next_items,
            priors,
        ),
        complements=complements,
        companions=tune(
            list(companion_questions(baskets, limit)), model.basket_parts, complements, priors
        ),
        substitutes=tune(
            # what was looked at next, beside one product and nothing else
            [(query[-1:], target) for query, target in next_questions(views, limit)],
            model.substitute_parts,
            model.weights.substitutes,
            priors,
        ),
    )


def measure(
    questions: Sequence[tuple[Ints, int]], answer: Callable[[Ints], Scored], n_items: int
) -> dict[str, float]:
    """Return HR@k, MRR@20, NDCG@20, coverage and the share of empty answers."""
    tally = Tally()
    for query, target in questions:
        tally.add(target, answer(query), n_items - len(np.unique(query)))
    return tally.report(n_items)


def accuracy(model: ShopModel, split: Split, *, limit: int = 2000) -> dict[str, dict[str, float]]:
    """Measure a model that was fitted on ``split.train`` on the newest held-out groups."""
    sessions, baskets = measured_questions(split, limit)
    return {
        "next": measure(sessions, model.next_items, model.n_items),
        "basket": measure(baskets, model.complements, model.n_items),
    }


def measured_questions(
    split: Split, limit: int
) -> tuple[list[tuple[Ints, int]], list[tuple[Ints, int]]]:
    """Return the questions of the newer half of the held-out sessions and baskets."""
    sessions, baskets = _newer_half(split.sessions), _newer_half(split.baskets)
    return list(next_questions(sessions, limit)), list(basket_questions(baskets, limit))


def _newer_half(groups: Groups) -> Groups:
    start = len(groups) // 2
    first = groups.indptr[start]
    return Groups(
        indptr=groups.indptr[start:] - first,
        items=groups.items[first:],
        times=groups.times[start:],
        n_items=groups.n_items,
    )
