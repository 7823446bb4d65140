"""The tables of related items of a model, laid in one: what many lists say is read in one go.

A question reads some forty lists of a hundred items each, of several tables. One by one, starting
on each costs more than reading it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.neighbours import Neighbours
from depict_reco.engine.sparse import Floats, Ints, spans

TABLES = (
    "transitions",
    "latest",
    "fresh",
    "together",
    "views",
    "walks",
    "baskets",
    "linear",
    "crossed",
    "content",
)
"""The tables by name, in the order in which they are kept."""

PLACES = {name: place for place, name in enumerate(TABLES)}


class Lists(NamedTuple):
    """The lists of some items in one table.

    ``weights`` float32, of the shape of ``items``: what each list counts; default 1.
    """

    table: str
    items: Ints
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedItems:
    """The ``Neighbours`` of each of TABLES, one table behind the other.

    ``indptr`` int64 (n_tables, n_items + 1): where the lists of a table begin in ``items`` int32
    and ``scores`` float32 (total,); the last column is where the table ends.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, tables: dict[str, Neighbours]) -> Self:
        """Lay tables one behind the other; ``tables`` is emptied, to give memory back as it goes.

        Raises KeyError where one is missing.
        """
        ends = np.cumsum([0, *(len(tables[name].items) for name in TABLES)])
        indptr = np.stack([tables[name].indptr for name in TABLES]) + ends[:-1, None]
        items = np.empty(ends[-1], dtype=np.int32)
        scores = np.empty(ends[-1], dtype=np.float32)
        for name, start, end in zip(TABLES, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            table = tables.pop(name)
            items[start:end], scores[start:end] = table.items, table.scores
        return cls(indptr=indptr, items=items, scores=scores)

    def table(self, name: str) -> Neighbours:
        """Return one table, whose lists lie among those of the others."""
        return Neighbours(
            indptr=self.indptr[TABLES.index(name)], items=self.items, scores=self.scores
        )

    def read(self, asked: Sequence[Lists]) -> Iterator[tuple[Ints, Floats]]:
        """Yield what each of ``asked`` says: items, which may repeat, and their weighed scores."""
        gathered = self._gathered([one for one in asked if len(one.items) != 1])
        for one in asked:
            yield self._alone(one) if len(one.items) == 1 else next(gathered)

    def _alone(self, lists: Lists) -> tuple[Ints, Floats]:
        """Return the list of one item, which lies in one piece."""
        item = int(lists.items[0])
        start, end = self.indptr[PLACES[lists.table], item : item + 2].tolist()
        scores = self.scores[start:end]
        return self.items[start:end], scores if lists.weights is None else scores * lists.weights

    def _gathered(self, asked: Sequence[Lists]) -> Iterator[tuple[Ints, Floats]]:
        if not asked:
            return
        n_columns = self.indptr.shape[1]
        rows = np.concatenate([one.items + PLACES[one.table] * n_columns for one in asked])
        bounds = self.indptr.reshape(-1)
        starts = bounds.take(rows)
        lengths = bounds.take(rows + 1) - starts
        at = spans(starts, lengths)
        items, scores = self.items.take(at), self.scores.take(at)
        scores *= np.concatenate([_weights_of(one) for one in asked]).repeat(lengths)
        ends = [0, *lengths.cumsum().tolist()]
        row = 0
        for one in asked:
            piece = slice(ends[row], ends[row := row + len(one.items)])
            yield items[piece], scores[piece]


def _weights_of(lists: Lists) -> NDArray[np.float32]:
    if lists.weights is None:
        return np.ones(len(lists.items), dtype=np.float32)
    return lists.weights
