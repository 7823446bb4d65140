"""What people did: views, clicks, carts and purchases of a market."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market, Tenant


class EventType(models.TextChoices):
    """Kinds of event, named as on the wire; the last is ours, for goods that came back."""

    PAGE_VIEW = "page_view", _("page view")
    CLICK = "click", _("click")
    ADD_TO_CART = "add_to_cart", _("add to cart")
    PURCHASE = "purchase", _("purchase")
    ELEMENT_VISIBLE = "element_visible", _("element visible")
    RECOMMENDATIONS_INSERTED = "recommendations_inserted", _("recommendations inserted")
    RETURN = "return", _("return")


class EventQuerySet(models.QuerySet["Event"]):
    def in_window(self, start: datetime | None, end: datetime | None = None) -> EventQuerySet:
        """Events from ``start`` (inclusive) to ``end`` (exclusive), oldest first."""
        events = self
        if start is not None:
            events = events.filter(time__gte=start)
        if end is not None:
            events = events.filter(time__lt=end)
        return events.order_by("time", "pk")

    def of_shopper(
        self, *, session_ids: Collection[str] = (), user_ids: Collection[str] = ()
    ) -> EventQuerySet:
        """All events of one person, who is known by any of these ids, in no order.

        For the newest few see ``events.shoppers``, which does not read the others.
        """
        return self.filter(Q(session_id__in=session_ids) | Q(user_id__in=user_ids)).order_by()


class Event(models.Model):
    """One thing that one shopper did with one product.

    Products are named by the ids that the shop uses, not by foreign key: an event may come
    before its product does. Unknown text is an empty string.
    """

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="events", verbose_name=_("tenant")
    )
    market = models.ForeignKey(
        Market,
        models.CASCADE,
        related_name="events",
        verbose_name=_("market"),
        db_index=False,  # every index of events but the tenant's begins with it
    )
    type = models.CharField(_("type"), max_length=30, choices=EventType.choices)
    time = models.DateTimeField(_("time"))
    session_id = models.CharField(_("session id"), max_length=255, blank=True)
    user_id = models.CharField(_("user id"), max_length=255, blank=True)
    product_id = models.CharField(_("product id"), max_length=255, blank=True)
    sku = models.CharField(_("SKU"), max_length=255, blank=True)
    quantity = models.IntegerField(_("quantity"), default=1)
    price = models.DecimalField(
        _("unit price"), max_digits=14, decimal_places=4, null=True, blank=True
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    transaction_id = models.CharField(_("transaction id"), max_length=255, blank=True)
    recommendation_id = models.CharField(_("recommendation id"), max_length=255, blank=True)
    deduplication_id = models.CharField(
        _("deduplication id"), max_length=255, help_text=_("Equal on every copy of one event.")
    )
    received_at = models.DateTimeField(_("received"), default=timezone.now, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(
                fields=["market", "deduplication_id"], name="reco_event_deduplication"
            ),
        ]
        # No conditions on bound parameters: SQLite would not use such an index. Not descending
        # ones: it reads them backwards, ids included, only so.
        indexes = [
            models.Index(fields=["market", "time", "id"], name="reco_event_window_idx"),
            models.Index(fields=["market", "session_id", "time"], name="reco_event_session_idx"),
            models.Index(fields=["market", "user_id", "time"], name="reco_event_user_idx"),
            models.Index(
                # what one person bought in years, past thousands of views
                fields=["market", "user_id", "time"],
                condition=Q(type__in=["purchase", "return"]),
                name="reco_event_bought_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.product_id or self.sku} {self.time:%Y-%m-%d %H:%M}"
