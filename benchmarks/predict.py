"""One prediction of the engine: ``make bench-predict``.

    python -m benchmarks.predict [--products N] [--clicks MILLIONS] [--questions N]

A session of eight products, twenty answers. Beside it the same with nothing compiled, and session
neighbours over dicts and sets, as research code has them, fitted on the same sessions and asked
the same questions in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks import synthetic
from benchmarks.session_rivals import SetsOfSessions
from depict_reco.engine import blending
from depict_reco.engine.model import FitOptions, ShopModel, session_groups
from depict_reco.engine.sparse import Scored

LENGTH = 8
LIMIT = 20
TURNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict")
    parser.add_argument("--products", type=int, default=50_000)
    parser.add_argument("--clicks", type=float, default=4.0, help="Millions.")
    parser.add_argument("--questions", type=int, default=2000)
    options = parser.parse_args()
    shop = synthetic.make_shop(options.products)
    past = synthetic.make_sessions(shop, round(options.clicks * 1e6), orders=True)
    texts = (shop.text(product) for product in range(len(shop)))
    model = ShopModel.fit(past, texts, options=FitOptions())
    sets = SetsOfSessions(session_groups(past))
    queries = _queries(shop, options.questions)
    start = f"{options.clicks:g} M clicks, {options.products:,} products, {LENGTH} in the session: "
    asked: dict[str, Callable[[NDArray[np.int32]], object]] = {
        "next items": lambda query: model.next_items(query, LIMIT),
        "complements": lambda query: model.complements(query, LIMIT),
        "substitutes of one": lambda query: model.substitutes(query[-1:], LIMIT),
        "next items by numpy": partial(_by_numpy, model),
        "sets of sessions": lambda query: sets.best(query.tolist(), LIMIT),
    }
    spent: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(TURNS):
        for name, ask in asked.items():
            spent[name] += _times(ask, queries)
    medians = {}
    for name, times in spent.items():
        medians[name] = float(np.median(times))
        print(
            f"{start}{name}: median {medians[name]:.3f} ms, p99 {np.percentile(times, 99):.3f} ms"
        )
    for rival in ("sets of sessions", "next items by numpy"):
        ratio = medians[rival] / medians["next items"]
        print(f"{start}next items {ratio:.1f} times as fast as {rival}")


def _by_numpy(model: ShopModel, query: NDArray[np.int32]) -> Scored:
    """Answer as an installation does that has no compiled part."""
    kept, blending.compiled = blending.compiled, None
    try:
        return model.next_items(query, LIMIT)
    finally:
        blending.compiled = kept


def _queries(shop: synthetic.SyntheticShop, count: int) -> list[NDArray[np.int32]]:
    """Return the first products of later sessions that are long enough."""
    later = session_groups(synthetic.make_sessions(shop, 50 * count, seed=99))
    long = np.flatnonzero(np.diff(later.indptr) >= LENGTH)[:count]
    return [later.row(at)[:LENGTH] for at in long.tolist()]


def _times(
    ask: Callable[[NDArray[np.int32]], object], queries: list[NDArray[np.int32]]
) -> list[float]:
    """Return the milliseconds of each question, after a few to warm up."""
    for query in queries[:50]:
        ask(query)
    spent = []
    for query in queries:
        start = time.perf_counter()
        ask(query)
        spent.append((time.perf_counter() - start) * 1e3)
    return spent


if __name__ == "__main__":
    main()
