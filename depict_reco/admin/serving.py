"""Pages of recommendation types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.base import BaseAdmin
from depict_reco.admin.fields import JsonField
from depict_reco.admin.filters import MarketFilter, TenantFilter
from depict_reco.admin.lookups import LookupSelect
from depict_reco.admin.preview import preview_url, preview_view
from depict_reco.admin.tables import rows_table
from depict_reco.models import RecommendationType
from depict_reco.serving.strategies import CHAINS, Strategy


class TypeForm(forms.ModelForm):
    parameters = JsonField(
        label=_("Parameters"),
        rows=5,
        help_text=_(
            'A JSON object. "exclude_category_ids": category ids whose products are left out; '
            '"chain": the sources to ask, in this order, instead of the strategy\'s own; '
            '"exploration": the share of the places, 0 to 0.5, in which new products that hardly '
            "anybody has seen take turns."
        ),
    )


@admin.register(RecommendationType)
class RecommendationTypeAdmin(BaseAdmin):
    form = TypeForm
    list_display = ["name", "tenant", "market_shown", "kind", "strategy", "default_limit",
                    "active", "try_out"]  # fmt: skip
    list_filter = [TenantFilter, MarketFilter, "strategy", "kind", "active"]
    related = ("tenant", "market__tenant")
    search_fields = ["name", "tenant__slug"]
    search_help_text = _("Part of a name or tenant.")
    ordering = ["tenant__slug", "name", "market__slug"]
    sortable_by = ["name", "tenant", "strategy"]
    autocomplete_fields = ["tenant", "market"]
    kept_fields = ("tenant",)
    readonly_fields = ["strategies"]
    fieldsets = [
        (None, {"fields": ["tenant", "market", "name", "kind", "active"]}),
        (_("How it is answered"), {"fields": ["strategy", "default_limit", "parameters",
                                              "strategies"]}),
    ]  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "market" in form.base_fields and obj is not None:
            field = form.base_fields["market"]
            url = "admin:depict_reco_market_lookup"
            field.widget = LookupSelect(url_name=url, tenant=obj.tenant_id)
            field.widget.choices = field.choices  # type: ignore[attr-defined]
        return form

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview)
        name = "depict_reco_recommendationtype_preview"
        return [path("<int:pk>/preview/", view, name=name), *super().get_urls()]

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        return preview_view(self, request, pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = [(preview_url(object_id), _("Try it"))] if object_id.isdigit() else []
        context = {**(extra_context or {}), "detail_links": shown}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("market"), ordering="market__slug")
    def market_shown(self, kind: RecommendationType) -> Any:
        return _("all") if kind.market is None else kind.market.slug

    @admin.display(description=_("preview"))
    def try_out(self, kind: RecommendationType) -> Any:
        return links.link(preview_url(kind.pk), _("Try it"))

    @admin.display(description=_("the strategies"))
    def strategies(self, kind: RecommendationType) -> Any:
        """Each strategy, and the sources that it asks one after the other."""
        table = rows_table(
            [str(_("Strategy")), str(_("Sources, asked from left to right until enough is found"))],
            [[str(strategy.label), " → ".join(CHAINS[strategy])] for strategy in Strategy],
        )
        return format_html("<details><summary>{}</summary>{}</details>", _("What they do"), table)
