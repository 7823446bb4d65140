"""The real shops that the benchmarks and the regression tests run on.

They are read from the folder that DEPICT_RECO_DATA names, or from ../shared/data beside the
repository. None of them but Online Retail may be copied into it.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from depict_reco.engine.content import ProductText
from depict_reco.engine.interactions import Action, Interactions
from depict_reco.engine.sparse import Ints

Question = tuple[Ints, int]
"""What is known, oldest first, and the item that came next or was taken out."""

DATA = Path(
    os.environ.get("DEPICT_RECO_DATA")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "data"
)

RETAILROCKET = "retailrocket_dsrhk_sessions.csv.gz"
RETAILROCKET_ATTRIBUTES = "retailrocket_dsrhk_item_attributes.csv.gz"
YOOCHOOSE = "yoochoose_100k_timestamps.csv.gz"
ONLINE_RETAIL = "online_retail_to_2011-10-31.csv.gz"
GROCERIES = "groceries_arules.csv.gz"
CELLPHONES = "amazon_cellphones_2014_relations.csv.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop's past, and what its shoppers did afterwards."""

    train: Interactions
    questions: list[Question]
    names: list[str]
    """Of the items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """Products with what they say of themselves and what shoppers did with them."""

    texts: list[ProductText]
    also_bought: list[list[int]]
    also_viewed: list[list[int]]
    bought_together: list[list[int]]


def available(name: str) -> bool:
    """Return whether a file of the data folder is there."""
    return (DATA / name).is_file()


def retailrocket() -> Shop:
    """Browsing sessions without times; they stand in their order."""
    rows = _rows(RETAILROCKET)
    return _session_shop(
        [(row["session"], row["item"], float(at), row["split"]) for at, row in enumerate(rows)]
    )


def retailrocket_texts(names: Sequence[str]) -> list[ProductText]:
    """What the shop says of its items: relation 5 is the category, 6 the one above it."""
    values: dict[str, dict[str, str]] = {}
    for row in _rows(RETAILROCKET_ATTRIBUTES):
        values.setdefault(row["item"], {})[row["relation"]] = row["value"]
    texts = []
    for name in names:
        known = values.get(name, {})
        texts.append(
            ProductText(
                categories=tuple(f"{at}:{known[at]}" for at in ("5", "6") if at in known),
                attributes={at: value for at, value in known.items() if at not in ("5", "6")},
            )
        )
    return texts


def yoochoose() -> Shop:
    """Browsing sessions with times."""
    rows = _rows(YOOCHOOSE)
    return _session_shop(
        [(row["SessionId"], row["ItemId"], float(row["Time"]), row["split"]) for row in rows]
    )


def online_retail() -> Shop:
    """Orders to the end of August 2011; one product of each order of the next two is asked for.

    Cancelled orders, lines without a product number and returns are left out.
    """
    end = datetime(2011, 9, 1, tzinfo=UTC).timestamp()
    before: list[tuple[str, str, float]] = []
    after: list[tuple[str, str, float]] = []
    for row in _rows(ONLINE_RETAIL):
        order, code = row["InvoiceNo"], row["StockCode"].strip().upper()
        if not order.isdigit() or not code[:1].isdigit() or int(row["Quantity"]) <= 0:
            continue
        moment = row["InvoiceDate"].split(".")[0] + "+00:00"
        time = datetime.fromisoformat(moment).timestamp()
        (before if time < end else after).append((order, code, time))
    return _basket_shop(before, after)


def groceries(*, strip: bool = False) -> Shop:
    """Grocery baskets; the last fifth of them is asked about."""
    lines: list[tuple[str, str, float]] = []
    with gzip.open(DATA / GROCERIES, "rt", encoding="utf-8", newline="") as file:
        for number, names in enumerate(csv.reader(file)):
            for name in names:
                lines.append((str(number), name.strip() if strip else name, float(number)))
    first = (number + 1) * 4 // 5
    return _basket_shop(
        [line for line in lines if line[2] < first], [line for line in lines if line[2] >= first]
    )


def cellphones() -> Relations:
    """Accessories with brand and categories, and their true relations."""
    rows = sorted(_rows(CELLPHONES), key=lambda row: int(row["item"]))

    def related(name: str) -> list[list[int]]:
        return [[int(item) for item in row[name].split("|") if item] for row in rows]

    return Relations(
        texts=[
            ProductText(
                brand=row["brand"],
                categories=tuple(name for name in row["categories"].split("|") if name),
            )
            for row in rows
        ],
        also_bought=related("also_bought"),
        also_viewed=related("also_viewed"),
        bought_together=related("bought_together"),
    )


def from_groups(
    groups: Sequence[Sequence[int]], *, n_items: int, action: Action, baskets: bool
) -> Interactions:
    """Return groups of items as interactions, one second apart."""
    items = np.array([item for group in groups for item in group], dtype=np.int32)
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups]).astype(np.int32)
    none = np.full(len(items), -1, dtype=np.int32)
    return Interactions(
        items=items,
        actions=np.full(len(items), action, dtype=np.int8),
        sessions=owner,
        baskets=owner if baskets else none,
        shoppers=none,
        times=np.arange(len(items), dtype=np.float64),
        n_items=n_items,
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _session_shop(rows: list[tuple[str, str, float, str]]) -> Shop:
    past = sorted((row for row in rows if row[3] == "train"), key=lambda row: row[2])
    items: dict[str, int] = {}
    sessions: dict[str, int] = {}
    for session, item, _, _ in past:
        items.setdefault(item, len(items))
        sessions.setdefault(session, len(sessions))
    asked: dict[str, list[tuple[float, str]]] = {}
    for session, item, time, split in rows:
        if split != "train":
            asked.setdefault(session, []).append((time, item))
    questions: list[Question] = []
    for clicks in asked.values():
        clicks.sort(key=lambda click: click[0])
        codes = [items.get(item, -1) for _, item in clicks]
        questions.extend(_positions(codes))
    none = np.full(len(past), -1, dtype=np.int32)
    train = Interactions(
        items=np.array([items[row[1]] for row in past], dtype=np.int32),
        actions=np.full(len(past), Action.VIEW, dtype=np.int8),
        sessions=np.array([sessions[row[0]] for row in past], dtype=np.int32),
        baskets=none,
        shoppers=none,
        times=np.array([row[2] for row in past], dtype=np.float64),
        n_items=len(items),
    )
    return Shop(train=train, questions=questions, names=list(items))


def _positions(codes: list[int]) -> Iterator[Question]:
    """Yield each position whose item is known and new to the session."""
    for position in range(1, len(codes)):
        target, known = codes[position], codes[:position]
        if target >= 0 and target not in known:
            yield np.array([code for code in known if code >= 0], dtype=np.int32), target


def _basket_shop(before: list[tuple[str, str, float]], after: list[tuple[str, str, float]]) -> Shop:
    before.sort(key=lambda line: line[2])
    items: dict[str, int] = {}
    orders: dict[str, int] = {}
    for order, name, _ in before:
        items.setdefault(name, len(items))
        orders.setdefault(order, len(orders))
    asked: dict[str, dict[int, None]] = {}
    for order, name, _ in after:
        if name in items:
            asked.setdefault(order, {})[items[name]] = None
    random = np.random.default_rng(0)
    questions: list[Question] = []
    for basket in asked.values():
        if len(basket) > 1:
            codes = np.array(list(basket), dtype=np.int32)
            out = int(random.integers(len(codes)))
            questions.append((np.delete(codes, out), int(codes[out])))
    owner = np.array([orders[line[0]] for line in before], dtype=np.int32)
    train = Interactions(
        items=np.array([items[line[1]] for line in before], dtype=np.int32),
        actions=np.full(len(before), Action.PURCHASE, dtype=np.int8),
        sessions=owner,
        baskets=owner,
        shoppers=np.full(len(before), -1, dtype=np.int32),
        times=np.array([line[2] for line in before], dtype=np.float64),
        n_items=len(items),
    )
    return Shop(train=train, questions=questions, names=list(items))
