"""What can be recommended: the products of a market and the tree of its categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market


@contextmanager
def catalog_change(market_pk: int, *, deletes: bool = False) -> Iterator[int]:
    """Open a transaction that changes a market's catalogue; yield the revision of its rows.

    Everything that writes products or categories does it inside, and writes the yielded number
    into the ``revision`` of each product it touches, so that every serving process can read
    just what has changed. ``deletes`` says that rows disappear.
    """
    with transaction.atomic():
        revision = Market.objects.advance(market_pk, "catalog_revision")
        yield revision
        if deletes:
            models.QuerySet.update(Market.objects.filter(pk=market_pk), deletion_revision=revision)


class CategoryQuerySet(models.QuerySet["Category"]):
    def delete(self) -> tuple[int, dict[str, int]]:
        total = 0
        by_model: dict[str, int] = {}
        for market_pk in set(self.order_by().values_list("market_id", flat=True)):
            with catalog_change(market_pk, deletes=True):
                count, counts = super(CategoryQuerySet, self.filter(market=market_pk)).delete()
            total += count
            for name, number in counts.items():
                by_model[name] = by_model.get(name, 0) + number
        return total, by_model


class Category(models.Model):
    """A category of a market; categories form a tree."""

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="categories", verbose_name=_("market")
    )
    category_id = models.CharField(_("category id"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        related_name="children",
        null=True,
        blank=True,
        verbose_name=_("parent"),
    )
    page_url = models.TextField(_("page URL"), blank=True)

    objects = CategoryQuerySet.as_manager()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["market", "name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["market", "category_id"], name="reco_category_id"),
        ]

    def __str__(self) -> str:
        return self.name or self.category_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        with catalog_change(self.market_id):
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with catalog_change(self.market_id, deletes=True):
            return super().delete(*args, **kwargs)


class ProductQuerySet(models.QuerySet["Product"]):
    def recommendable(self) -> ProductQuerySet:
        """Products that may be shown: in the feed, in stock, not hidden."""
        return self.filter(active=True, hidden=False, in_stock=True)

    def changed_since(self, revision: int) -> ProductQuerySet:
        return self.filter(revision__gt=revision)

    def withdrawn_since(self, moment: datetime) -> ProductQuerySet:
        """Products that an event took out of answers, whether or not a feed put them back."""
        return self.filter(withdrawn_at__gte=moment, updated_at__gte=moment)  # it has an index

    def change(self, **fields: Any) -> int:
        """Update these products in bulk so that every serving process learns of it."""
        changed = 0
        for market_pk in set(self.order_by().values_list("market_id", flat=True)):
            with catalog_change(market_pk) as revision:
                changed += self.filter(market=market_pk).update(
                    revision=revision, updated_at=timezone.now(), **fields
                )
        return changed

    def delete(self) -> tuple[int, dict[str, int]]:
        total = 0
        by_model: dict[str, int] = {}
        for market_pk in set(self.order_by().values_list("market_id", flat=True)):
            with catalog_change(market_pk, deletes=True):
                count, counts = super(ProductQuerySet, self.filter(market=market_pk)).delete()
            total += count
            for name, number in counts.items():
                by_model[name] = by_model.get(name, 0) + number
        return total, by_model

    def with_ids(self, product_ids: Iterable[str]) -> ProductQuerySet:
        return self.filter(product_id__in=list(product_ids))


class Product(models.Model):
    """One sellable product of a market, at the lowest level: one per size, if there are sizes.

    Products with the same ``item_group_id`` are variants of one another; a product without one
    is a group of its own, named by its ``product_id``.
    """

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="products", verbose_name=_("market")
    )
    product_id = models.CharField(_("product id"), max_length=255)
    sku = models.CharField(
        _("SKU"), max_length=255, blank=True, help_text=_("The id that order lines name.")
    )
    item_group_id = models.CharField(_("item group id"), max_length=255, blank=True)
    main_product_id = models.CharField(_("main product id"), max_length=255, blank=True)
    title = models.CharField(_("title"), max_length=1000)
    description = models.TextField(_("description"), blank=True)
    brand = models.CharField(_("brand"), max_length=255, blank=True)
    categories = models.ManyToManyField(
        Category, related_name="products", blank=True, verbose_name=_("categories")
    )
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=4, null=True, blank=True)
    sale_price = models.DecimalField(
        _("sale price"),
        max_digits=14,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("Empty when the product is not on sale."),
    )
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, help_text=_("Empty: the market's.")
    )
    image_url = models.TextField(_("image URL"), blank=True)
    additional_image_urls = models.JSONField(_("additional image URLs"), default=list, blank=True)
    page_url = models.TextField(_("page URL"), blank=True)
    in_stock = models.BooleanField(_("in stock"), default=True)
    quantity = models.BigIntegerField(_("quantity"), null=True, blank=True)
    attributes = models.JSONField(_("custom attributes"), default=dict, blank=True)
    texts = models.JSONField(
        _("texts per locale"),
        default=dict,
        blank=True,
        help_text=_("Per locale: title, description and page_url."),
    )
    hidden = models.BooleanField(
        _("hidden"), default=False, help_text=_("Never recommended; feeds leave this alone.")
    )
    active = models.BooleanField(
        _("active"), default=True, help_text=_("False once a full feed no longer has it.")
    )
    withdrawn_at = models.DateTimeField(
        _("withdrawn"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When an event last said that it cannot be bought."),
    )
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)
    revision = models.BigIntegerField(default=0, editable=False)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["market", "product_id"], name="reco_product_id"),
        ]
        indexes = [
            models.Index(fields=["market", "revision"], name="reco_product_revision_idx"),
            models.Index(fields=["market", "sku"], name="reco_product_sku_idx"),
            models.Index(fields=["market", "item_group_id"], name="reco_product_group_idx"),
            models.Index(fields=["market", "updated_at"], name="reco_product_updated_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.product_id})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        with catalog_change(self.market_id) as revision:
            self.revision = revision
            self.updated_at = timezone.now()
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "revision", "updated_at"}
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with catalog_change(self.market_id, deletes=True):
            return super().delete(*args, **kwargs)

    @property
    def group_id(self) -> str:
        """The item group that the product stands for in recommendations."""
        return self.item_group_id or self.product_id

    @property
    def current_price(self) -> Decimal | None:
        """What a shopper pays."""
        return self.price if self.sale_price is None else self.sale_price
