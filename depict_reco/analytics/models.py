"""What came of the recommendations: daily counters, and what they are kept right with."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market

REVENUE_DIGITS, REVENUE_PLACES = 30, 4


class Credited(models.TextChoices):
    """How a sale is connected with a recommendation."""

    DIRECT = "direct", _("the product that was recommended, or one of its item group")
    ASSISTED = "assisted", _("another product, by the same shopper")
    NONE = "none", _("no recommendation")


class RollupQuerySet(models.QuerySet["Rollup"]):
    def live(self) -> RollupQuerySet:
        """The rollup that reports read; there is none before the first one."""
        return self.filter(live=True)


class Rollup(models.Model):
    """One computation of the counters from the events, and how far it has come.

    Every row of the other tables here belongs to one. A second one is built beside the live one
    when everything is computed anew, and takes its place when it has caught up.
    """

    mark = models.BigIntegerField(default=0)
    """Primary key of the last event that is counted."""
    revision = models.BigIntegerField(default=0)
    """Counts the steps; a step that finds another number than it began with is done again."""
    live = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=64)
    """Whose days the counters are of."""
    closed_before = models.DateField(null=True)
    """Earlier days keep the figures of the rollup before this one."""
    closed_of = models.JSONField(null=True)
    """The same of single tenants, as days by primary key, where it is later."""
    created_at = models.DateTimeField(default=timezone.now)
    advanced_at = models.DateTimeField(null=True)
    """When events were last looked for and all found were counted."""

    objects = RollupQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["live"], condition=Q(live=True), name="reco_live_rollup"
            )
        ]

    def __str__(self) -> str:
        return f"rollup {self.pk} up to event {self.mark}"

    @property
    def has_closed_days(self) -> bool:
        return self.closed_before is not None or bool(self.closed_of)

    def closed_before_of(self, tenant_pk: int) -> date | None:
        """Return before which day a tenant's figures stay as they are; None: before none."""
        own = (self.closed_of or {}).get(str(tenant_pk))
        days = [self.closed_before, date.fromisoformat(own) if own else None]
        return max((day for day in days if day is not None), default=None)


class DailyCounterQuerySet(models.QuerySet["DailyCounter"]):
    def live(self) -> DailyCounterQuerySet:
        return self.filter(rollup__live=True)


class DailyCounter(models.Model):
    """What the recommendations at one place brought on one day.

    Sales that no recommendation is credited with stand in a row of type 0, so that all rows
    together are all sales. Numbers other than sales have no currency.
    """

    rollup = models.ForeignKey(Rollup, models.CASCADE, related_name="counters", db_index=False)
    market = models.ForeignKey(Market, models.CASCADE, related_name="daily_counters")
    day = models.DateField(_("day"))
    type_pk = models.BigIntegerField(default=0)
    """No foreign key: figures outlive the type."""
    type_name = models.CharField(max_length=100, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    """1 is the first display of an answer."""
    variant = models.PositiveSmallIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    visible = models.BigIntegerField(default=0)
    clicks = models.BigIntegerField(default=0)
    direct_carts = models.BigIntegerField(default=0)
    assisted_carts = models.BigIntegerField(default=0)
    direct_orders = models.BigIntegerField(default=0)
    assisted_orders = models.BigIntegerField(default=0)
    other_orders = models.BigIntegerField(default=0)
    direct_revenue = models.DecimalField(
        max_digits=REVENUE_DIGITS, decimal_places=REVENUE_PLACES, default=0
    )
    assisted_revenue = models.DecimalField(
        max_digits=REVENUE_DIGITS, decimal_places=REVENUE_PLACES, default=0
    )
    other_revenue = models.DecimalField(
        max_digits=REVENUE_DIGITS, decimal_places=REVENUE_PLACES, default=0
    )

    objects = DailyCounterQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("daily counter")
        verbose_name_plural = _("daily counters")
        constraints = [
            models.UniqueConstraint(
                fields=["rollup", "market", "day", "type_pk", "position", "variant", "currency"],
                name="reco_daily_counter",
            )
        ]

    def __str__(self) -> str:
        return f"{self.market_id} {self.day} {self.type_name} {self.position}"


class Results(DailyCounter):
    """The daily counters as a page of the admin shows them: what recommendations brought."""

    class Meta:
        proxy = True
        verbose_name = _("results")
        verbose_name_plural = _("results")
        default_permissions = ()  # it is for those who may look at daily counters


class ServedCount(models.Model):
    """About how many displays were sent at one place on one day; see docs/analytics.md."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="served_counts")
    day = models.DateField(_("day"))
    type_pk = models.BigIntegerField()
    type_name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    variant = models.PositiveSmallIntegerField(default=0)
    served = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["market", "day", "type_pk", "position", "variant"],
                name="reco_served_count",
            )
        ]

    def __str__(self) -> str:
        return f"{self.market_id} {self.day} {self.type_name} {self.position}: {self.served}"


class Credit(models.Model):
    """What one event of a sale adds to the counters, to be taken off again if more comes to light.

    It names no shopper. ``order_key`` is a hash, by which the events of an order are found.
    """

    class Kind(models.TextChoices):
        CART = "cart"
        LINE = "line"
        RETURN = "return"
        MAPPING = "mapping"

    rollup = models.ForeignKey(Rollup, models.CASCADE, related_name="credits", db_index=False)
    market = models.ForeignKey(Market, models.CASCADE, related_name="+", db_index=False)
    event_pk = models.BigIntegerField()
    kind = models.CharField(max_length=7, choices=Kind.choices)
    order_key = models.BigIntegerField(default=0)
    credited = models.CharField(max_length=8, choices=Credited.choices, default=Credited.NONE)
    day = models.DateField()
    type_pk = models.BigIntegerField(default=0)
    position = models.PositiveSmallIntegerField(default=0)
    variant = models.PositiveSmallIntegerField(default=0)
    touched_at = models.DateTimeField(null=True)
    """When the shopper was at the recommendation."""
    currency = models.CharField(max_length=3, blank=True)
    revenue = models.DecimalField(
        max_digits=REVENUE_DIGITS, decimal_places=REVENUE_PLACES, default=0
    )
    counts = models.BooleanField(default=False)
    """Whether it stands for the cart event, or for its whole order."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["rollup", "event_pk"], name="reco_credit_event")
        ]
        indexes = [
            models.Index(
                fields=["rollup", "market", "kind", "order_key"], name="reco_credit_order_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of event {self.event_pk}"


class CountedClick(models.Model):
    """A display that one shopper has clicked, so that it counts once, on its first day."""

    rollup = models.ForeignKey(Rollup, models.CASCADE, related_name="clicks", db_index=False)
    market = models.ForeignKey(Market, models.CASCADE, related_name="+", db_index=False)
    key = models.BigIntegerField()
    """Hash of the recommendation id and the shopper."""
    day = models.DateField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["rollup", "market", "key"], name="reco_counted_click")
        ]

    def __str__(self) -> str:
        return f"click {self.key} on {self.day}"
