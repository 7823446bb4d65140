"""Pages of products."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.bulk_changes import HIDE, RESTOCK, SELL_OUT, UNHIDE, BulkChange
from depict_reco.admin.categories import CATEGORY_LOOKUP, InMarketForm
from depict_reco.admin.fields import JsonField, ListField, PriceField
from depict_reco.admin.filters import CategoryFilter, MarketFilter, MarketTenantFilter, TextFilter
from depict_reco.admin.lookups import LookupAdmin, LookupSelectMultiple
from depict_reco.admin.preview import may_try, try_product_view
from depict_reco.admin.tables import day, money
from depict_reco.models import Product

_TEXT_FIELDS = {"title", "description", "page_url"}


class ProductForm(InMarketForm):
    additional_image_urls = ListField(
        label=_("Additional image URLs"), help_text=_("One per line.")
    )
    price = PriceField(label=_("Price"))
    sale_price = PriceField(
        label=_("Sale price"), help_text=_("Empty when the product is not on sale.")
    )
    attributes = JsonField(
        label=_("Custom attributes"),
        help_text=_("A JSON object: what the feed says beyond the fields above."),
    )
    texts = JsonField(
        label=_("Texts per locale"),
        help_text=_('Such as {"sv-SE": {"title": "…", "description": "…", "page_url": "…"}}.'),
    )

    def clean_texts(self) -> dict[str, dict[str, str]]:
        texts = self.cleaned_data["texts"]
        for locale, fields in texts.items():
            if not isinstance(fields, dict) or not all(isinstance(t, str) for t in fields.values()):
                raise ValidationError(
                    _("Each locale holds an object of texts; see “%(locale)s”."),
                    params={"locale": locale},
                )
            if unknown := sorted(set(fields) - _TEXT_FIELDS):
                raise ValidationError(
                    _("Unknown text “%(name)s” of “%(locale)s”; known are %(known)s."),
                    params={
                        "name": unknown[0],
                        "locale": locale,
                        "known": ", ".join(sorted(_TEXT_FIELDS)),
                    },
                )
        return texts

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.refuse_foreign("categories", list(cleaned.get("categories") or ()))
        return cleaned


class BrandFilter(TextFilter):
    title = _("brand")
    parameter_name = "brand"


class GroupFilter(TextFilter):
    title = _("item group id")
    parameter_name = "item_group_id"


@admin.register(Product)
class ProductAdmin(LookupAdmin):
    form = ProductForm
    list_display = ["thumbnail", "title", "product_id", "brand", "price_shown", "stock",
                    "shown", "market", "updated"]  # fmt: skip
    list_display_links = ["thumbnail", "title"]
    list_filter = [MarketTenantFilter, MarketFilter, CategoryFilter, "in_stock", "hidden",
                   "active", BrandFilter, GroupFilter]  # fmt: skip
    related = ("market__tenant",)
    search_fields = ["product_id__startswith", "sku__startswith", "title__icontains"]
    search_help_text = _("Words of the title, or the beginning of a product id or SKU.")
    ordering = ["-pk"]
    sortable_by = ["title", "product_id", "brand", "price_shown", "updated"]
    autocomplete_fields = ["market"]
    kept_fields = ("market", "product_id")
    readonly_fields = ["large_picture", "shop_page", "first_seen_at", "updated_at"]
    actions = ["hide", "unhide", "restock", "sell_out"]
    detail_actions = (("hide", _("Hide")), ("unhide", _("Show again")))
    save_on_top = True
    lookup_ordering = ("title", "pk")
    fieldsets = [
        (None, {"fields": ["large_picture", "title", "market", "product_id", "brand", "hidden",
                           "active"]}),
        (_("Price and stock"), {"fields": [("price", "sale_price", "currency"),
                                           ("in_stock", "quantity")]}),
        (_("Categories and ids"), {"fields": ["categories", "sku", "item_group_id",
                                              "main_product_id"]}),
        (_("Page and pictures"), {"fields": ["page_url", "shop_page", "image_url",
                                             "additional_image_urls"]}),
        (_("Texts and attributes"), {"fields": ["description", "texts", "attributes"]}),
        (_("Times"), {"fields": [("first_seen_at", "updated_at")]}),
    ]  # fmt: skip

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        for name in ("title", "page_url", "image_url"):
            if name in form.base_fields:
                form.base_fields[name].widget = AdminTextInputWidget({"class": "vLargeTextField"})
        if "categories" in form.base_fields:
            market = None if obj is None else obj.market_id
            field = form.base_fields["categories"]
            field.widget = LookupSelectMultiple(url_name=CATEGORY_LOOKUP, market=market)
            field.widget.choices = field.choices  # type: ignore[attr-defined]
            field.help_text = _("Type to search among the market's categories.")
        return form

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_out)
        return [path("<int:pk>/try/", view, name="depict_reco_product_try"), *super().get_urls()]

    def try_out(self, request: HttpRequest, pk: int) -> HttpResponse:
        return try_product_view(self, request, pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        shown = []
        if object_id.isdigit() and may_try(self, request):
            shown = [(reverse("admin:depict_reco_product_try", args=[object_id]), _("Try it"))]
        context = {**(extra_context or {}), "detail_links": shown}
        return super().change_view(request, object_id, form_url, context)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Ids may hold blanks and quotes: the whole term counts as one, too."""
        words, may_repeat = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        if any(blank in term for blank in " \"'"):
            words |= queryset.filter(Q(product_id=term) | Q(sku=term))
        return words, may_repeat

    def lookup_text(self, row: Product, *, in_market: bool) -> str:
        return str(row) if in_market else f"{row} · {row.market}"

    def lookup_value(self, row: Product) -> str:
        return row.product_id

    def is_sensible(self, action: str, row: Product) -> bool:
        return row.hidden == (action == "unhide")

    @admin.display(description=_("picture"))
    def thumbnail(self, product: Product) -> Any:
        return links.picture(product.image_url, css_class="reco-thumbnail") or "-"

    @admin.display(description=_("picture"))
    def large_picture(self, product: Product) -> Any:
        return links.picture(product.image_url, css_class="reco-picture") or "-"

    @admin.display(description=_("in the shop"))
    def shop_page(self, product: Product) -> Any:
        return links.shop_link(product.page_url, _("Open the product's page")) or "-"

    @admin.display(description=_("updated"), ordering="updated_at")
    def updated(self, product: Product) -> str:
        return day(product.updated_at)

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, product: Product) -> Any:
        currency = product.currency or product.market.currency
        price = money(product.price, currency) or "-"
        if product.sale_price is None or product.sale_price == product.price:
            return price
        return format_html(
            "<del>{}</del> <ins>{}</ins>", price, money(product.sale_price, currency)
        )

    @admin.display(description=_("stock"))
    def stock(self, product: Product) -> Any:
        if not product.in_stock:
            return format_html('<span class="reco-off">{}</span>', _("sold out"))
        return _("in stock") if product.quantity is None else f"{product.quantity:,}"

    @admin.display(description=_("shown"), boolean=True)
    def shown(self, product: Product) -> bool:
        return product.active and not product.hidden and product.in_stock

    @admin.action(description=_("Hide selected products"), permissions=["change"])
    def hide(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        return self._change(request, queryset, HIDE)

    @admin.action(description=_("Show selected products again"), permissions=["change"])
    def unhide(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        return self._change(request, queryset, UNHIDE)

    @admin.action(description=_("Mark selected products as in stock"), permissions=["change"])
    def restock(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        return self._change(request, queryset, RESTOCK)

    @admin.action(description=_("Mark selected products as sold out"), permissions=["change"])
    def sell_out(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        return self._change(request, queryset, SELL_OUT)

    def _change(
        self, request: HttpRequest, queryset: Any, change: BulkChange
    ) -> HttpResponse | None:
        """Change what is not so yet; a choice over all pages is asked about first."""
        changing = queryset.exclude(**change.fields)
        if request.POST.get("select_across") == "1" and (
            page := self.ask(
                request,
                changing,
                action=change.action,
                question=change.question % {"n": changing.order_by().count()},
                button=_("Yes, do it"),
            )
        ):
            return page
        with transaction.atomic():
            self.log_changes(request, changing, str(change.logged))
            number = changing.change(**change.fields)
        self.message_user(request, change.done % {"n": number}, messages.SUCCESS)
        return None
