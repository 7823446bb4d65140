"""The sources of recommendations: each names item groups, best first, or has nothing to say.

What they name may not be answered, as it is sold out or was asked about: whoever asks them looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.content import ProductText
from depict_reco.engine.sparse import EMPTY, Scored, best, blend, is_among
from depict_reco.serving.rows import ProductRow
from depict_reco.serving.snapshots import MarketSnapshot

Codes = NDArray[np.int32]

_FIRST_PIECE = 64
_SPARE = 44
"""Items looked at beyond the limit: mostly enough where some are sold out or were asked about."""

Pieces = Iterator[Codes]
"""Item groups, best first, piece by piece."""

Ask = Callable[[int | None], Scored]
"""What returns so many of the best items, best first; with None all of them, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that a source may look at."""

    snapshot: MarketSnapshot
    anchors: list[int]
    """Codes of the products in the request, oldest first."""
    history: list[int]
    """Codes of what the shopper did before, oldest first."""
    category: int | None
    """Primary key of the category that the request names."""
    eligible: NDArray[np.bool_]
    """(n_codes,): what may be answered to anybody; not to be written to, others read it too."""
    limit: int
    asked: Sequence[int]
    """Everything that the request names, which is never answered."""
    bought: tuple[tuple[int, float], ...] = ()
    """Code and days ago of what the shopper bought, for types that ask what is bought again."""

    def may(self, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which of some codes may be answered."""
        keep = self.eligible.take(codes)
        if self.asked:
            keep &= ~is_among(codes, np.array(self.asked, dtype=np.int32))
        return keep

    def items(self, codes: list[int]) -> NDArray[np.int32]:
        """Return the model's items of some codes, without those it does not know."""
        items = map(self.snapshot.item_of_code.item, codes)
        return np.array([item for item in items if item >= 0], dtype=np.int32)

    def ranked(self, ask: Ask, among: NDArray[np.bool_] | None = None) -> Pieces:
        """Yield the codes of items, best first: mostly the first few are all that is needed."""
        most = self.limit + _SPARE
        first = ask(most).items
        yield self._codes(first, among)
        if len(first) == most:
            rest = best(ask(None)).items
            yield self._codes(rest[~np.isin(rest, first)], among)

    def _codes(self, items: NDArray[np.integer], among: NDArray[np.bool_] | None) -> Codes:
        """Return the codes of items that are still there."""
        codes = self.snapshot.code_of_item.take(items)
        codes = codes[codes >= 0]
        return codes if among is None else codes[among.take(codes)]


def substitutes(context: Context) -> Pieces:
    """What people look at instead, and what reads alike."""
    model = context.snapshot.model
    items = context.items(context.anchors)
    if model is None or not len(items):
        return iter(())
    return context.ranked(partial(model.substitutes, items))


def upsell(context: Context) -> Pieces:
    """Substitutes that cost more than the dearest product of the request."""
    model = context.snapshot.model
    items = context.items(context.anchors)
    prices = context.snapshot.columns.prices
    own = prices[np.asarray(context.anchors, dtype=np.int64)]
    if model is None or not len(items) or np.isnan(own).all():
        return iter(())
    return context.ranked(partial(model.substitutes, items), prices > np.nanmax(own))


def complements(context: Context) -> Pieces:
    """What is bought together with the products of the request."""
    model = context.snapshot.model
    items = context.items(context.anchors)
    if model is None or not len(items):
        return iter(())
    return context.ranked(partial(model.complements, items))


def sessions(context: Context) -> Pieces:
    """What people wanted next after the same products."""
    model = context.snapshot.model
    items = context.items(trail(context))
    if model is None or not len(items):
        return iter(())
    return context.ranked(partial(model.next_items, items))


def content(context: Context) -> Pieces:
    """What reads alike; the only source that knows products newer than the model."""
    model = context.snapshot.model
    if model is None:
        return iter(())
    parts = []
    for code in read_like(context):
        item = context.snapshot.item_of_code[code]
        scored = EMPTY
        if item >= 0:
            scored = model.content.neighbours.scores_of(np.array([item]))
        parts.append(scored if len(scored.items) else _alike(context.snapshot, code))
    scored = blend(parts)
    alike = scored.scores > 0
    return context.ranked(partial(best, Scored(scored.items[alike], scored.scores[alike])))


def trending(context: Context) -> Pieces:
    """What is on the rise: in the category asked for or that of the products, else anywhere."""
    found = _in_category(context, context.snapshot.trending_rank)
    return _pieces(context.snapshot.trending_order if found is None else found)


def popular(context: Context) -> Pieces:
    """What most people want: in the category asked for, else anywhere."""
    if context.category is not None:
        found = _in_category(context, context.snapshot.catalogue_rank)
        if found is not None:
            return _pieces(found)
    return _pieces(context.snapshot.popular_order)


def newest(context: Context) -> Pieces:
    """What came last into the catalogue: of the category asked for, then of all."""
    order = context.snapshot.newest_order
    if context.category is None:
        return _pieces(order)
    members = context.snapshot.columns.codes_in(context.category)
    inside = np.isin(order, members)
    return _pieces(np.concatenate((order[inside], order[~inside])))


def recently_viewed(context: Context) -> Pieces:
    """What this shopper dealt with, newest first."""
    return _pieces(np.array(list(dict.fromkeys(context.history[::-1])), dtype=np.int32))


def buy_again(context: Context) -> Pieces:
    """What this shopper will buy again, and what those buy who bought the same."""
    model = context.snapshot.model
    if model is None or not context.bought:
        return iter(())
    codes, ages = zip(*context.bought, strict=True)
    items = context.snapshot.item_of_code[np.asarray(codes)]
    known = items >= 0
    scored = model.repeat.scores(items[known], np.asarray(ages)[known])
    return context.ranked(partial(best, scored))


def catalogue(context: Context) -> Pieces:
    """Everything there is, popular products first, then new ones."""
    return _pieces(context.snapshot.catalogue_order)


SOURCES: dict[str, Callable[[Context], Pieces]] = {
    source.__name__: source
    for source in (
        substitutes, upsell, complements, sessions, content, trending, popular, newest,
        recently_viewed, buy_again, catalogue,
    )
}  # fmt: skip


def _pieces(codes: Codes) -> Pieces:
    """Yield codes in pieces, small ones first: mostly a few suffice, of a whole catalogue."""
    start, size = 0, _FIRST_PIECE
    while start < len(codes):
        yield codes[start : start + size]
        start, size = start + size, size * 8


def trail(context: Context) -> list[int]:
    """Return what the shopper dealt with, the request last, each product at its last place."""
    return list(dict.fromkeys([*context.history, *context.anchors][::-1]))[::-1]


def read_like(context: Context) -> list[int]:
    """Return the products that others are to read like."""
    return context.anchors or context.history[-1:]


def nearest_categories(context: Context) -> tuple[int, ...]:
    """Return the category asked for, else those of the last product, nearest first."""
    if context.category is not None:
        return (context.category,)
    codes = context.anchors or context.history
    return context.snapshot.columns.categories_of(codes[-1]) if codes else ()


def filling_category(context: Context) -> int | None:
    """Return the nearest category that can fill the answer, else the widest; None without one."""
    columns, found = context.snapshot.columns, None
    for category in nearest_categories(context):
        found = category
        if int(context.may(columns.codes_in(category)).sum()) >= context.limit:
            break
    return found


def _in_category(context: Context, rank: Codes) -> Codes | None:
    """Return the products of the category that fills the answer, by their rank."""
    category = filling_category(context)
    if category is None:
        return None
    members = context.snapshot.columns.codes_in(category)
    if not len(members):
        return None
    members = members[context.may(members)]
    ordered: Codes = members[np.argsort(rank[members], kind="stable")]
    return ordered


def _alike(snapshot: MarketSnapshot, code: int) -> Scored:
    """Score items by their likeness to a product that the model does not know."""
    if snapshot.model is None:
        return EMPTY
    return snapshot.model.content.scores_of_text(text_of(snapshot, code))


def text_of(snapshot: MarketSnapshot, code: int) -> ProductText:
    """Return what a product says of itself, as training reads it."""
    columns = snapshot.columns
    row = columns.row(next(iter(columns.rows_of(code))))
    names = {pk: name for name, pk in columns.tree.pks.items()}
    categories = tuple(names[pk] for pk in columns.categories_of(code))
    return _text(row, categories)


def _text(row: ProductRow, categories: tuple[str, ...]) -> ProductText:
    return ProductText(
        title=row.title,
        brand=row.brand,
        categories=categories,
        attributes={
            name: str(value)
            for name, value in row.attributes.items()
            if isinstance(value, str | int | float | bool)
        },
    )
