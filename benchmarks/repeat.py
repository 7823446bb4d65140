"""What will this customer buy again? Ours beside counters and published methods, on Online Retail.

    python -m benchmarks.repeat

Everything is fitted on the time to the end of August 2011. The last basket of each customer in the
two months that follow is predicted from all that the customer bought before it; what was bought
before may be an answer. The rivals' variants are chosen on the newest part of the training data.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from benchmarks import repeat_rivals as rivals
from benchmarks.repeat_rivals import DAY, History, Lines
from benchmarks.shops import DATA, ONLINE_RETAIL, available
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.repeat import HISTORY, RepeatModel

SHOWN = 10
MEASURES = ("recall@10", "ndcg@10", "hr@10", "ms")
CUT = datetime(2011, 9, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a customer had bought, and the basket that followed."""

    history: History
    basket: NDArray[np.intp]


Answer = Callable[[History], NDArray[np.floating]]
"""Scores of all items."""


def read_lines() -> Lines:
    """Read what known customers bought; cancellations and lines without a product are left out."""
    rows: list[tuple[float, str, str, str]] = []
    with gzip.open(DATA / ONLINE_RETAIL, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            order, code = row["InvoiceNo"], row["StockCode"].strip().upper()
            if not order.isdigit() or not code[:1].isdigit() or int(row["Quantity"]) <= 0:
                continue
            if row["CustomerID"]:
                moment = datetime.fromisoformat(row["InvoiceDate"].split(".")[0] + "+00:00")
                rows.append((moment.timestamp(), row["CustomerID"], order, code))
    rows.sort()

    def numbered(column: int) -> NDArray[np.int64]:
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(str(row[column]), len(numbers)) for row in rows])

    items = numbered(3)
    return Lines(
        times=np.array([row[0] for row in rows]),
        shoppers=numbered(1),
        orders=numbered(2),
        items=items,
        n_items=int(items.max()) + 1,
    )


def questions(lines: Lines, cut: float) -> Iterator[Question]:
    """Yield the last basket of each customer from a time on, with all that was bought before it.

    Products that nobody had bought by then are no part of the question.
    """
    known = np.bincount(lines.items[lines.times < cut], minlength=lines.n_items) > 0
    for history in lines.by_shopper():
        if history.times[-1] < cut:
            continue
        last = history.orders == history.orders[-1]
        asked = float(history.times[last].min())
        basket = np.unique(history.items[last & known[history.items]])
        before = history.select((history.times < asked) & known[history.items], asked=asked)
        if len(before.items) and len(basket):
            yield Question(history=before, basket=basket)


def measured(asked: Sequence[Question], answer: Answer) -> Mapping[str, float]:
    """Return the mean of each measure over the questions."""
    discounts = 1.0 / np.log2(np.arange(2, SHOWN + 2))
    found = np.zeros(3)
    start = time.perf_counter()
    for question in asked:
        shown = np.argsort(-answer(question.history), kind="stable")[:SHOWN]
        hits = np.isin(shown, question.basket)
        best = discounts[: len(question.basket)].sum()
        found += hits.sum() / len(question.basket), (hits * discounts).sum() / best, hits.any()
    spent = (time.perf_counter() - start) / len(asked) * 1000
    return dict(zip(MEASURES, (*(found / len(asked)), spent), strict=True))


def ours(lines: Lines) -> Answer:
    """Fit our model as ``reco_train`` does, and ask it as serving does."""
    order = lines.orders.astype(np.int32)
    model = RepeatModel.fit(
        Interactions(
            items=lines.items.astype(np.int32),
            actions=np.full(len(order), Action.PURCHASE, dtype=np.int8),
            sessions=order,
            baskets=order,
            shoppers=lines.shoppers.astype(np.int32),
            times=lines.times,
            n_items=lines.n_items,
        )
    )

    def answer(history: History) -> NDArray[np.floating]:
        newest = slice(-HISTORY, None)
        ages = (history.asked - history.times[newest]) / DAY
        scored = model.scores(history.items[newest], ages)
        scores = np.zeros(lines.n_items)
        scores[scored.items] = scored.scores
        return scores

    return answer


def chosen(fits: Sequence[rivals.Fit], past: Lines) -> rivals.Fit:
    """Return the variant that is best on the newest two months of the past."""
    if len(fits) == 1:
        return fits[0]
    cut = CUT - 61 * DAY
    held, before = list(questions(past, cut)), past.before(cut)
    goals = []
    for fit in fits:
        found = measured(held, fit(before))
        goals.append(found["recall@10"] + found["ndcg@10"])
    return fits[int(np.argmax(goals))]


def main() -> None:
    """Print the table, and last the ratio of ours to the best rival of each measure."""
    if not available(ONLINE_RETAIL):
        print(f"left out, {DATA / ONLINE_RETAIL} is not there.")
        return
    lines = read_lines()
    past, asked = lines.before(CUT), list(questions(lines, CUT))
    repeats = np.mean([np.isin(q.basket, q.history.items).mean() for q in asked])
    print(f"Online Retail: {len(asked)} last baskets, {repeats:.0%} of the products bought before")
    print(f"{'':56}" + "".join(f"{name:>11}" for name in MEASURES))
    rows = []
    for name, fits in rivals.variants().items():
        best = chosen(fits, past)
        label = f"{name} ({best.__doc__})" if len(fits) > 1 else name
        rows.append(measured(asked, best(past)))
        print(f"{label:56}" + "".join(f"{rows[-1][m]:11.4f}" for m in MEASURES), flush=True)
    own = measured(asked, ours(past))
    print(f"{'depict_reco':56}" + "".join(f"{own[m]:11.4f}" for m in MEASURES))
    ratios = {m: own[m] / max(row[m] for row in rows) for m in MEASURES[:3]}
    print(f"{'ratio to the best rival':56}" + "".join(f"{x:11.3f}" for x in ratios.values()))


if __name__ == "__main__":
    main()
