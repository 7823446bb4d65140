"""From one state of a catalogue to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depict_reco.serving.categories import CategoryTree
from depict_reco.serving.columns import Columns
from depict_reco.serving.rows import ProductRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A catalogue after some changes."""

    columns: Columns
    codes: set[int]
    """The item groups that they concern."""


def with_changes(
    columns: Columns,
    rows: Iterable[ProductRow],
    *,
    tree: CategoryTree,
    present: NDArray[np.int64] | None = None,
) -> Changed:
    """Return a catalogue with some products changed.

    ``present`` are the primary keys of all products, if some were deleted.
    """
    if tree == columns.tree:
        tree = columns.tree  # it knows already what is above and below
    change = _Change(columns)
    for row in rows:
        change.put(row)
    if present is not None:
        change.keep(present)
    return Changed(columns=change.result(tree), codes=change.dirty)


class _Change:
    """The next state of a catalogue, in the making."""

    def __init__(self, old: Columns) -> None:
        self._old = old
        self._changed = old.changed.copy()
        self._gone = set(old.gone)
        self._codes = old.new_codes.copy()
        self._groups = old.new_groups.copy()
        self._members = old.members.copy()
        self._pks = old.new_pks.copy()
        self._next_row = old.image.n_rows + len(old.new_codes)
        self.dirty: set[int] = set()
        """Codes whose products changed."""

    def put(self, row: ProductRow) -> None:
        """Change a product, or add it."""
        at = self._row_of(row.pk)
        if at is not None:
            if self._row(at).place == row.place:
                self._changed[at] = row
                self.dirty.add(self._code(at))
                return
            self._take_out(at)
        at, self._next_row = self._next_row, self._next_row + 1
        code = self._code_of_group(row.group_id)
        self._changed[at], self._codes[at], self._pks[row.pk] = row, code, at
        self._members[code] = tuple(
            sorted((*self._rows_of(code), at), key=lambda at: self._row(at).pk)
        )
        self.dirty.add(code)

    def keep(self, present: NDArray[np.int64]) -> None:
        """Take out every product that is not among these."""
        rows = np.fromiter(self._pks.values(), dtype=np.int64, count=len(self._pks))
        pks = np.fromiter(self._pks, dtype=np.int64, count=len(self._pks))
        lost = np.flatnonzero(~np.isin(self._old.image.pks, present)).tolist()
        for at in [*lost, *rows[~np.isin(pks, present)].tolist()]:
            if at not in self._gone:
                self._take_out(at)

    def result(self, tree: CategoryTree) -> Columns:
        """Return the next state."""
        old = self._old
        grown = old.image.n_codes + len(self._groups) - old.n_codes
        shown = np.concatenate((old.shown, np.full(grown, -1, dtype=np.int32)))
        prices = np.concatenate((old.prices, np.full(grown, np.nan)))
        first_seen = np.concatenate((old.first_seen, np.zeros(grown)))
        categories = old.categories.copy()
        for code in self.dirty:
            rows = [(at, self._row(at)) for at in self._rows_of(code)]
            shown[code] = next((at for at, row in rows if row.eligible), -1)
            if not rows:
                prices[code], categories[code] = np.nan, ()
                continue
            price = next((row for _, row in rows if row.eligible), rows[0][1]).current_price
            prices[code] = np.nan if price is None else float(price)
            first_seen[code] = rows[0][1].first_seen
            found = rows[0][1].categories
            if code >= old.image.n_codes or found != old.own_categories_of(code):
                categories[code] = found
        return Columns(
            image=old.image,
            tree=tree,
            shown=shown,
            eligible=shown >= 0,
            prices=prices,
            # the same array where nothing differs, so that what follows from it can stay
            first_seen=old.first_seen if np.array_equal(first_seen, old.first_seen) else first_seen,
            changed=self._changed,
            gone=frozenset(self._gone),
            new_codes=self._codes,
            new_groups=self._groups,
            members=self._members,
            categories=categories,
            new_names=self._names(),
            new_pks=self._pks,
        )

    def _names(self) -> dict[str, list[int]]:
        names: dict[str, list[int]] = {}
        for at in self._codes:
            if at not in self._gone:
                row = self._changed[at]
                for name in {row.product_id, row.sku} - {""}:
                    names.setdefault(name, []).append(at)
        return names

    def _row_of(self, pk: int) -> int | None:
        at = self._pks.get(pk)
        if at is None:
            at = self._old.image.row_of(pk)
        return None if at is None or at in self._gone else at

    def _row(self, at: int) -> ProductRow:
        return self._changed.get(at) or self._old.image.row(at)

    def _code(self, at: int) -> int:
        found = self._codes.get(at)
        return int(self._old.image.codes[at]) if found is None else found

    def _code_of_group(self, group_id: str) -> int:
        code = self._groups.get(group_id)
        if code is None:
            code = self._old.image.code_of_group(group_id)
        if code is None:
            code = self._groups[group_id] = self._old.image.n_codes + len(self._groups)
        return code

    def _rows_of(self, code: int) -> Iterable[int]:
        found = self._members.get(code)
        if found is not None:
            return found
        return self._old.image.rows_of(code) if code < self._old.image.n_codes else ()

    def _take_out(self, at: int) -> None:
        code = self._code(at)
        self._members[code] = tuple(one for one in self._rows_of(code) if one != at)
        self._gone.add(at)
        if at < self._old.image.n_rows:
            self._changed.pop(at, None)
        self.dirty.add(code)
