"""The names of products and categories, for people who read about an answer."""

from __future__ import annotations

import re
from functools import cached_property

from django.db import Error as DatabaseFailure

from depict_reco.catalog.models import Category
from depict_reco.serving import wording
from depict_reco.serving.candidates import Context
from depict_reco.serving.rows import ProductRow

_TITLE = 60
"""Characters of a title that are shown."""
_WORDS = 3
"""Words in common that are named."""
_WORD = re.compile(r"[^\W\d_]{3,}")


class Naming:
    """Names what a ranking dealt with."""

    def __init__(self, context: Context, *, codes: list[int], locale: str | None) -> None:
        self._context = context
        self._columns = context.snapshot.columns
        self._codes = codes
        market = context.snapshot.market
        self._locale = locale if locale in market.locales else market.default_locale

    def exists(self, code: int) -> bool:
        """Whether an item group has any product left; a model may know of those that have not."""
        return any(True for _ in self._columns.rows_of(code))

    def row(self, code: int) -> ProductRow:
        """Return the product that stands for a group: the one shown, else its first."""
        shown = int(self._columns.shown[code])
        return self._columns.row(shown if shown >= 0 else next(iter(self._columns.rows_of(code))))

    def title(self, code: int) -> str:
        """Return the title of an item group, or its id where it has none."""
        row = self.row(code)
        title = row.texts.get(self._locale, {}).get("title") or row.title or row.product_id
        return title if len(title) <= _TITLE else f"{title[: _TITLE - 1].rstrip()}…"

    def category(self, pk: int | None) -> str:
        """Return the name of a category; nothing of none."""
        return "" if pk is None else self._category_names.get(pk, "")

    def common(self, code: int, other: int) -> tuple[str, str, str]:
        """Return brand, nearest category and words of the title that two products share."""
        one, two = self.row(code), self.row(other)
        brand = one.brand if one.brand and one.brand.casefold() == two.brand.casefold() else ""
        mine = set(self._columns.categories_of(code))
        shared = [pk for pk in self._columns.categories_of(other) if pk in mine]
        said = set(_WORD.findall(two.title.casefold()))
        words = [word for word in _WORD.findall(one.title) if word.casefold() in said]
        words = list(dict.fromkeys(words))[:_WORDS]
        return brand, self.category(shared[0] if shared else None), ", ".join(words)

    def likeness(self, code: int, other: int, *, title: str) -> str:
        """Say why two products read alike."""
        brand, category, words = self.common(code, other)
        return wording.alike(brand, category, words, title)

    @cached_property
    def _category_names(self) -> dict[int, str]:
        """The names of all categories that may be spoken of: one query, or ids without it."""
        wanted = {pk for code in self._codes for pk in self._columns.categories_of(code)}
        if self._context.category is not None:
            wanted.add(self._context.category)
        names = {pk: name for name, pk in self._columns.tree.pks.items() if pk in wanted}
        try:
            named = Category.objects.filter(pk__in=wanted).exclude(name="")
            return names | dict(named.values_list("pk", "name"))
        except DatabaseFailure:
            return names
