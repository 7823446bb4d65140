"""A market's catalogue at one moment: the image that its machine shares, and what changed since.

What changed is kept aside: a product that keeps its place (key, names, group, categories) takes
the place of its old self; any other is taken out and put in again at the end. Rows and codes of
the image so keep their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from depict_reco.serving.categories import CategoryTree
from depict_reco.serving.images import CatalogueImage, Entry, to_bytes
from depict_reco.serving.kept import Kept
from depict_reco.serving.overlay import Overlay
from depict_reco.serving.rows import ProductRow

_NAMES_KEPT = 5_000
"""Names whose item groups are kept, at some 150 bytes each."""
_LONGEST_KEPT = 255
_MANY = 4
"""Names from which on it is quicker to look them up together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The catalogue of a market at one moment; nothing in it is changed in place."""

    image: CatalogueImage
    tree: CategoryTree
    shown: NDArray[np.int32]
    """(n_codes,): the product that stands for its group, -1 where none may be shown."""
    eligible: NDArray[np.bool_]
    """(n_codes,): whether one may be shown."""
    prices: NDArray[np.float64]
    """(n_codes,): current price of the shown product, or of the group's first; NaN without."""
    first_seen: NDArray[np.float64]
    """(n_codes,): seconds since the epoch."""
    changed: dict[int, ProductRow] = field(default_factory=dict)
    """Products that are not as in the image, by row; rows that the image lacks are new."""
    gone: frozenset[int] = frozenset()
    """Rows that are no more."""
    new_codes: dict[int, int] = field(default_factory=dict)
    """Item group by new row."""
    new_groups: dict[str, int] = field(default_factory=dict)
    """Item groups that the image lacks."""
    members: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Products of the item groups that lost or gained some, in the order of their keys."""
    categories: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Categories of changed item groups, without what is above them."""
    new_names: dict[str, list[int]] = field(default_factory=dict)
    """New rows by product id and SKU."""
    new_pks: dict[int, int] = field(default_factory=dict)
    """New rows by primary key."""
    overlay: Overlay | None = None
    """What is known already of a later state, of which a new image is being made."""
    _in_category: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    _codes: Kept[str, int] = field(default_factory=lambda: Kept(_NAMES_KEPT))
    """Item groups by name, of those that were asked for lately; -1 for none."""

    @classmethod
    def of(cls, image: CatalogueImage) -> Self:
        """Return the catalogue as it is in an image."""
        return cls(
            image=image,
            tree=image.tree,
            shown=image.shown,
            eligible=image.shown >= 0,
            prices=image.prices,
            first_seen=image.first_seen,
        )

    @property
    def n_codes(self) -> int:
        return len(self.shown)

    @property
    def n_rows(self) -> int:
        return self.image.n_rows + len(self.new_codes) - len(self.gone)

    @property
    def n_changes(self) -> int:
        """How much is kept aside."""
        return len(self.changed) + len(self.gone)

    def row(self, at: int) -> ProductRow:
        """Return a product."""
        row = self.changed.get(at) or self.image.row(at)
        return row if self.overlay is None else self.overlay.over(row, at)

    def is_as_in_image(self, at: int) -> bool:
        """Whether a product is as it is in the image."""
        return at not in self.changed and (self.overlay is None or at not in self.overlay)

    def product_ids(self, rows: NDArray[np.integer]) -> list[str]:
        """Return the ids of some products."""
        if self.changed:
            return [self._product_id(at) for at in rows.tolist()]
        return [
            name.decode("utf-8", "surrogatepass") for name in self.image.product_ids.several(rows)
        ]

    def _product_id(self, at: int) -> str:
        if at in self.changed:
            return self.changed[at].product_id
        return self.image.product_ids[at].decode("utf-8", "surrogatepass")

    def pks(self, rows: Iterable[int]) -> list[int]:
        """Return the primary keys of some products."""
        # item by item: the few of an answer are not worth starting numpy for
        pk_of = self.pk if self.new_codes else self.image.pks.item
        return list(map(pk_of, rows))

    def pk(self, at: int) -> int:
        """Return the primary key of a product."""
        return self.changed[at].pk if at >= self.image.n_rows else int(self.image.pks[at])

    def code(self, at: int) -> int:
        """Return the item group of a product."""
        return self.new_codes[at] if at >= self.image.n_rows else int(self.image.codes[at])

    def rows_of(self, code: int) -> Iterable[int]:
        """Return the products of an item group, in the order of their keys."""
        found = self.members.get(code)
        return self.image.rows_of(code) if found is None else found

    def variants(self, code: int) -> list[int]:
        """Return the rows of an item group that a shopper may be told of."""
        return [at for at in self.rows_of(code) if self.row(at).visible]

    def row_of(self, product_id: str) -> int | None:
        """Return the product of this id."""
        wanted = to_bytes(product_id)
        for at in self.new_names.get(product_id, ()):
            if self.changed[at].product_id == product_id:
                return at
        for at in self.image.rows_named(product_id):
            if at not in self.gone and self.image.product_ids[at] == wanted:
                return at
        return None

    def rows_of_pks(self, pks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the products with primary keys that the database has; -1 for what is new."""
        image = self.image
        rows = np.full(len(pks), -1, dtype=np.int64)
        if image.n_rows:
            at = np.minimum(image.pks.searchsorted(pks), image.n_rows - 1)
            rows = np.where(image.pks[at] == pks, at, -1)
        for number, pk in enumerate(pks.tolist() if self.new_pks else ()):
            rows[number] = self.new_pks.get(pk, rows[number])
        return rows

    def code_of(self, name: str) -> int | None:
        """Return the item group of a product, named by product id, SKU or group id."""
        found = self._codes.get(name)
        if found is None:
            code = self._code_of(name)
            found = -1 if code is None else code
            if len(name) <= _LONGEST_KEPT:
                self._codes.put(name, found)
        return None if found < 0 else found

    def find(self, names: Iterable[str]) -> None:
        """Look many names up at once, so that ``code_of`` need not look up each."""
        unknown = [name for name in dict.fromkeys(names) if self._codes.get(name) is None]
        if len(unknown) < _MANY:
            return
        rows = self.image.rows_of_ids(unknown)
        for name, row in zip(unknown, rows, strict=True):
            if row >= 0 and row not in self.gone and name not in self.new_names:
                self._codes.put(name, self.code(row))

    def _code_of(self, name: str) -> int | None:
        at = self.row_of(name)
        if at is None:
            at = self._row_of_sku(name)
        if at is not None:
            return self.code(at)
        code = self.new_groups.get(name)
        if code is None:
            code = self.image.code_of_group(name)
        return code if code is not None and any(True for _ in self.rows_of(code)) else None

    def _row_of_sku(self, sku: str) -> int | None:
        rows = [at for at in self.image.rows_named(sku) if at not in self.gone]
        rows += self.new_names.get(sku, ())
        found = [at for at in rows if sku and self.row(at).sku == sku]
        return min(found, key=self.pk, default=None)

    def categories_of(self, code: int) -> tuple[int, ...]:
        """Return the categories of a group's first product with all above, nearest first."""
        return self.tree.with_ancestors(self.own_categories_of(code))

    def own_categories_of(self, code: int) -> tuple[int, ...]:
        """Return the categories of a group's first product, without what is above them."""
        found = self.categories.get(code)
        return self.image.categories_of(code) if found is None else found

    def codes_in(self, category: int) -> NDArray[np.int32]:
        """Return the item groups of a category, those of its descendants included."""
        found = self._in_category.get(category)
        if found is None:
            found = self.image.codes_in(category, self.tree)
            if self.categories:
                found = self._with_changed(found, category)
            self._in_category[category] = found
        return found

    def _with_changed(self, codes: NDArray[np.int32], category: int) -> NDArray[np.int32]:
        """Return the item groups of a category, given those of the image."""
        wanted = self.tree.with_descendants(category)
        kept = codes[~np.isin(codes, list(self.categories))]
        fresh = [code for code, own in self.categories.items() if not wanted.isdisjoint(own)]
        return np.concatenate((kept, np.array(fresh, dtype=np.int32)))

    def codes_by_group(self, *, since: int = 0) -> dict[str, int]:
        """Return the numbers of the item groups from some number on."""
        codes = range(since, self.image.n_codes)
        ids = self.image.group_ids
        found = {ids[code].decode("utf-8", "surrogatepass"): code for code in codes}
        return found | self.new_groups

    def entries(self, render: Callable[[ProductRow], bytes], rendering: str) -> Iterator[Entry]:
        """Yield all products for an image, in the order of their keys."""
        image, gone, changed = self.image, self.gone, self.changed
        keep = image.displays if image.rendering == rendering else None
        new = sorted(at for at in self.new_codes if at not in gone)
        new.sort(key=self.pk)
        pending = iter([*new, -1])
        following = next(pending)
        for at, (pk, record) in enumerate(zip(image.pks.tolist(), image.records, strict=True)):
            while following >= 0 and changed[following].pk < pk:
                yield _entry(changed[following], render)
                following = next(pending)
            if at in gone:
                continue
            if at in changed:
                yield _entry(changed[at], render)
                continue
            row = ProductRow.from_record(record)
            yield row, record, render(row) if keep is None else keep[at]
        while following >= 0:
            yield _entry(changed[following], render)
            following = next(pending)


def _entry(row: ProductRow, render: Callable[[ProductRow], bytes]) -> Entry:
    return row, row.to_record(), render(row)
