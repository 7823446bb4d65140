"""How well questions are answered: ours beside every rival, on real shops, in one run.

    python -m benchmarks.accuracy [retailrocket yoochoose online_retail groceries cellphones cold]

Every question is scored against the full catalogue, ties share the average of their ranks, and
nothing that the question names counts as an answer. Ours is trained as ``reco_train`` does; the
variants of the rivals are chosen on the same newest part of the training data.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import rivals, shops
from benchmarks.shops import Question, Relations, Shop
from depict_reco.engine.content import ProductText
from depict_reco.engine.holdout import (
    Split,
    basket_questions,
    measure,
    next_questions,
    split_by_time,
    tuned_options,
    tuned_weights,
)
from depict_reco.engine.interactions import Action, Groups, Interactions
from depict_reco.engine.model import FitOptions, ShopModel, basket_groups, session_groups
from depict_reco.engine.sparse import Ints, Scored, without

Answer = Callable[[Ints], Scored]
Measures = Mapping[str, float]

COLUMNS = ("hr@5", "hr@10", "hr@20", "mrr@20", "ndcg@20", "coverage", "fallback", "ms")
RATIOS = COLUMNS[:5]
OURS = "depict_reco"
QUESTIONS = 2000
"""Held-out questions that variants are compared by."""


def trained(interactions: Interactions, texts: Sequence[ProductText]) -> ShopModel:
    """Return a model that was tuned on the newest part of its data and fitted on all of it."""
    split = split_by_time(interactions)
    if split is None:
        return ShopModel.fit(interactions, texts, options=FitOptions())
    options = tuned_options(FitOptions(), split)
    trial = ShopModel.fit(split.train, texts, options=options)
    weights = tuned_weights(trial, split, everything=True)
    return ShopModel.fit(interactions, (), options=options, weights=weights, content=trial.content)


def measured(questions: Sequence[Question], answer: Answer, n_items: int) -> Measures:
    """Return the measures of one model, with the milliseconds that an answer took."""
    start = time.perf_counter()
    report = measure(questions, answer, n_items)
    report["ms"] = (time.perf_counter() - start) / max(len(questions), 1) * 1000
    return report


def unseen(scores: Answer) -> Answer:
    """Return the answer without what the question names."""
    return lambda query: without(scores(query), query)


def rival_rows(
    variants: Mapping[str, Sequence[rivals.Fit]],
    shop: Shop,
    *,
    groups_of: Callable[[Interactions], Groups],
    held: Sequence[Question],
    split: Split,
) -> Iterable[tuple[str, Measures]]:
    """Fit the best variant of each rival on all of the training data and measure it."""
    past, everything = groups_of(split.train), groups_of(shop.train)
    n = shop.train.n_items
    for name, fits in variants.items():
        best = fits[0]
        if len(fits) > 1:
            goals = []
            for fit in fits:
                found = measure(held, unseen(fit(past).scores), n)
                goals.append(found["hr@20"] + found["mrr@20"])
            best = fits[int(np.argmax(goals))]
        label = f"{name} ({best.__doc__})" if len(fits) > 1 else name
        yield label, measured(shop.questions, unseen(best(everything).scores), n)


def show(title: str, rows: Sequence[tuple[str, Measures]], *, ours: str = OURS) -> None:
    """Print a table, and last the ratio of ours to the best rival of each column."""
    width = max(len(name) for name, _ in rows) + 2
    print(f"\n{title}\n{'':{width}}" + "".join(f"{name:>10}" for name in COLUMNS))
    for name, found in rows:
        print(f"{name:{width}}" + "".join(f"{found[column]:10.4f}" for column in COLUMNS))
    own = next(found for name, found in rows if name == ours)
    others = [found for name, found in rows if name != ours]
    ratios = {
        column: own[column] / max(max(found[column] for found in others), 1e-9) for column in RATIOS
    }
    print(f"{'ratio to the best rival':{width}}" + "".join(f"{ratios[c]:10.3f}" for c in RATIOS))
    sys.stdout.flush()


def session_table(title: str, shop: Shop) -> None:
    """What does this shopper want next?"""
    split = split_by_time(shop.train)
    if split is None:
        raise SystemExit(f"{title}: too few sessions.")
    rows = list(
        rival_rows(
            rivals.session_rivals(),
            shop,
            groups_of=session_groups,
            held=list(next_questions(split.sessions, QUESTIONS)),
            split=split,
        )
    )
    model = trained(shop.train, [ProductText()] * shop.train.n_items)
    rows.append((OURS, measured(shop.questions, model.next_items, model.n_items)))
    show(f"{title}: next product, {len(shop.questions)} questions", rows)
    print("weights", model.weights.next_items)


def basket_table(title: str, shop: Shop) -> None:
    """What completes this basket?"""
    split = split_by_time(shop.train)
    if split is None:
        raise SystemExit(f"{title}: too few baskets.")
    rows = list(
        rival_rows(
            rivals.basket_rivals(),
            shop,
            groups_of=basket_groups,
            held=list(basket_questions(split.baskets, QUESTIONS)),
            split=split,
        )
    )
    model = trained(shop.train, [ProductText()] * shop.train.n_items)
    rows.append((OURS, measured(shop.questions, model.complements, model.n_items)))
    show(f"{title}: complete the basket, {len(shop.questions)} questions", rows)
    print("weights", model.weights.complements)


def cold_tables() -> None:
    """What is known of products that nobody has looked at yet?

    A tenth of the products is hidden from the training. They are then asked about, and asked for.
    """
    shop = shops.retailrocket()
    n = shop.train.n_items
    cold = np.zeros(n, dtype=bool)
    cold[np.random.default_rng(0).permutation(n)[: n // 10]] = True
    known = shop.train.select(~cold[shop.train.items])
    texts = shops.retailrocket_texts(shop.names)
    model = trained(known, texts)
    popular = rivals.Popular(session_groups(known)).scores
    category = Category(texts, np.bincount(known.items, minlength=n))
    for title, asked in (
        ("the last product of the request is new", [q for q in shop.questions if cold[q[0][-1]]]),
        ("the right answer is new", [q for q in shop.questions if cold[q[1]]]),
    ):
        rows = [
            ("popular", measured(asked, unseen(popular), n)),
            ("popular in the category", measured(asked, unseen(category.scores), n)),
            ("content alone", measured(asked, unseen(_content_of(model)), n)),
            ("next_items", measured(asked, model.next_items, n)),
            (OURS, measured(asked, lambda query: model.substitutes(query[-1:]), n)),
        ]
        show(f"RetailRocket, {title}: {len(asked)} questions; {OURS} answers `similar`", rows)


def _content_of(model: ShopModel) -> Answer:
    return lambda query: model.content.neighbours.scores_of(query[-1:])


def cellphone_tables() -> None:
    """Is what is similar similar, and does what completes complete?"""
    shop = shops.cellphones()
    n = len(shop.texts)
    viewed = pairs(shop.also_viewed, limit=5000)
    sold = [[item] for others in shop.also_bought for item in others]
    for title, singles, sales in (("nothing else", [], False), ("single sales", sold, True)):
        past = shops.from_groups(singles, n_items=n, action=Action.PURCHASE, baskets=True)
        model = ShopModel.fit(past, shop.texts, options=FitOptions())
        counts = np.bincount([item for [item] in sold], minlength=n) if sales else None
        category = Category(shop.texts, counts)
        rows = [
            ("popular in the category", measured(viewed, unseen(category.scores), n)),
            (OURS, measured(viewed, model.substitutes, n)),
        ]
        show(f"Cell phones: also viewed, from brand, categories and {title}", rows)

    known, asked = halves(shop.also_bought, limit=5000)
    behaviour = behaviour_of(known, Action.PURCHASE)
    model = trained(behaviour, shop.texts)
    rows = [
        # of orders of two, products that were never bought together have a cosine of 0: it is
        # given each product's relations as one group, which is what they are to it
        ("cosine", measured(asked, but_known(rivals.Cosine(lists_of(known)).scores, known), n)),
        (
            "popular",
            measured(asked, but_known(rivals.Popular(basket_groups(behaviour)).scores, known), n),
        ),
    ]
    rows.append((OURS, measured(asked, but_known(model.complements, known), n)))
    show(f"Cell phones: the other half of also bought, {len(asked)} pairs", rows)
    print("weights", model.weights.complements)
    two_questions(shop, known)


def two_questions(shop: Relations, bought: Sequence[Sequence[int]]) -> None:
    """Complements find what was bought together, substitutes what was viewed instead."""
    n = len(shop.texts)
    seen, viewed = halves(shop.also_viewed, limit=5000)
    both = joined(behaviour_of(seen, Action.VIEW), behaviour_of(bought, Action.PURCHASE))
    model = trained(both, shop.texts)
    complements, substitutes = (
        but_known(model.complements, seen),
        but_known(model.substitutes, seen),
    )
    together = pairs(shop.bought_together, limit=5000)
    rows = [
        ("substitutes", measured(together, unseen(model.substitutes), n)),
        ("complements", measured(together, unseen(model.complements), n)),
    ]
    show(f"Cell phones: bought together, {len(together)} pairs", rows, ours="complements")
    rows = [
        ("complements", measured(viewed, complements, n)),
        ("substitutes", measured(viewed, substitutes, n)),
    ]
    title = f"Cell phones: the other half of also viewed, {len(viewed)} pairs"
    show(title, rows, ours="substitutes")
    print("weights", model.weights)


class Category:
    """The products of the smallest category that a product is in, by how often they were wanted."""

    def __init__(
        self, texts: Sequence[ProductText], counts: NDArray[np.integer] | None = None
    ) -> None:
        members: dict[str, list[int]] = {}
        for item, text in enumerate(texts):
            for category in text.categories:
                members.setdefault(category, []).append(item)
        self._texts, self._members = texts, members
        self._counts = np.zeros(len(texts), dtype=np.int64) if counts is None else counts

    def scores(self, query: Ints) -> Scored:
        names = self._texts[int(query[-1])].categories
        own = min((self._members[name] for name in names), key=len, default=[])
        items = np.array(own, dtype=np.int32)
        return Scored(items, (self._counts[items] + 0.5).astype(np.float32))


def pairs(related: Sequence[Sequence[int]], *, limit: int) -> list[Question]:
    """Return about ``limit`` pairs of a product and one of its relations, evenly spread."""
    found = [(item, other) for item, others in enumerate(related) for other in others]
    found = found[:: max(1, len(found) // limit)]
    return [(np.array([item], np.int32), other) for item, other in found if item != other]


def halves(
    related: Sequence[Sequence[int]], *, limit: int
) -> tuple[list[list[int]], list[Question]]:
    """Hide half of the relations, chosen at random and in both directions.

    Returns the other half as a list for each product, and about ``limit`` hidden pairs.
    """
    edges = sorted(
        {
            (min(item, other), max(item, other))
            for item, others in enumerate(related)
            for other in others
            if item != other
        }
    )
    order = np.random.default_rng(0).permutation(len(edges))
    half = len(edges) // 2
    known: list[list[int]] = [[] for _ in related]
    for left, right in (edges[at] for at in order[:half]):
        known[left].append(right)
        known[right].append(left)
    hidden = [edges[at] for at in order[half:]]
    asked = hidden[:: max(1, len(hidden) // limit)]
    return known, [(np.array([left], np.int32), right) for left, right in asked]


def behaviour_of(known: Sequence[Sequence[int]], action: Action) -> Interactions:
    """Return each known relation as one session, or one order, of its two products."""
    edges = [[item, other] for item, others in enumerate(known) for other in others if item < other]
    random = np.random.default_rng(1)
    order, turned = random.permutation(len(edges)), random.random(len(edges)) < 0.5
    return shops.from_groups(
        [edges[at][::-1] if turned[at] else edges[at] for at in order],
        n_items=len(known),
        action=action,
        baskets=action == Action.PURCHASE,
    )


def lists_of(known: Sequence[Sequence[int]]) -> Groups:
    """Return each product and its known relations as one group."""
    rows = [[item, *others] for item, others in enumerate(known) if others]
    return basket_groups(
        shops.from_groups(rows, n_items=len(known), action=Action.PURCHASE, baskets=True)
    )


def but_known(scores: Answer, known: Sequence[Sequence[int]]) -> Answer:
    """Return the answer without the product itself and the relations that were given."""

    def answer(query: Ints) -> Scored:
        item = int(query[0])
        return without(scores(query), np.array([item, *known[item]], dtype=np.int32))

    return answer


def joined(first: Interactions, second: Interactions) -> Interactions:
    """Return the interactions of both, mixed evenly in time."""
    shift = int(first.sessions.max()) + 1
    span = [np.linspace(0.0, 1e6, len(part)) for part in (first, second)]
    times = np.concatenate(span)
    none = np.full(len(times), -1, dtype=np.int32)
    order = np.argsort(times, kind="stable")
    return Interactions(
        items=np.concatenate([first.items, second.items])[order],
        actions=np.concatenate([first.actions, second.actions])[order],
        sessions=np.concatenate([first.sessions, second.sessions + shift]).astype(np.int32)[order],
        baskets=np.concatenate([first.baskets, second.baskets])[order],
        shoppers=none,
        times=times[order],
        n_items=first.n_items,
    )


TABLES: dict[str, tuple[str, Callable[[], None]]] = {
    "retailrocket": (
        shops.RETAILROCKET,
        lambda: session_table("RetailRocket", shops.retailrocket()),
    ),
    "yoochoose": (shops.YOOCHOOSE, lambda: session_table("Yoochoose 100k", shops.yoochoose())),
    "online_retail": (
        shops.ONLINE_RETAIL,
        lambda: basket_table("Online Retail", shops.online_retail()),
    ),
    "groceries": (shops.GROCERIES, lambda: basket_table("Groceries", shops.groceries())),
    "cellphones": (shops.CELLPHONES, cellphone_tables),
    "cold": (shops.RETAILROCKET_ATTRIBUTES, cold_tables),
}


def main(names: Sequence[str]) -> None:
    """Print the tables of the named shops, or of all."""
    if unknown := set(names) - set(TABLES):
        raise SystemExit(
            f"No such table: {', '.join(sorted(unknown))}. There are {', '.join(TABLES)}"
        )
    for name in names or TABLES:
        file, table = TABLES[name]
        if shops.available(file):
            table()
        else:
            print(f"\n{name}: left out, {shops.DATA / file} is not there.")


if __name__ == "__main__":
    main(sys.argv[1:])
