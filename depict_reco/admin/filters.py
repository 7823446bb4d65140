"""List filters that stay cheap: no list of thousands of choices, no counting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from depict_reco.models import Category, Market, Tenant

FEW = 30


class ParameterFilter(admin.ListFilter):
    """Base of filters that are one query parameter."""

    parameter_name = ""

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: admin.ModelAdmin,
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.admin_site = model_admin.admin_site
        self.value = (params.pop(self.parameter_name, None) or [""])[-1].strip()

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name]

    def others(self, changelist: ChangeList) -> list[tuple[str, str]]:
        """The other parameters of the list, for a form to keep."""
        return [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name != self.parameter_name
            for value in values
        ]


class TextFilter(ParameterFilter):
    """A box for one exact value, for columns with too many values to list."""

    template = "admin/depict_reco/text_filter.html"

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        yield {
            "name": self.parameter_name,
            "value": self.value,
            "others": self.others(changelist),
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name: self.value}) if self.value else queryset


class RelatedFilter(ParameterFilter):
    """Links while there are few choices, a box that searches when there are many."""

    template = "admin/depict_reco/related_filter.html"
    lookup_url = ""
    """Name of the address that the box asks."""
    path = ""
    """The look-up that is filtered by; empty: it is called as the parameter."""

    def rows(self) -> QuerySet[Any]:
        """What can be chosen."""
        raise NotImplementedError

    def label(self, row: Any) -> str:
        return str(row)

    @cached_property
    def _first(self) -> list[Any]:
        return list(self.rows()[: FEW + 1])

    def has_output(self) -> bool:
        return bool(self.value) or len(self._first) > 1

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        rows = self._first
        if len(rows) > FEW:
            yield self._box(changelist)
            return
        yield {
            "selected": not self.value,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": _("All"),
        }
        for row in rows:
            yield {
                "selected": self.value == str(row.pk),
                "query_string": changelist.get_query_string({self.parameter_name: row.pk}),
                "display": self.label(row),
            }

    def _box(self, changelist: ChangeList) -> dict[str, Any]:
        chosen = self.rows().filter(pk=self.value).first() if self.value.isdigit() else None
        return {
            "box": True,
            "name": self.parameter_name,
            "value": self.value,
            "label": self.label(chosen) if chosen else "",
            "url": reverse(self.lookup_url, current_app=self.admin_site.name),
            "others": self.others(changelist),
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value:
            return queryset
        if not self.value.isdigit():
            return queryset.none()
        return queryset.filter(**{self.path or self.parameter_name: int(self.value)})


class MarketFilter(RelatedFilter):
    title = _("market")
    parameter_name = "market"
    lookup_url = "admin:depict_reco_market_lookup"

    def rows(self) -> QuerySet[Market]:
        return Market.objects.select_related("tenant")


class TenantFilter(RelatedFilter):
    title = _("tenant")
    parameter_name = "tenant"
    lookup_url = "admin:depict_reco_tenant_lookup"

    def rows(self) -> QuerySet[Tenant]:
        return Tenant.objects.all()


class MarketTenantFilter(TenantFilter):
    """The tenant of rows that belong to a market."""

    path = "market__tenant"


class CategoryFilter(RelatedFilter):
    """Categories of the chosen market, or of all of them."""

    title = _("category")
    parameter_name = "categories"
    lookup_url = "admin:depict_reco_category_lookup"

    def rows(self) -> QuerySet[Category]:
        market = self.request.GET.get("market", "")
        rows = Category.objects.select_related("market__tenant")
        return rows.filter(market=int(market)) if market.isdigit() else rows

    def label(self, row: Category) -> str:
        return str(row) if self.request.GET.get("market") else f"{row} · {row.market}"
