"""The image of a market's catalogue: all of it at one revision, laid out to be mapped and shared.

*Row* numbers a product, *code* numbers an item group; recommendations are made between codes.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.serving.categories import CategoryTree
from depict_reco.serving.mapped import Mapped, Texts, pack, unpack
from depict_reco.serving.rows import ProductRow

Entry = tuple[ProductRow, bytes, bytes]
"""A product, its record, and its display as it is rendered for most requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueImage:
    """A catalogue at one revision; nothing in it is ever changed."""

    revision: int
    deletion_revision: int
    rendering: str
    """What the stored displays depend on beside the products; others are no longer right."""
    tree: CategoryTree
    records: Texts
    displays: Texts
    product_ids: Texts
    group_ids: Texts
    """Per code."""
    pks: NDArray[np.int64]
    """(n_rows,): ascending."""
    codes: NDArray[np.int32]
    """(n_rows,): the item group of each product."""
    group_indptr: NDArray[np.int64]
    group_rows: NDArray[np.int32]
    """Ragged: the products of each item group, in the order of their keys."""
    shown: NDArray[np.int32]
    """(n_codes,): the product that stands for its group, -1 where none may be shown."""
    prices: NDArray[np.float64]
    """(n_codes,): current price of the shown product, or of the group's first; NaN without."""
    first_seen: NDArray[np.float64]
    """(n_codes,): of the group's first product, seconds since the epoch."""
    category_indptr: NDArray[np.int64]
    category_pks: NDArray[np.int64]
    """Ragged: the categories of the group's first product; what is above them is the tree's."""
    names: NDArray[np.uint32]
    """Ascending: hashes of all product ids, SKUs and group ids."""
    named: NDArray[np.int32]
    """The row that each name is of; of a group, its first."""
    members: dict[int, tuple[frozenset[int], NDArray[np.int32]]] = field(default_factory=dict)
    """Codes by category, with the categories below it then; filled as they are asked for."""

    @classmethod
    def lay_out(
        cls,
        entries: Iterable[Entry],
        *,
        revision: int,
        deletion_revision: int,
        rendering: str,
        tree: CategoryTree,
    ) -> Iterator[bytes | memoryview]:
        """Return the content of the file of an image; entries come in the order of their keys."""
        layout = _Layout()
        for entry in entries:
            layout.add(*entry)
        facts = {
            "revision": revision,
            "deletion_revision": deletion_revision,
            "rendering": rendering,
            "tree": tree.rows(),
        }
        return pack(facts, layout.arrays(), layout.texts())

    @classmethod
    def of(cls, mapped: Mapped) -> Self:
        """Return the image that a file holds; raises KeyError for one of another version."""
        given: dict[str, Any] = {**mapped.facts, **mapped.arrays, **mapped.texts}
        given["tree"] = CategoryTree.of(given["tree"])
        return cls(**{one.name: given[one.name] for one in fields(cls) if one.name != "members"})

    @classmethod
    def in_memory(cls, pieces: Iterator[bytes | memoryview]) -> Self:
        """Return an image that has no file."""
        return cls.of(unpack(b"".join(pieces)))

    @property
    def n_rows(self) -> int:
        return len(self.pks)

    @property
    def n_codes(self) -> int:
        return len(self.shown)

    def row(self, at: int) -> ProductRow:
        """Return a product."""
        return ProductRow.from_record(self.records[at])

    def row_of(self, pk: int) -> int | None:
        """Return the row of a primary key."""
        at = int(self.pks.searchsorted(np.int64(pk)))
        return at if at < self.n_rows and int(self.pks[at]) == pk else None

    def rows_of(self, code: int) -> list[int]:
        """Return the products of an item group."""
        start, end = self.group_indptr[code : code + 2].tolist()
        rows: list[int] = self.group_rows[start:end].tolist()
        return rows

    def rows_named(self, name: str) -> list[int]:
        """Return the products that a name may stand for: those with its hash."""
        hashed = name_hash(name)
        # of the array's own type: another one would have all of it converted
        at = int(self.names.searchsorted(np.uint32(hashed)))
        rows = []
        while at < len(self.names) and int(self.names[at]) == hashed:
            rows.append(int(self.named[at]))
            at += 1
        return rows

    def rows_of_ids(self, product_ids: Sequence[str]) -> list[int]:
        """Return the first product with each id; -1 where that takes a closer look."""
        if not len(self.names):
            return [-1] * len(product_ids)
        wanted = [to_bytes(name) for name in product_ids]
        hashes = np.fromiter(map(zlib.crc32, wanted), dtype=np.uint32, count=len(wanted))
        at = np.minimum(self.names.searchsorted(hashes), len(self.names) - 1)
        rows = self.named[at]
        found = zip(rows.tolist(), self.product_ids.several(rows), wanted, strict=True)
        return [row if name == own else -1 for row, own, name in found]

    def code_of_group(self, group_id: str) -> int | None:
        """Return the item group of this id."""
        wanted = to_bytes(group_id)
        for row in self.rows_named(group_id):
            code = int(self.codes[row])
            if self.group_ids[code] == wanted:
                return code
        return None

    def categories_of(self, code: int) -> tuple[int, ...]:
        """Return the categories of an item group, without what is above them."""
        start, end = self.category_indptr[code : code + 2].tolist()
        return tuple(self.category_pks[start:end].tolist())

    def codes_in(self, category: int, tree: CategoryTree) -> NDArray[np.int32]:
        """Return the item groups of a category, those of what a tree has below it included."""
        wanted = tree.with_descendants(category)
        below, found = self.members.get(category, (None, None))
        if found is None or below != wanted:
            at = np.flatnonzero(np.isin(self.category_pks, list(wanted)))
            codes = np.searchsorted(self.category_indptr, at, side="right") - 1
            found = np.unique(codes).astype(np.int32)
            self.members[category] = wanted, found
        return found


def name_hash(name: str) -> int:
    """Return the hash that a name is looked up by."""
    return zlib.crc32(to_bytes(name))


def to_bytes(name: str) -> bytes:
    """Return a name in UTF-8, also one that cannot be."""
    return name.encode("utf-8", "surrogatepass")


class _Layout:
    """Collects products, one after the other."""

    def __init__(self) -> None:
        self._code_of_group: dict[str, int] = {}
        self._pks, self._codes, self._first_rows = array("q"), array("i"), array("i")
        self._eligible = array("i")
        self._prices, self._first_seen = array("d"), array("d")
        self._categories: list[tuple[int, ...]] = []
        self._hashes, self._named = array("L"), array("i")
        self._texts = {
            name: bytearray() for name in ("records", "displays", "product_ids", "group_ids")
        }
        self._lengths = {name: array("q") for name in self._texts}

    def add(self, row: ProductRow, record: bytes, display: bytes) -> None:
        at = len(self._pks)
        group = row.group_id
        code = self._code_of_group.setdefault(group, len(self._code_of_group))
        if code == len(self._first_rows):
            self._first_rows.append(at)
            self._first_seen.append(row.first_seen)
            self._categories.append(row.categories)
            self._text("group_ids", to_bytes(group))
            if group != row.product_id:
                self._name(group, at)
        self._name(row.product_id, at)
        if row.sku and row.sku != row.product_id:
            self._name(row.sku, at)
        self._pks.append(row.pk)
        self._codes.append(code)
        price = row.current_price
        self._prices.append(float("nan") if price is None else float(price))
        if row.eligible:
            self._eligible.append(at)
        self._text("records", record)
        self._text("displays", display)
        self._text("product_ids", to_bytes(row.product_id))

    def _text(self, name: str, text: bytes) -> None:
        self._texts[name] += text
        self._lengths[name].append(len(text))

    def _name(self, name: str, at: int) -> None:
        self._hashes.append(name_hash(name))
        self._named.append(at)

    def texts(self) -> dict[str, Any]:
        return {name: (text, self._lengths[name]) for name, text in self._texts.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        codes = np.array(self._codes, dtype=np.int32)
        n_codes = len(self._first_rows)
        first_rows = np.array(self._first_rows, dtype=np.int32)
        shown = np.full(n_codes, -1, dtype=np.int32)
        eligible = np.array(self._eligible, dtype=np.int32)[::-1]  # the first one is written last
        shown[codes[eligible]] = eligible
        prices = np.array(self._prices, dtype=np.float64)
        counts = np.bincount(codes, minlength=n_codes)
        lengths = [len(categories) for categories in self._categories]
        hashes = np.array(self._hashes, dtype=np.uint32)
        order = np.argsort(hashes, kind="stable")
        return {
            "pks": np.array(self._pks, dtype=np.int64),
            "codes": codes,
            "group_indptr": np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            "group_rows": np.argsort(codes, kind="stable").astype(np.int32),
            "shown": shown,
            "prices": prices[np.where(shown < 0, first_rows, shown)],
            "first_seen": np.array(self._first_seen, dtype=np.float64),
            "category_indptr": np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            "category_pks": np.array(
                [pk for categories in self._categories for pk in categories], dtype=np.int64
            ),
            "names": hashes[order],
            "named": np.array(self._named, dtype=np.int32)[order],
        }
