"""Pages of events: read only, found by exact ids, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.filters import MarketFilter, TextFilter
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import money
from depict_reco.models import Event, Market, Product

SEARCHED = 1_000_000
"""Events that are looked through for ids that no index is of: one of each would have to be kept up
with every event that comes in, for the sake of this page."""


class RecentFilter(TextFilter):
    """Finds one exact id among the events that arrived last."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        return found.latest_arrived(SEARCHED) if self.value else found  # type: ignore[attr-defined]


class ProductFilter(RecentFilter):
    title = _("product id")
    parameter_name = "product_id"


class TransactionFilter(RecentFilter):
    title = _("transaction id")
    parameter_name = "transaction_id"


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    change_list_template = "admin/depict_reco/event/change_list.html"
    list_display = ["time", "type", "product", "quantity", "unit_price", "shopper",
                    "transaction_id", "market"]  # fmt: skip
    list_filter = [MarketFilter, "type", ProductFilter, TransactionFilter]
    related = ("market__tenant",)
    search_fields = ["session_id"]  # shows the box; get_search_results does the search
    search_help_text = _(
        "A whole session id or user id; or a product id, SKU or transaction id of one of the last "
        "million events."
    )
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["market", "type", "time", "received_at"]}),
        (_("Shopper"), {"fields": ["session_id", "user_id", "dsid"]}),
        (_("Product"), {"fields": ["product_id", "sku", "product_page", "quantity",
                                   ("price", "currency")]}),
        (_("Order and origin"), {"fields": ["transaction_id", "recommendation_id",
                                            "recommendation_type", "deduplication_id"]}),
    ]  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first, by the index at hand: of time in a market, of arrival over all."""
        return ("-time", "-pk") if request.GET.get("market") else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look a term up as a shopper's id first, by index; then as any other id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        markets = list(Market.objects.order_by().values_list("pk", flat=True))
        for field in ("session_id", "user_id"):  # one at a time: an OR would use no index
            of_shopper = Event.objects.filter(market__in=markets, **{field: term})
            if of_shopper.exists():
                # by key: in the joined query SQLite would read the market's whole window instead
                return queryset.filter(pk__in=of_shopper.values("pk")), False
        recent: QuerySet[Any] = queryset.latest_arrived(SEARCHED)  # type: ignore[attr-defined]
        return recent.filter(Q(product_id=term) | Q(sku=term) | Q(transaction_id=term)), False

    @admin.display(description=_("product"))
    def product(self, event: Event) -> str:
        return event.product_id or event.sku or "-"

    @admin.display(description=_("unit price"))
    def unit_price(self, event: Event) -> str:
        return money(event.price, event.currency) or "-"

    @admin.display(description=_("shopper"))
    def shopper(self, event: Event) -> Any:
        known = event.user_id or event.session_id
        if not known:
            return "-"
        return links.link(links.list_url(Event, q=known), known)

    @admin.display(description=_("in the catalogue"))
    def product_page(self, event: Event) -> Any:
        """The product as the catalogue has it now."""
        products = Product.objects.filter(market=event.market_id)
        found = products.filter(product_id=event.product_id).first() if event.product_id else None
        if found is None and event.sku:
            found = products.filter(sku=event.sku).first()
        return links.page_link(found)
