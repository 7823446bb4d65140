"""Why an item is in an answer: the share of each part in the blend, and the counts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.model import (
    BASKET_PARTS,
    NEXT_PARTS,
    SUBSTITUTE_PARTS,
    ShopModel,
    recency_of,
    weighed,
)
from depict_reco.engine.neighbours import Neighbours
from depict_reco.engine.occurrences import Count
from depict_reco.engine.sparse import Ints, Scored, ragged_positions

POPULARITY = "popularity"
"""The name under which the priors of a blend are added up."""

_LOOKED_AT = 5
"""Newest items of a query that are counted for a part that does not say which one speaks."""


class Question(StrEnum):
    """The questions of ShopModel that a blend answers."""

    NEXT_ITEMS = "next_items"
    COMPLEMENTS = "complements"
    SUBSTITUTES = "substitutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How often an item of the answer met one of the query."""

    baskets: Count
    """Bought together, of the baskets that hold the one of the query."""
    visits: Count
    """In the same session, of those with the one of the query and any other."""
    following: Count
    """Right after the one of the query, of the sessions that went on after it."""
    wanted: Count
    """Put into a cart or bought, of the sessions of two items and more that looked at the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What one part of the blend says of an item."""

    part: str
    """A part of the question, or POPULARITY for all priors together."""
    share: float
    """Of all that speaks for the item; less than 0 where it speaks against it."""
    item: int | None = None
    """The item of the query that the part relates it to most, where it is one."""
    via: int | None = None
    """The item between the two, where a walk of two steps relates them."""
    facts: Facts | None = None
    """Counted for the strongest parts that speak for the item; of priors there are none."""


def explain(
    model: ShopModel,
    question: Question,
    query: Ints,
    items: Sequence[int],
    *,
    strongest: int | None = None,
) -> list[tuple[Reason, ...]]:
    """Say of each item what speaks for it, strongest first; what says nothing is left out.

    The amounts are those that the blend adds up: the weighed evidence of the parts and the
    weighed priors. The shares of those above 0 sum to 1.

    Parameters
    ----------
    query
        int (q,): what the model was asked with.
    items
        Items of the model's answer to that.
    strongest
        Reasons per item that get facts, which cost a count in the sessions and baskets; None: all.

    Raises
    ------
    ValueError
        If the answer does not hold an item.
    """
    names, parts, weights = _asked(model, question, query)
    evidence = weighed(parts, weights[: len(parts)])
    wanted = np.asarray(items, dtype=np.int64)
    table = np.stack([_amounts(part, wanted) for part in evidence])
    if len(wrong := wanted[table.max(axis=0) <= 0]):
        raise ValueError(f"Item {wrong[0]} is no answer to this question ({question}).")
    table = np.vstack((table, _priors(model, weights[len(parts) :], wanted)))
    table /= np.maximum(table, 0.0).sum(axis=0)
    counter = _Counter(model=model, question=question, query=query)
    strongest = len(table) if strongest is None else strongest
    return [
        counter.reasons(item, (*names, POPULARITY), table[:, at], strongest=strongest)
        for at, item in enumerate(wanted.tolist())
    ]


def facts_of(model: ShopModel, item: int, other: int) -> Facts:
    """Count how often ``other`` met ``item``, of all the times that ``item`` occurred."""
    count = model.occurrences
    return Facts(
        baskets=count.in_baskets(item, other),
        visits=count.in_sessions(item, other, model.sessions),
        following=count.next_in_sessions(item, other, model.sessions),
        wanted=count.wanted_in_sessions(item, other, model.sessions),
    )


def _asked(
    model: ShopModel, question: Question, query: Ints
) -> tuple[tuple[str, ...], list[Scored], tuple[float, ...]]:
    """Return the names of a question's parts, what they say, and all weights."""
    match question:
        case Question.NEXT_ITEMS:
            return NEXT_PARTS, model.next_parts(query), model.weights.next_items
        case Question.COMPLEMENTS:
            return BASKET_PARTS, model.basket_parts(query), model.weights.of_basket(query)
        case Question.SUBSTITUTES:
            return SUBSTITUTE_PARTS, model.substitute_parts(query), model.weights.substitutes


def _amounts(scored: Scored, items: Ints) -> NDArray[np.float64]:
    """Return the scores of some items, shape of ``items``."""
    found = np.zeros(len(items))
    if len(scored.items):
        order = np.argsort(scored.items)
        ranked = scored.items[order]
        at = np.minimum(np.searchsorted(ranked, items), len(ranked) - 1)
        hit = ranked[at] == items
        found[hit] = scored.scores[order[at[hit]]]
    return found


def _priors(model: ShopModel, weights: tuple[float, ...], items: Ints) -> NDArray[np.float64]:
    amounts = np.zeros(len(items))
    for prior, weight in zip(model.popularity.priors, weights, strict=True):
        amounts += prior[items].astype(np.float64) * weight
    return amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    """Finds what parts speak of, and counts each pair of items once."""

    model: ShopModel
    question: Question
    query: Ints
    known: dict[tuple[int, int], Facts] = field(default_factory=dict)

    def reasons(
        self, item: int, names: Sequence[str], shares: NDArray[np.float64], *, strongest: int
    ) -> tuple[Reason, ...]:
        reasons: list[Reason] = []
        for at in np.argsort(-shares, kind="stable").tolist():
            name, share = names[at], float(shares[at])
            if share == 0.0:
                continue
            if share > 0 and name != POPULARITY and len(reasons) < strongest:
                reasons.append(self.counted(name, share, item))
            else:
                reasons.append(Reason(part=name, share=share))
        return tuple(reasons)

    def counted(self, part: str, share: float, item: int) -> Reason:
        """Return a reason with its facts."""
        near = _nearest(self.model, self.question, part, self.query, item)
        if (near, item) not in self.known:
            self.known[near, item] = facts_of(self.model, near, item)
        return Reason(
            part=part,
            share=share,
            item=near,
            via=_via(self.model, near, item) if part == "walks" else None,
            facts=self.known[near, item],
        )


def _nearest(model: ShopModel, question: Question, part: str, query: Ints, item: int) -> int:
    """Return the item of the query that a part relates most to ``item``."""
    if question is Question.NEXT_ITEMS:
        query = query[-model.options.longest_session :]
    if part == "latest":
        return int(query[-1])
    if part == "sessions":
        query = query[-_LOOKED_AT:]
        counts = [model.occurrences.in_sessions(one, item, model.sessions) for one in query]
        relation = np.array([count.both / max(count.of, 1) for count in counts])
    else:
        relation = _between(model.related.table(part), query, item)
    if question is Question.NEXT_ITEMS:
        relation = relation * recency_of(query, model.options)
    # of equals the newest: it is what the shopper remembers
    return int(query[len(query) - 1 - int(np.argmax(relation[::-1]))])


def _between(neighbours: Neighbours, items: Ints, other: int) -> NDArray[np.float64]:
    """Return the score of ``other`` in the list of each item, 0 where it is not in it."""
    at, lengths = ragged_positions(neighbours.indptr, np.asarray(items))
    owner = np.repeat(np.arange(len(items)), lengths)
    hit = np.flatnonzero(neighbours.items[at] == other)
    scores = np.zeros(len(items))
    scores[owner[hit]] = neighbours.scores[at[hit]]
    return scores


def _via(model: ShopModel, item: int, other: int) -> int | None:
    """Return the item that leads best from one to the other in two transitions."""
    steps = model.related.table("transitions")
    row = slice(steps.indptr[item], steps.indptr[item + 1])
    between = np.asarray(steps.items[row])
    through = steps.scores[row] * _between(steps, between, other)
    return int(between[np.argmax(through)]) if len(through) and through.max() > 0 else None
