"""Pages of categories."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.filters import MarketFilter
from depict_reco.admin.lookups import LookupAdmin, LookupSelect
from depict_reco.models import Category, Product

CATEGORY_LOOKUP = "admin:depict_reco_category_lookup"


class InMarketForm(forms.ModelForm):
    """A form whose other rows must belong to the row's own market."""

    @property
    def market_pk(self) -> int | None:
        market = self.cleaned_data.get("market")
        return self.instance.market_id if market is None else market.pk

    def refuse_foreign(self, name: str, categories: list[Category]) -> None:
        """Add an error to a field that names categories of another market."""
        foreign = [str(row) for row in categories if row.market_id != self.market_pk]
        if foreign and self.market_pk is not None:
            text = _("Not of this market: %(names)s.") % {"names": ", ".join(foreign)}
            self.add_error(name, text)


class CategoryForm(InMarketForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if parent := cleaned.get("parent"):
            self.refuse_foreign("parent", [parent])
            if self.instance.pk and _is_below(parent, self.instance.pk):
                self.add_error("parent", _("A category cannot lie in one of its own branches."))
        return cleaned


def _is_below(category: Category | None, pk: int) -> bool:
    """Whether a category is that one, or lies somewhere in its branches."""
    seen: set[int] = set()
    while category is not None and category.pk not in seen:
        if category.pk == pk:
            return True
        seen.add(category.pk)
        category = category.parent
    return False


@admin.register(Category)
class CategoryAdmin(LookupAdmin):
    form = CategoryForm
    list_display = ["__str__", "category_id", "parent", "market", "products_link"]
    list_filter = [MarketFilter]
    related = ("market__tenant", "parent")
    search_fields = ["name", "category_id__startswith"]
    search_help_text = _("Part of a name, or the beginning of a category id.")
    ordering = ["name", "pk"]
    sortable_by = ["category_id"]
    autocomplete_fields = ["market"]
    kept_fields = ("market", "category_id")
    readonly_fields = ["branches", "products_link"]
    fields = ["market", "category_id", "name", "parent", "page_url", "branches", "products_link"]
    lookup_ordering = ("name", "pk")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "parent" in form.base_fields:
            field = form.base_fields["parent"]
            market = None if obj is None else obj.market_id
            field.widget = LookupSelect(url_name=CATEGORY_LOOKUP, market=market)
            field.widget.choices = field.choices  # type: ignore[attr-defined]
        return form

    def lookup_text(self, row: Category, *, in_market: bool) -> str:
        return str(row) if in_market else f"{row} · {row.market}"

    def lookup_value(self, row: Category) -> str:
        return row.category_id

    @admin.display(description=_("products"))
    def products_link(self, category: Category) -> Any:
        if category.pk is None:
            return "-"
        url = links.list_url(Product, market=category.market_id, categories=category.pk)
        return links.link(url, _("Products"))

    @admin.display(description=_("branches"))
    def branches(self, category: Category) -> Any:
        if category.pk is None:
            return "-"
        children = list(category.children.order_by("name")[:21])
        shown = ", ".join(str(child) for child in children[:20])
        return f"{shown} …" if len(children) > 20 else shown or "-"
