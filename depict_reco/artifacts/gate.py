"""Champion and challenger: is the model that was just trained as good as the one that is served?

Both are asked the same held-out questions, where the served model cannot have seen the answers:
questions from after the end of its window. The challenger is asked as a trial that was fitted
without any of them. Where such questions are too few, the accuracies that each measured of
itself are compared. And where the served model has seen newer events than the trial, which is
an advantage that the finished model will not be short of, both ways must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.artifacts.current import LoadedArtifact, load_current
from depict_reco.conf import settings
from depict_reco.engine.holdout import basket_questions, measure, next_questions
from depict_reco.engine.interactions import Groups
from depict_reco.engine.model import ShopModel
from depict_reco.engine.sparse import Ints, Scored
from depict_reco.tenants.models import Market
from depict_reco.training.trainer import Trial

LEAST_QUESTIONS = 200
"""Fewer prove nothing."""
MOST_QUESTIONS = 2000
MEASURES = ("hr@20", "mrr@20")
_STANDARD_ERRORS = 2.0
"""A difference within so many standard errors is noise."""

Measured = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of comparing a new model with the served one."""

    worse: str = ""
    """In what the new model is worse than the served one, with both figures; empty: in nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Figures of two models, by question and measure."""

    served: Measured
    new: Measured

    def lost(self) -> list[str]:
        """Return where the new model is clearly worse, in words."""
        return [
            f"{question}: {measure.upper()} {new[measure]:.3f} ({new['questions']:.0f} questions) "
            f"against {served[measure]:.3f} ({served['questions']:.0f}) of the served one"
            for question, served in self.served.items()
            if (new := self.new.get(question)) is not None
            and min(served.get("questions", 0), new.get("questions", 0)) >= LEAST_QUESTIONS
            for measure in MEASURES
            if _is_worse(new, served, measure)
        ]

    def is_possible(self) -> bool:
        """Return whether any question was asked often enough to tell."""
        return any(
            min(served.get("questions", 0), self.new.get(question, {}).get("questions", 0))
            >= LEAST_QUESTIONS
            for question, served in self.served.items()
        )


class Gate:
    """Compares the trial of a training with the model that its market is served from."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.verdict = Verdict()

    def __call__(self, trial: Trial) -> None:
        """Ask both models, and keep the verdict."""
        served = load_current(self._market.pk, known=None)
        if served is None:
            return
        own = Challenge(served=served.manifest.get("accuracy", {}), new=trial.accuracy)
        fair, seen = _asked(trial, served)
        lost = fair.lost() if fair.is_possible() else own.lost()
        if lost and (not seen or own.lost()):
            self.verdict = Verdict(worse=f"worse than {served.version}: {'; '.join(lost)}")


def _is_worse(new: Mapping[str, float], served: Mapping[str, float], measure: str) -> bool:
    """Return whether a measure fell by more than the tolerance and more than chance would.

    The variance of a mean of values from 0 to 1 is at most m (1 - m) / n.
    """
    was, now = served[measure], new[measure]
    variance = was * (1 - was) / served["questions"] + now * (1 - now) / new["questions"]
    fell = was - now
    return fell > settings.GATE_TOLERANCE * was and fell > _STANDARD_ERRORS * sqrt(variance)


def _asked(trial: Trial, served: LoadedArtifact) -> tuple[Challenge, bool]:
    """Ask both what neither has seen; return also whether the served model saw more than the trial.

    The older half of the held-out groups has tuned the trial and is left out.
    """
    window = served.manifest.get("window") or []
    end = datetime.fromisoformat(window[-1]).timestamp() if window else float("-inf")
    sessions = _unseen(trial.split.sessions, end)
    baskets = _unseen(trial.split.baskets, end)
    next_asked = list(next_questions(sessions, MOST_QUESTIONS))
    basket_asked = list(basket_questions(baskets, MOST_QUESTIONS))
    n = trial.model.n_items
    theirs = _Translated(served, trial.item_ids)

    def figures(model: Any) -> Measured:
        return {
            "next": measure(next_asked, model.next_items, n),
            "basket": measure(basket_asked, model.complements, n),
        }

    return Challenge(served=figures(theirs), new=figures(trial.model)), end > trial.split.time


def _unseen(groups: Groups, end: float) -> Groups:
    """Return the groups of the newer half that ended after ``end``."""
    start = max(len(groups) // 2, int(np.searchsorted(groups.times, end, side="right")))
    first = groups.indptr[start]
    return Groups(
        indptr=groups.indptr[start:] - first,
        items=groups.items[first:],
        times=groups.times[start:],
        n_items=groups.n_items,
    )


class _Translated:
    """A served model that is asked, and answers, in the item numbers of another."""

    def __init__(self, served: LoadedArtifact, item_ids: list[str]) -> None:
        self._model: ShopModel = served.model
        numbers = {item_id: number for number, item_id in enumerate(served.item_ids)}
        self._theirs = np.array([numbers.get(item, -1) for item in item_ids], dtype=np.int32)
        self._ours: NDArray[np.int32] = np.full(len(served.item_ids), -1, dtype=np.int32)
        known = np.flatnonzero(self._theirs >= 0)
        self._ours[self._theirs[known]] = known

    def next_items(self, query: Ints) -> Scored:
        return self._answer(self._model.next_items, query)

    def complements(self, query: Ints) -> Scored:
        return self._answer(self._model.complements, query)

    def _answer(self, answer: Callable[[Ints], Scored], query: Ints) -> Scored:
        theirs = self._theirs[query]
        scored = answer(theirs[theirs >= 0])
        items = self._ours[scored.items]
        return Scored(items[items >= 0], scored.scores[items >= 0])
