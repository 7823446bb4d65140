"""The named placements that a shop asks recommendations for."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from depict_reco.exceptions import TypeKeyError
from depict_reco.serving.strategies import Strategy, validate_parameters
from depict_reco.tenants.models import Configuration, ConfigurationQuerySet, Market, Tenant

MAX_LIMIT = 128
MAX_TYPE_PK = (1 << 20) - 1
"""Recommendation ids have room for no greater one."""


def require_room(type_pk: int) -> None:
    """Raise TypeKeyError unless recommendation ids have room for the primary key of a type."""
    if type_pk > MAX_TYPE_PK:
        raise TypeKeyError(
            f"Recommendation ids have room for types with keys up to {MAX_TYPE_PK:,}, and this one "
            f"would get {type_pk:,}: set the sequence of the table back to a number that is free."
        )


class RecommendationTypeQuerySet(ConfigurationQuerySet):
    def active(self) -> RecommendationTypeQuerySet:
        return self.filter(active=True)


class RecommendationType(Configuration):
    """A recommendation type: the name that a request gives, and how it is answered.

    A type of one market hides the tenant's type of the same name in that market.
    """

    class Kind(models.TextChoices):
        USER_ONLY = "user_only", _("nothing but the shopper")
        PRODUCT = "product", _("one product")
        CATEGORY = "category", _("a category")
        MULTI_PRODUCT = "multi_product", _("several products")

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="recommendation_types", verbose_name=_("tenant")
    )
    market = models.ForeignKey(
        Market,
        models.CASCADE,
        related_name="recommendation_types",
        null=True,
        blank=True,
        verbose_name=_("market"),
        help_text=_("Empty: all markets of the tenant."),
    )
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(
        _("kind"),
        max_length=20,
        choices=Kind.choices,
        help_text=_("What the placement is about; any type answers on any endpoint."),
    )
    strategy = models.CharField(_("strategy"), max_length=30, choices=Strategy.choices)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    default_limit = models.PositiveSmallIntegerField(
        _("default limit"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_LIMIT)],
    )
    active = models.BooleanField(_("active"), default=True)

    objects = RecommendationTypeQuerySet.as_manager()

    class Meta:
        verbose_name = _("recommendation type")
        verbose_name_plural = _("recommendation types")
        ordering = ["tenant", "name", "market"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "market", "name"], name="reco_type_name"),
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=models.Q(market=None),
                name="reco_type_name_all_markets",
            ),
        ]

    def __str__(self) -> str:
        return self.name if self.market is None else f"{self.name} ({self.market.slug})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)
            require_room(self.pk)

    def clean(self) -> None:
        if self.market is not None and self.market.tenant_id != self.tenant_id:
            raise ValidationError({"market": _("The market belongs to another tenant.")})
        try:
            validate_parameters(self.parameters)
        except ValueError as error:
            raise ValidationError({"parameters": str(error)}) from None
