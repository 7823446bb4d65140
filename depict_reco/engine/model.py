"""The model of a shop: its parts, fitted together, and how they answer the three questions.

``next_items``   what will this shopper want next?       session neighbours, transitions, …
``complements``  what goes with these products?           baskets
``substitutes``  what could be chosen instead of these?   content, views

Each answer blends parts: the evidence of each is weighed and added up, with what speaks for an item
whatever is asked. The weights are learned from the shop's own newest sessions and baskets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.blending import blended, read
from depict_reco.engine.content import ContentModel, ProductText
from depict_reco.engine.interactions import Action, Groups, Interactions, crossed, group
from depict_reco.engine.linear import MAX_ITEMS, Gram, basket_weights
from depict_reco.engine.neighbours import (
    age_weights,
    fit_cooccurrence,
    fit_crossed,
    fit_transitions,
    fit_two_steps,
    transition_counts,
)
from depict_reco.engine.occurrences import Occurrences
from depict_reco.engine.popularity import Popularity
from depict_reco.engine.related import Lists, RelatedItems
from depict_reco.engine.repeat import RepeatModel
from depict_reco.engine.sessions import SessionNeighbours, SessionOptions, steps_back
from depict_reco.engine.sparse import EMPTY, Ints, Scored, sum_by_item, without

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of the whole that is done (0 to 1)."""

NEXT_PARTS = ("sessions", "transitions", "latest", "fresh", "together", "walks", "content")
BASKET_PARTS = ("baskets", "linear", "crossed", "sessions", "walks", "content")
SUBSTITUTE_PARTS = ("content", "views", "together", "transitions", "walks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of the parts of each question, as named above, then those of the PRIORS."""

    next_items: tuple[float, ...] = (0.7, 0.2, 1.0, 1.0, 2.0, 2.0, 0.5, 1.5, -1.5)
    complements: tuple[float, ...] = (1.5, 6.0, 1.0, 0.5, 0.5, 0.3, 0.5, -0.5)
    """Of baskets of two products and more."""
    companions: tuple[float, ...] = (1.5, 6.0, 1.0, 0.5, 0.5, 0.3, 0.5, -0.5)
    """Of single products, as their pages ask."""
    substitutes: tuple[float, ...] = (3.0, 3.0, 0.5, 0.3, 0.5, 0.0, 2.0)

    def of_basket(self, query: Ints) -> tuple[float, ...]:
        """Return the weights for what completes ``query``.

        One product says less than many together, and other parts know what to make of it.
        """
        return self.companions if len(query) == 1 else self.complements


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What can be chosen in a training."""

    neighbours: int = 150
    """Related items kept per item and model."""
    linear_items: int = MAX_ITEMS
    """Most frequent items of the linear basket model; it needs 4 bytes times its square."""
    regularisation: float = 50.0
    """Of the linear basket model; training tries several."""
    dropout: float = 0.0
    """Of the linear basket model; training tries several."""
    half_life: float = 0.0
    """Baskets lose half their weight in the linear model per this share of the window; 0: none."""
    fresh_half_life: float = 0.2
    """Sessions lose half their weight in what is fresh per this share of the window."""
    linear_neighbours: int = 400
    """Items kept per item of the linear model, those that speak against it included."""
    sessions: SessionOptions = field(default_factory=SessionOptions)
    longest_session: int = 20
    """Newest items of a session that are looked at."""
    longest_basket: int = 200
    """Newest items of a basket that are looked at."""
    recency: float = 1.5
    """Products of a request lose a factor e of their weight per this many steps back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopModel:
    """Everything that is known of a market's items 0 … n_items - 1."""

    n_items: int
    sessions: SessionNeighbours
    related: RelatedItems
    content: ContentModel
    popularity: Popularity
    repeat: RepeatModel
    occurrences: Occurrences
    weights: Weights
    options: FitOptions

    @classmethod
    def fit(
        cls,
        interactions: Interactions,
        texts: Iterable[ProductText],
        *,
        options: FitOptions,
        weights: Weights | None = None,
        content: ContentModel | None = None,
        progress: Progress = lambda stage, share: None,
    ) -> Self:
        """Fit all parts.

        Parameters
        ----------
        texts
            One per item; not read when a fitted ``content`` is given.
        """
        progress("content", 0.0)
        popularity = Popularity.fit(interactions)
        content = content or ContentModel.fit(texts, liked=popularity.liked)
        progress("sessions", 0.35)
        sessions, baskets = session_groups(interactions), basket_groups(interactions)
        count = options.neighbours
        tables = {"content": content.neighbours}
        index = SessionNeighbours.fit(sessions, options=options.sessions)
        progress("transitions", 0.45)
        steps = transition_counts(sessions)
        tables["transitions"] = fit_transitions(steps, count=count, backward=0.3)
        tables["walks"] = fit_two_steps(
            fit_transitions(steps, count=count, backward=1.0), count=count
        )
        tables["latest"] = fit_transitions(transition_counts(sessions, reach=1), count=count)
        newer = age_weights(sessions, options.fresh_half_life)
        steps = transition_counts(sessions, weights=newer)
        tables["fresh"] = fit_transitions(steps, count=count, backward=0.3)
        progress("co-occurrence", 0.7)
        tables["together"] = fit_cooccurrence(sessions, count=count)
        tables["views"] = fit_cooccurrence(view_groups(interactions), count=count)
        progress("baskets", 0.8)
        tables["baskets"] = fit_cooccurrence(baskets, count=count)
        tables["crossed"] = fit_crossed(*crossed(interactions), count=count)
        progress("linear model", 0.85)
        tables["linear"] = gram_of(baskets, options).ease(
            count=options.linear_neighbours,
            regularisation=options.regularisation,
            dropout=options.dropout,
            overwrite=True,
        )
        progress("repeat buying", 0.95)
        return cls(
            n_items=interactions.n_items,
            sessions=index,
            related=RelatedItems.of(tables),
            content=content,
            popularity=popularity,
            repeat=RepeatModel.fit(interactions),
            occurrences=Occurrences.fit(interactions, sessions),
            weights=weights or Weights(),
            options=options,
        )

    def next_items(self, query: Ints, most: int | None = None) -> Scored:
        """Score what a shopper may want after ``query``, known items, oldest first.

        With ``most``, only so many of the likeliest, best first, equal ones in the order of items.
        """
        return self._blended(self._next_lists(query), query, self.weights.next_items, most)

    def complements(self, query: Ints, most: int | None = None) -> Scored:
        """Score what completes the basket ``query``, whose order does not matter.

        ``most`` as for ``next_items``.
        """
        return self._blended(self._basket_lists(query), query, self.weights.of_basket(query), most)

    def substitutes(self, query: Ints, most: int | None = None) -> Scored:
        """Score what could be chosen instead of the items of ``query``.

        ``most`` as for ``next_items``.
        """
        return self._blended(self._substitute_lists(query), query, self.weights.substitutes, most)

    def next_parts(self, query: Ints) -> list[Scored]:
        """Return the scores of each of NEXT_PARTS, without the items of the query."""
        return self._parts(self._next_lists(query), query)

    def basket_parts(self, query: Ints) -> list[Scored]:
        """Return the scores of each of BASKET_PARTS, without the items of the query."""
        return self._parts(self._basket_lists(query), query)

    def substitute_parts(self, query: Ints) -> list[Scored]:
        """Return the scores of each of SUBSTITUTE_PARTS, without the items of the query."""
        return self._parts(self._substitute_lists(query), query)

    def _next_lists(self, query: Ints) -> list[Lists]:
        query = query[-self.options.longest_session :]
        recency = recency_of(query, self.options)
        return [
            Lists(part, query[-1:]) if part == "latest" else Lists(part, query, recency)
            for part in NEXT_PARTS
        ]

    def _basket_lists(self, query: Ints) -> list[Lists]:
        query = query[-self.options.longest_basket :]
        newest = query[-self.options.longest_session :]
        return [Lists(part, newest if part == "sessions" else query) for part in BASKET_PARTS]

    def _substitute_lists(self, query: Ints) -> list[Lists]:
        return [Lists(part, query) for part in SUBSTITUTE_PARTS]

    def _parts(self, lists: list[Lists], asked: Ints) -> list[Scored]:
        said = read(lists, self.related, self.sessions)
        return [without(sum_by_item(*one), asked) for one in said]

    def _blended(
        self, lists: list[Lists], asked: Ints, weights: tuple[float, ...], most: int | None
    ) -> Scored:
        return blended(
            lists,
            weights,
            related=self.related,
            sessions=self.sessions,
            priors=self.popularity.priors,
            but=asked,
            most=most,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return every array of the model by name; with ``settings`` it is the whole model."""
        found: dict[str, NDArray[Any]] = {}
        _collect(self, "", found)
        own = "content.neighbours."  # they are among the related items
        return {name: array for name, array in found.items() if not name.startswith(own)}

    def settings(self) -> dict[str, Any]:
        """Return the numbers beside the arrays, as JSON."""
        return {
            "n_items": self.n_items,
            "weights": asdict(self.weights),
            "options": asdict(self.options),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> Self:
        """Return the model whose ``arrays`` and ``settings`` these are; arrays may be mapped.

        Raises KeyError when one is missing, TypeError for settings of another version.
        """
        stored = dict(settings["options"])
        options = FitOptions(**stored | {"sessions": SessionOptions(**stored["sessions"])})
        weights = Weights(**{name: tuple(row) for name, row in settings["weights"].items()})

        def part(kind: type[Any], name: str, *, but: str = "") -> dict[str, Any]:
            names = (entry.name for entry in fields(kind) if entry.name != but)
            return {key: arrays[f"{name}.{key}"] for key in names}

        related = RelatedItems(**part(RelatedItems, "related"))
        return cls(
            n_items=int(settings["n_items"]),
            sessions=SessionNeighbours(
                **part(SessionNeighbours, "sessions", but="options"), options=options.sessions
            ),
            related=related,
            content=ContentModel(
                **part(ContentModel, "content", but="neighbours"),
                neighbours=related.table("content"),
            ),
            popularity=Popularity(**part(Popularity, "popularity")),
            repeat=RepeatModel(**part(RepeatModel, "repeat")),
            occurrences=Occurrences(**part(Occurrences, "occurrences")),
            weights=weights,
            options=options,
        )

    def with_weights(self, weights: Weights) -> Self:
        """Return the same model with other weights."""
        return replace(self, weights=weights)


def recency_of(query: Ints, options: FitOptions) -> NDArray[np.float32]:
    """Return how much each item of a session counts, shape of ``query``, oldest first."""
    return steps_back(len(query), options.recency)


def weighed(parts: list[Scored], weights: tuple[float, ...]) -> list[Scored]:
    """Return what each part says, as it goes into the sum; nothing where it has no weight."""
    return [
        part.evidence(weight) if weight > 0 else EMPTY
        for part, weight in zip(parts, weights, strict=True)
    ]


def session_groups(interactions: Interactions) -> Groups:
    """Return the sessions of two items and more; what was returned is no part of them."""
    kept = interactions.actions != Action.RETURN
    return group(
        np.where(kept, interactions.sessions, -1),
        interactions.items,
        interactions.times,
        n_items=interactions.n_items,
        actions=interactions.actions,
        min_length=2,
    )


def view_groups(interactions: Interactions) -> Groups:
    """Return what was looked at in each session, of two items and more.

    People who look at one product after the other are choosing between them.
    """
    viewed = interactions.actions == Action.VIEW
    return group(
        np.where(viewed, interactions.sessions, -1),
        interactions.items,
        interactions.times,
        n_items=interactions.n_items,
        min_length=2,
    )


def basket_groups(interactions: Interactions) -> Groups:
    """Return the baskets, orders and single purchases alike, each item once."""
    bought = interactions.actions != Action.RETURN
    return group(
        np.where(bought, interactions.baskets, -1),
        interactions.items,
        interactions.times,
        n_items=interactions.n_items,
        distinct=True,
    )


def gram_of(baskets: Groups, options: FitOptions) -> Gram:
    """Return what the linear basket model is made of."""
    return Gram.of(
        baskets,
        max_items=options.linear_items,
        weights=basket_weights(baskets, options.half_life),
    )


def _collect(part: Any, prefix: str, found: dict[str, NDArray[Any]]) -> None:
    for name in (entry.name for entry in fields(part)):
        value = getattr(part, name)
        if isinstance(value, np.ndarray):
            found[prefix + name] = value
        elif is_dataclass(value):
            _collect(value, f"{prefix}{name}.", found)
