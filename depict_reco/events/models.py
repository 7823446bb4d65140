"""What people did: views, clicks, carts and purchases of a market."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market, Tenant


class EventType(models.TextChoices):
    """Kinds of event, named as on the wire; ``return`` is ours, for goods that came back.

    The wire's ``ws_click`` is the same click as its ``click``, and stored as that.
    """

    PAGE_VIEW = "page_view", _("page view")
    CLICK = "click", _("click")
    ADD_TO_CART = "add_to_cart", _("add to cart")
    PURCHASE = "purchase", _("purchase")
    ELEMENT_VISIBLE = "element_visible", _("element visible")
    RECOMMENDATIONS_INSERTED = "recommendations_inserted", _("recommendations inserted")
    RETURN = "return", _("return")
    TRANSACTION_MAPPING = "transaction_mapping", _("transaction mapping")
    PRODUCT_UNAVAILABLE = "product_unavailable", _("product unavailable")
    NATIVE_COLLECTION_CLICK = (
        "native_shopify_collection_click",
        _("click in a collection of the shop's own"),
    )
    NATIVE_COLLECTION_VIEW = (
        "native_shopify_collection_view",
        _("view of a collection of the shop's own"),
    )
    NATIVE_GRID_ITEM_CLICK = (
        "native_shopify_grid_item_click",
        _("click on a grid item of the shop's own"),
    )


class EventQuerySet(models.QuerySet["Event"]):
    def in_window(self, start: datetime | None, end: datetime | None = None) -> EventQuerySet:
        """Events from ``start`` (inclusive) to ``end`` (exclusive), oldest first."""
        events = self
        if start is not None:
            events = events.filter(time__gte=start)
        if end is not None:
            events = events.filter(time__lt=end)
        return events.order_by("time", "pk")

    def latest_arrived(self, count: int) -> EventQuerySet:
        """Those among the last so many of all events, by key: no index but the table's own."""
        newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
        return self.filter(pk__gt=(newest or 0) - count)

    def of_shopper(
        self, *, session_ids: Collection[str] = (), user_ids: Collection[str] = ()
    ) -> EventQuerySet:
        """All events of one person, who is known by any of these ids, in no order.

        For the newest few see ``events.shoppers``, which does not read the others.
        """
        return self.filter(
            Q(session_id__in=session_ids) | Q(dsid__in=session_ids) | Q(user_id__in=user_ids)
        ).order_by()

    def of_orders(self, transaction_ids: Collection[str]) -> EventQuerySet:
        """All events of these orders, in no order."""
        # said once more without a parameter: SQLite uses the index of orders only so
        literally = f"{self.model._meta.db_table}.transaction_id > ''"
        return self.filter(
            RawSQL(literally, (), output_field=models.BooleanField()),  # noqa: S611 - a constant
            transaction_id__in=transaction_ids,
        ).order_by()


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
    type = models.CharField(_("type"), max_length=40, choices=EventType.choices)
    time = models.DateTimeField(_("time"))
    session_id = models.CharField(_("session id"), max_length=255, blank=True)
    user_id = models.CharField(_("user id"), max_length=255, blank=True)
    dsid = models.CharField(  # noqa: DJ001 - null, so that SQLite too sees through the index
        _("Depict session id"),
        max_length=255,
        null=True,
        blank=True,
        help_text=_("Where it is a third id; else it is the session id."),
    )
    product_id = models.CharField(_("product id"), max_length=255, blank=True)
    sku = models.CharField(_("SKU"), max_length=255, blank=True)
    quantity = models.IntegerField(_("quantity"), default=1)
    price = models.DecimalField(
        _("unit price"), max_digits=14, decimal_places=4, null=True, blank=True
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    transaction_id = models.CharField(_("transaction id"), max_length=255, blank=True)
    recommendation_id = models.CharField(_("recommendation id"), max_length=255, blank=True)
    recommendation_type = models.CharField(
        _("recommendation type"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("What the page calls it; the recommendation id knows better."),
    )
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
            models.Index(
                fields=["market", "transaction_id"],
                condition=Q(transaction_id__gt=""),
                name="reco_event_transaction_idx",
            ),
            models.Index(
                fields=["market", "dsid"],
                condition=Q(dsid__isnull=False),
                name="reco_event_dsid_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.product_id or self.sku} {self.time:%Y-%m-%d %H:%M}"


class TrackingStatus(Event):
    """The events of a market as a page of the admin shows them: what arrives and what is amiss."""

    class Meta:
        proxy = True
        verbose_name = _("tracking status")
        verbose_name_plural = _("tracking status")
        default_permissions = ()  # it is for those who may look at events


class RefusalReason(models.TextChoices):
    """Why something that a client sent was not taken as it came."""

    INVALID = "invalid", _("not valid")
    NO_KEY = "no_key", _("no valid key, and no open origin")
    FORBIDDEN = "forbidden", _("not allowed to this key")
    UNKNOWN_TENANT = "unknown_tenant", _("unknown shop")
    UNKNOWN_MARKET = "unknown_market", _("unknown market")
    NO_MARKET = "no_market", _("no market named")
    TOO_LARGE = "too_large", _("too large")
    TOO_MANY = "too_many", _("too many requests")
    UNAVAILABLE = "unavailable", _("turned away while busy")
    CLOCK = "clock", _("clock is off; the time was put right")


class Refusal(models.Model):
    """One kind of request or event that was not taken as it came, and how often that happened.

    Kinds are few (see ``events.refusals``), and none holds anything that belongs to a shopper.
    """

    tenant = models.ForeignKey(
        Tenant,
        models.CASCADE,
        related_name="refusals",
        null=True,
        db_index=False,  # the index of times begins with it
        verbose_name=_("tenant"),
        help_text=_("Empty: the request named no shop that is known."),
    )
    market = models.CharField(_("market"), max_length=100, blank=True, help_text=_("As sent."))
    reason = models.CharField(_("reason"), max_length=20, choices=RefusalReason.choices)
    detail = models.CharField(
        _("detail"), max_length=200, blank=True, help_text=_("Such as the field that was wrong.")
    )
    count = models.PositiveBigIntegerField(_("count"), default=0)
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    fingerprint = models.CharField(max_length=32, unique=True, editable=False)

    class Meta:
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")
        default_permissions = ("view", "delete")
        indexes = [
            models.Index(fields=["tenant", "last_seen_at"], name="reco_refusal_seen_idx"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.market, self.reason, self.detail)))
