"""The public methods that a shop would pick instead, written from their papers or borrowed.

Every rival is fitted on groups and scores a query with ``scores(query)``. Where a method has
parameters that its users tune, several variants are offered and the benchmark picks the one that
is best on the newest part of the training data, as our own model does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from depict_reco.engine.interactions import Groups
from depict_reco.engine.sparse import EMPTY, Ints, Scored, ragged_positions, sum_by_item

DAY = 86_400.0


class Rival(Protocol):
    """Something that scores what may follow."""

    def scores(self, query: Ints) -> Scored: ...


Fit = Callable[[Groups], Rival]


@dataclass(slots=True)
class _SampledSessions:
    """The newest sessions that share an item with the query, and what they hold."""

    groups: Groups
    incidence: sparse.csr_matrix
    by_item: sparse.csc_matrix
    lengths: NDArray[np.float64]
    idf: NDArray[np.float64]

    @classmethod
    def of(cls, groups: Groups) -> _SampledSessions:
        incidence = groups.incidence()
        by_item = incidence.tocsc()
        by_item.sort_indices()
        frequency = np.diff(by_item.indptr)
        return cls(
            groups=groups,
            incidence=incidence,
            by_item=by_item,
            lengths=np.diff(incidence.indptr).astype(np.float64),
            idf=np.log(len(groups) / np.maximum(frequency, 1)),
        )

    def sharing(self, items: Ints, sample: int) -> Ints:
        """Return the newest ``sample`` sessions that hold one of these items at least."""
        at, _ = ragged_positions(self.by_item.indptr, items)
        return np.unique(self.by_item.indices[at])[-sample:]

    def overlap(self, sessions: Ints, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the weights (n_items,) of the items in each session."""
        return np.asarray(self.incidence[sessions] @ weights)


def _most_similar(
    sessions: Ints, similarity: NDArray[np.float64], count: int
) -> tuple[Ints, NDArray[np.float64]]:
    """Return the most similar sessions; of equal ones the newest."""
    order = np.lexsort((-sessions, -similarity))[:count]
    return sessions[order], similarity[order]


class ContextKNN:
    """Session neighbours by the cosine of their items (Jannach and Ludewig, 2017)."""

    def __init__(self, groups: Groups, *, neighbours: int, sample: int) -> None:
        self._sampled = _SampledSessions.of(groups)
        self._neighbours, self._sample = neighbours, sample

    def scores(self, query: Ints) -> Scored:
        items, sampled = np.unique(query), self._sampled
        sessions = sampled.sharing(items, self._sample)
        if not len(sessions):
            return EMPTY
        weights = np.zeros(sampled.groups.n_items)
        weights[items] = 1.0
        shared = sampled.overlap(sessions, weights)
        similarity = shared / np.sqrt(sampled.lengths[sessions] * len(items))
        sessions, similarity = _most_similar(sessions, similarity, self._neighbours)
        at, lengths = ragged_positions(sampled.incidence.indptr, sessions)
        return sum_by_item(sampled.incidence.indices[at], np.repeat(similarity, lengths))


class VSKNN:
    """The same with a weight by position and of rare items (Ludewig and Jannach, 2018)."""

    def __init__(
        self,
        groups: Groups,
        *,
        neighbours: int,
        sample: int,
        weighting: Literal["div", "linear", "quadratic", "log"] = "div",
        idf: float = 0.0,
    ) -> None:
        self._sampled = _SampledSessions.of(groups)
        self._neighbours, self._sample = neighbours, sample
        self._weighting, self._idf = weighting, idf

    def scores(self, query: Ints) -> Scored:
        sampled = self._sampled
        sessions = sampled.sharing(np.unique(query), self._sample)
        if not len(sessions):
            return EMPTY
        step = np.arange(len(query), 0, -1, dtype=np.float64)
        weights = np.zeros(sampled.groups.n_items)
        weights[query] = self._position_weights(step, len(query))
        similarity = sampled.overlap(sessions, weights)
        sessions, similarity = _most_similar(sessions, similarity, self._neighbours)
        # the weight of a neighbour falls with the age of the newest item that it shares
        newest = np.zeros(sampled.groups.n_items)
        newest[query] = 1.0 / step
        held = sampled.incidence[sessions].multiply(newest).max(axis=1).toarray().ravel()
        recent = np.clip(1.0 - 0.1 * (1.0 / np.maximum(held, 1e-9) - 1.0), 0.0, 1.0)
        at, lengths = ragged_positions(sampled.incidence.indptr, sessions)
        items = sampled.incidence.indices[at]
        votes = np.repeat(similarity * recent, lengths)
        if self._idf:
            votes = votes * (1.0 + self._idf * sampled.idf[items])
        return sum_by_item(items, votes)

    def _position_weights(self, step: NDArray[np.float64], length: int) -> NDArray[np.float64]:
        """Return the weights of query items ``step`` steps from its end, counted from 1."""
        match self._weighting:
            case "div":
                return 1.0 / step
            case "linear":
                return np.maximum(1.0 - 0.1 * (step - 1.0), 0.0)
            case "quadratic":
                return ((length - step + 1.0) / length) ** 2
            case _:
                return 1.0 / np.log10(step + 1.7)


class STAN:
    """Sequence and time aware neighbours (Garg et al., 2019); ``idf`` makes it VSTAN."""

    def __init__(
        self,
        groups: Groups,
        *,
        neighbours: int,
        sample: int,
        position_decay: float,
        days: float,
        distance_decay: float,
        idf: bool = False,
    ) -> None:
        self._sampled = _SampledSessions.of(groups)
        self._neighbours, self._sample = neighbours, sample
        self._position_decay, self._distance_decay = position_decay, distance_decay
        now = groups.times[-1] if len(groups) else 0.0
        self._freshness = np.exp((groups.times - now) / (days * DAY))
        self._idf = idf

    def scores(self, query: Ints) -> Scored:
        sampled, groups = self._sampled, self._sampled.groups
        items = np.unique(query)
        sessions = sampled.sharing(items, self._sample)
        if not len(sessions):
            return EMPTY
        weights = np.zeros(groups.n_items)
        steps = np.arange(len(query) - 1, -1, -1, dtype=np.float64)
        weights[query] = np.exp(-steps / self._position_decay)
        if self._idf:
            weights *= sampled.idf
        similarity = sampled.overlap(sessions, weights)
        similarity /= np.sqrt(sampled.lengths[sessions] * len(items))
        similarity *= self._freshness[sessions]
        sessions, similarity = _most_similar(sessions, similarity, self._neighbours)
        at, lengths = ragged_positions(groups.indptr, sessions)
        held = groups.items[at]
        owner = np.repeat(np.arange(len(sessions)), lengths)
        place = np.arange(len(at)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        match = _newest_match(query, held, owner, place, groups.n_items)
        votes = similarity[owner] * np.exp(-np.abs(place - match[owner]) / self._distance_decay)
        if self._idf:
            votes = votes * sampled.idf[held]
        return sum_by_item(held, votes)


def _newest_match(query: Ints, held: Ints, owner: Ints, place: Ints, n_items: int) -> Ints:
    """Return where each session holds the newest item of the query that it holds at all."""
    age = np.zeros(n_items, dtype=np.int64)
    age[query] = np.arange(1, len(query) + 1)
    known = np.flatnonzero(age[held])
    order = known[np.lexsort((place[known], age[held[known]], owner[known]))]
    match = np.zeros(int(owner.max()) + 1, dtype=np.int64)
    match[owner[order]] = place[order]
    return match


class Rules:
    """What followed an item: sequential and association rules, Markov chains.

    ``steps`` items ahead count, the d-th of them 1 / d with ``decay`` (Ludewig and Jannach,
    2018: SequentialRules); with one step it is a Markov chain; ``both_ways`` over the whole
    session makes AssociationRules.
    """

    def __init__(self, groups: Groups, *, steps: int, decay: bool, both_ways: bool) -> None:
        owner = np.repeat(np.arange(len(groups)), np.diff(groups.indptr))
        items, n = groups.items, groups.n_items
        counts = sparse.csr_matrix((n, n))
        for step in range(1, min(steps, len(items) - 1) + 1):
            near = np.flatnonzero((owner[step:] == owner[:-step]) & (items[step:] != items[:-step]))
            if not len(near):
                break
            weight = 1.0 / step if decay else 1.0
            data = np.full(len(near), weight)
            counts += sparse.csr_matrix((data, (items[near], items[near + step])), shape=(n, n))
        self._counts = (counts + counts.T if both_ways else counts).tocsr()

    def scores(self, query: Ints) -> Scored:
        if not len(query):
            return EMPTY
        start, end = self._counts.indptr[query[-1]], self._counts.indptr[query[-1] + 1]
        return Scored(
            self._counts.indices[start:end].astype(np.int32),
            self._counts.data[start:end].astype(np.float32),
        )


class Popular:
    """How often an item occurs."""

    def __init__(self, groups: Groups) -> None:
        counts = np.bincount(groups.items, minlength=groups.n_items)
        self._scored = Scored(np.arange(groups.n_items, dtype=np.int32), counts.astype(np.float32))

    def scores(self, query: Ints) -> Scored:
        return self._scored


class Cosine:
    """Item-to-item cosine; ``length_normalised`` groups count one over their length."""

    def __init__(self, groups: Groups, *, length_normalised: bool = False) -> None:
        weights = None
        if length_normalised:
            weights = (1.0 / np.sqrt(np.maximum(np.diff(groups.indptr), 1))).astype(np.float32)
        matrix = groups.incidence(weights)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
        scale = sparse.diags(1.0 / np.maximum(norms, 1e-12))
        self._similar = (scale @ (matrix.T @ matrix) @ scale).tocsr().astype(np.float32)

    def scores(self, query: Ints) -> Scored:
        at, _ = ragged_positions(self._similar.indptr, query)
        return sum_by_item(self._similar.indices[at], self._similar.data[at])


class DenseEase:
    """EASE (Steck, 2019) over all items, in double precision."""

    def __init__(self, groups: Groups, *, regularisation: float) -> None:
        matrix = groups.incidence()
        gram = (matrix.T @ matrix).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += regularisation
        inverse = np.linalg.inv(gram)
        self._model = inverse / -np.diag(inverse)
        self._model[np.diag_indices_from(self._model)] = 0.0
        self._items = np.arange(groups.n_items, dtype=np.int32)

    def scores(self, query: Ints) -> Scored:
        return _all_scored(self._items, self._model[query].sum(axis=0))


class ImplicitItems:
    """An item-to-item model of the library ``implicit``, by the name of its class."""

    def __init__(self, groups: Groups, *, kind: str, neighbours: int) -> None:
        from implicit import nearest_neighbours

        model = getattr(nearest_neighbours, kind)(K=neighbours, num_threads=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it converts its own matrices and warns of that
            model.fit(groups.incidence().astype(np.float64), show_progress=False)
        self._similar = model.similarity.tocsr()

    def scores(self, query: Ints) -> Scored:
        # what its recommend() does: the user's row times the similarities
        at, _ = ragged_positions(self._similar.indptr, query)
        return sum_by_item(self._similar.indices[at], self._similar.data[at].astype(np.float32))


class ImplicitALS:
    """The factorisation of the library ``implicit`` (Hu, Koren and Volinsky, 2008)."""

    def __init__(self, groups: Groups, *, factors: int, confidence: float) -> None:
        from implicit.als import AlternatingLeastSquares

        self._model = AlternatingLeastSquares(
            factors=factors, alpha=confidence, random_state=0, num_threads=1
        )
        self._model.fit(groups.incidence(), show_progress=False)
        self._n_items = groups.n_items
        self._items = np.arange(groups.n_items, dtype=np.int32)

    def scores(self, query: Ints) -> Scored:
        row = sparse.csr_matrix(
            (np.ones(len(query), np.float32), (np.zeros(len(query), np.int32), query)),
            shape=(1, self._n_items),
        )
        scores = self._model.recalculate_user(0, row) @ self._model.item_factors.T
        return _all_scored(self._items, scores)


def _all_scored(items: Ints, scores: NDArray[Any]) -> Scored:
    """Return scores of all items, those below zero included: only their order counts here."""
    return Scored(items, np.asarray(scores - scores.min() + 1e-3, dtype=np.float32))


def session_rivals() -> dict[str, Sequence[Fit]]:
    """Return the methods of the session-rec family, each with its variants."""
    kind = Mapping[str, Any]
    sizes: Sequence[kind] = (
        {"neighbours": 100, "sample": 1000},
        {"neighbours": 500, "sample": 2500},
    )
    decays: Sequence[kind] = tuple(
        {"position_decay": near, "days": days, "distance_decay": far}
        for near, days, far in ((1.02, 5, 2.05), (2.05, 40, 2.05), (4.9, 80, 9.05))
    )
    return {
        "ContextKNN": [_made(ContextKNN, **size) for size in sizes],
        "VSKNN": [
            _made(VSKNN, weighting=weighting, idf=idf, **sizes[1])
            for weighting in ("div", "linear", "quadratic")
            for idf in (0.0, 1.0)
        ],
        "STAN": [_made(STAN, **sizes[1], **decay) for decay in decays],
        "VSTAN": [_made(STAN, idf=True, **sizes[1], **decay) for decay in decays],
        "SequentialRules": [_made(Rules, steps=10, decay=True, both_ways=False)],
        "AssociationRules": [_made(Rules, steps=100, decay=False, both_ways=True)],
        "Markov": [_made(Rules, steps=1, decay=False, both_ways=False)],
    }


def basket_rivals() -> dict[str, Sequence[Fit]]:
    """Return the methods for baskets, each with its variants.

    Raises SystemExit with a plain message where the library ``implicit`` is missing.
    """
    try:
        import implicit  # noqa: F401
    except ImportError:
        raise SystemExit(
            "This benchmark compares with the library implicit: pip install implicit"
        ) from None
    items = {
        f"implicit {name}": [
            _made(ImplicitItems, kind=kind, neighbours=count) for count in (20, 64, 200)
        ]
        for name, kind in (
            ("cosine", "CosineRecommender"),
            ("TF-IDF", "TFIDFRecommender"),
            ("BM25", "BM25Recommender"),
        )
    }
    return {
        "Popular": [Popular],
        "Cosine, by length": [_made(Cosine, length_normalised=True)],
        **items,
        "implicit ALS": [
            _made(ImplicitALS, factors=factors, confidence=confidence)
            for factors in (16, 64, 128)
            for confidence in (1.0, 10.0)
        ],
        "EASE": [
            _made(DenseEase, regularisation=value) for value in (25, 50, 100, 200, 400, 800, 1600)
        ],
    }


def _made(method: Callable[..., Rival], /, **options: Any) -> Fit:
    def fit(groups: Groups) -> Rival:
        return method(groups, **options)

    fit.__doc__ = ", ".join(f"{name}={value}" for name, value in options.items() if name != "kind")
    return fit
