"""Pages of tenants and markets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from depict_reco.admin import links, training_start
from depict_reco.admin.fields import JsonField, ListField
from depict_reco.admin.filters import TenantFilter
from depict_reco.admin.lookups import LookupAdmin
from depict_reco.admin.paginators import COUNT_LIMIT, count_up_to
from depict_reco.admin.tables import moment, rows_table
from depict_reco.events.retention import days_complaint
from depict_reco.models import (
    ApiKey,
    Event,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Results,
    Tenant,
    TrackingStatus,
)
from depict_reco.serving.defaults import add_default_types

_MARKETS_SHOWN = 20


class TenantForm(forms.ModelForm):
    origins = ListField(
        label=_("Origins"),
        help_text=_("One per line, such as https://shop.example."),
    )
    retention_days = JsonField(
        label=_("Days that events are kept"),
        rows=3,
        help_text=_(
            "By type, such as {“page_view”: 400, “*”: 800}; “*” is all other types. "
            "Empty: as the setting EVENT_RETENTION_DAYS says."
        ),
    )

    def clean_retention_days(self) -> Any:
        days = self.cleaned_data["retention_days"]
        if days and (problem := days_complaint(days)):
            raise forms.ValidationError(f"{problem[0].upper()}{problem[1:]}.")
        return days or None


class MarketForm(forms.ModelForm):
    locales = ListField(
        label=_("Further locales"), inline=True, help_text=_("Such as: sv-FI, en-FI.")
    )


class MarketInline(admin.TabularInline):
    model = Market
    form = MarketForm
    fields = ["slug", "name", "currency", "default_locale", "locales", "active"]
    extra = 0
    can_delete = False  # it would take catalogue and events along: the market's page asks first
    show_change_link = True


@admin.register(Tenant)
class TenantAdmin(LookupAdmin):
    form = TenantForm
    inlines = [MarketInline]
    list_display = ["slug", "name", "active", "storefront_access", "market_names", "pages"]
    list_display_links = ["slug", "name"]
    list_filter = ["active", "storefront_access"]
    search_fields = ["slug", "name"]
    search_help_text = _("Part of a slug or a name.")
    sortable_by = ["slug", "name"]
    lookup_parameters = ()
    lookup_ordering = ("slug",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        markets = Prefetch("markets", Market.objects.order_by("slug"))
        return super().get_queryset(request).prefetch_related(markets)

    def get_fieldsets(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        main = (None, {"fields": ["slug", "name", "active"]})
        access = (
            _("Storefront"),
            {
                "fields": ["storefront_access", "origins"],
                "description": _(
                    "Browsers cannot keep a key secret. Open the storefront to the pages of the "
                    "shop to let them ask for recommendations without one."
                ),
            },
        )
        reports = (_("Reports"), {"fields": ["attribution_window_days"]})
        privacy = (_("Privacy"), {"fields": ["consent_required", "retention_days"]})
        if obj is None:
            return [main, access, reports, privacy]
        glance = (_("At a glance"), {"fields": ["pages", "overview"]})
        return [main, access, reports, privacy, glance]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "pages", "overview")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            return
        if added := add_default_types(form.instance):
            text = ngettext(
                "%(count)d recommendation type was added.",
                "%(count)d recommendation types were added.",
                added,
            )
            url = links.list_url(RecommendationType, tenant=form.instance.pk)
            self.message_user(request, links.link(url, text % {"count": added}), messages.SUCCESS)

    @admin.display(description=_("markets"))
    def market_names(self, tenant: Tenant) -> str:
        return ", ".join(market.slug for market in tenant.markets.all()) or "-"

    @admin.display(description=_("pages"))
    def pages(self, tenant: Tenant) -> Any:
        """Links to what belongs to the tenant."""
        return format_html_join(
            " · ",
            "{}",
            (
                (links.link(links.list_url(model, tenant=tenant.pk), title),)
                for model, title in (
                    (Market, _("Markets")),
                    (ApiKey, _("Keys")),
                    (RecommendationType, _("Types")),
                    (Product, _("Products")),
                    (Feed, _("Feeds")),
                    (Results, _("Results")),
                )
            ),
        )

    @admin.display(description=_("markets"))
    def overview(self, tenant: Tenant) -> Any:
        """What stands in each market, and what answers for it."""
        markets = Market.objects.filter(tenant=tenant).select_related(
            "tenant", "current_artifact__artifact"
        )[: _MARKETS_SHOWN + 1]
        if not markets:
            return _("No market yet.")
        table = rows_table(
            [
                str(title)
                for title in (
                    _("Market"), _("Products"), _("Recommendable"), _("Last feed run"),
                    _("Newest event"), _("Served model"),
                )
            ],
            [_overview_row(market) for market in markets[:_MARKETS_SHOWN]],
        )  # fmt: skip
        if len(markets) <= _MARKETS_SHOWN:
            return table
        more = links.link(links.list_url(Market, tenant=tenant.pk), _("All markets"))
        return format_html("{}<p>{}</p>", table, more)


def _overview_row(market: Market) -> list[Any]:
    products = Product.objects.filter(market=market)
    run = FeedRun.objects.filter(market=market).newest_first().first()
    event = Event.objects.filter(market=market).order_by("-time", "-pk").only("time").first()
    current = getattr(market, "current_artifact", None)
    return [
        links.page_link(market),
        links.link(links.list_url(Product, market=market.pk), _up_to(products)),
        _up_to(products.recommendable()),
        "-" if run is None else links.link(links.page_url(run), run.get_status_display()),
        links.link(
            links.list_url(TrackingStatus, market=market.pk), moment(event.time) if event else "-"
        ),
        _("none yet")
        if current is None
        else links.link(links.page_url(current.artifact), current.artifact.version),
    ]


def _up_to(rows: QuerySet[Any]) -> str:
    count = count_up_to(rows)
    return f"{count:,}" if count <= COUNT_LIMIT else f"> {COUNT_LIMIT:,}"


@admin.register(Market)
class MarketAdmin(LookupAdmin):
    form = MarketForm
    list_display = [
        "slug", "tenant", "name", "currency", "default_locale", "active", "served",
    ]  # fmt: skip
    list_filter = [TenantFilter, "active"]
    related = ("tenant", "current_artifact__artifact")
    search_fields = ["slug", "name", "tenant__slug", "tenant__name"]
    search_help_text = _("Part of a slug or a name of a market or tenant.")
    autocomplete_fields = ["tenant"]
    ordering = ["tenant__slug", "slug"]
    sortable_by = ["slug", "tenant", "name"]
    kept_fields = ("tenant",)
    actions = ["train"]
    detail_actions = (("train", _("Train")),)
    fields = ["tenant", "slug", "name", "currency", "default_locale", "locales", "active"]
    lookup_parameters = ("tenant",)
    lookup_ordering = ("tenant__slug", "slug")

    def has_train_permission(self, request: HttpRequest) -> bool:
        return training_start.may_train(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        pages = [(TrackingStatus, _("Tracking status")), (Results, _("Results"))]
        shown = [
            (links.list_url(model, market=object_id), label)
            for model, label in pages
            if self.admin_site.get_model_admin(model).has_view_permission(request)
        ]
        context = {**(extra_context or {}), "detail_links": shown}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("served model"))
    def served(self, market: Market) -> Any:
        current = getattr(market, "current_artifact", None)
        if current is None:
            return _("none yet")
        text = format_html("{}", current.artifact.version)
        return links.link(links.page_url(current.artifact), text)

    @admin.action(description=_("Train the models of selected markets"), permissions=["train"])
    def train(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        for market in queryset.select_related("tenant"):
            training_start.start(request, market)
