"""Whose shop it is: tenants, their markets, and the keys that open their API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, router, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants import secrets
from depict_reco.tenants.news import announce
from depict_reco.tenants.origins import normalize_origin

slug_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z",
    _("Use letters, digits, hyphens, underscores and dots; begin with a letter or digit."),
)


class ConfigurationQuerySet(models.QuerySet[Any]):
    """Rows whose change every serving process must learn of.

    ``tenant_path`` is the look-up from the row to its tenant.
    """

    tenant_path = "tenant_id"

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic(using=self.db):
            tenants = set(self.order_by().values_list(self.tenant_path, flat=True))
            count = super().update(**kwargs)
            Tenant.objects.using(self.db).touch(tenants)
        return count

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=self.db):
            tenants = set(self.order_by().values_list(self.tenant_path, flat=True))
            deleted = super().delete()
            Tenant.objects.using(self.db).touch(tenants)
        return deleted


class Counting(models.Model):
    """Base of rows with counters that other processes advance: saving one leaves them alone."""

    counters: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        # a row that was read before somebody advanced its counter must not turn it back
        if not self._state.adding and kwargs.get("update_fields") is None:
            left_alone = {*self.counters, *self.get_deferred_fields()}
            kwargs["update_fields"] = [
                field.name
                for field in self._meta.concrete_fields
                if not field.primary_key and field.attname not in left_alone
            ]
        super().save(*args, **kwargs)


class Configuration(models.Model):
    """Base of rows that belong to a tenant's configuration; saving one bumps its revision."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)
            self._touch_tenant()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic(using=kwargs.get("using")):
            deleted = super().delete(*args, **kwargs)
            self._touch_tenant()
        return deleted

    def _touch_tenant(self) -> None:
        Tenant.objects.touch({self.tenant_id})  # type: ignore[attr-defined]


class TenantQuerySet(models.QuerySet["Tenant"]):
    def active(self) -> TenantQuerySet:
        return self.filter(active=True)

    def touch(self, pks: set[int]) -> None:
        """Bump the revision of tenants, so that serving processes read their settings again."""
        if pks:
            models.QuerySet.update(self.filter(pk__in=pks), revision=F("revision") + 1)
            announce(router.db_for_write(Tenant))

    def update(self, **kwargs: Any) -> int:
        kwargs.setdefault("revision", F("revision") + 1)
        updated = super().update(**kwargs)
        announce(router.db_for_write(Tenant))
        return updated


class Tenant(Counting):
    """A shop: the owner of markets, products, events and keys."""

    counters = ("revision",)

    class StorefrontAccess(models.TextChoices):
        KEY_REQUIRED = "key", _("key required")
        OPEN_TO_ORIGINS = "origins", _("open to these origins")

    slug = models.CharField(
        _("slug"),
        max_length=100,
        unique=True,
        validators=[slug_validator],
        help_text=_("The name of the shop in requests: “tenant” in v2, “merchant” in v3."),
    )
    name = models.CharField(_("name"), max_length=200)
    active = models.BooleanField(
        _("active"), default=True, help_text=_("A closed shop's requests are refused.")
    )
    storefront_access = models.CharField(
        _("storefront access"),
        max_length=10,
        choices=StorefrontAccess.choices,
        default=StorefrontAccess.KEY_REQUIRED,
        help_text=_("Whether browsers may ask for recommendations without a key."),
    )
    origins = models.JSONField(
        _("origins"),
        default=list,
        blank=True,
        help_text=_("Origins of the shop's pages, such as https://shop.example."),
    )
    attribution_window_days = models.PositiveSmallIntegerField(
        _("attribution window"),
        default=30,
        db_default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=_("Days after a click in which a sale is credited to the recommendation."),
    )
    consent_required = models.BooleanField(
        _("consent required"),
        default=False,
        db_default=False,
        help_text=_(
            "Keep and use what shoppers do under their ids only where the request or event says "
            "that they consent. Without, events still count, without ids."
        ),
    )
    retention_days = models.JSONField(
        _("days that events are kept"),
        null=True,
        blank=True,
        help_text=_(
            "By type, such as {“page_view”: 400, “*”: 800}; “*” is all other types. "
            "Empty: as the setting EVENT_RETENTION_DAYS says."
        ),
    )
    revision = models.BigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)
            Tenant.objects.touch({self.pk})

    def clean(self) -> None:
        if not isinstance(self.origins, list):
            raise ValidationError({"origins": _("This must be a list of origins.")})
        try:
            self.origins = list(dict.fromkeys(normalize_origin(text) for text in self.origins))
        except ValueError as error:
            raise ValidationError({"origins": str(error)}) from None
        if self.storefront_access == self.StorefrontAccess.OPEN_TO_ORIGINS and not self.origins:
            raise ValidationError(
                {"origins": _("Name the origins that the storefront is open to.")}
            )
        days = self.retention_days
        if days is not None and not (
            isinstance(days, dict)
            and all(type(number) is int and number > 0 for number in days.values())
        ):
            raise ValidationError(
                {"retention_days": _("This must name a number of days, above 0, for each type.")}
            )


class MarketQuerySet(ConfigurationQuerySet):
    def active(self) -> MarketQuerySet:
        return self.filter(active=True, tenant__active=True)

    def advance(self, pk: int, counter: str) -> int:
        """Bump a revision counter of one market and return its new value.

        The row stays locked until the transaction ends, so that numbers become visible in
        their order. Call it inside a transaction, before the rows that it stands for.
        """
        models.QuerySet.update(self.filter(pk=pk), **{counter: F(counter) + 1})
        announce(router.db_for_write(Market))
        value: int = self.filter(pk=pk).values_list(counter, flat=True).get()
        return value


class Market(Configuration, Counting):
    """A country or channel of a tenant, with a catalogue, a currency and locales of its own."""

    counters = ("catalog_revision", "deletion_revision", "artifact_revision")

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="markets", verbose_name=_("tenant")
    )
    slug = models.CharField(_("slug"), max_length=100, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=200, blank=True)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        validators=[RegexValidator(r"\A[A-Z]{3}\Z", _("Use a three-letter ISO 4217 code."))],
    )
    default_locale = models.CharField(_("default locale"), max_length=35)
    locales = models.JSONField(
        _("further locales"), default=list, blank=True, help_text=_("Such as [“sv-FI”].")
    )
    active = models.BooleanField(_("active"), default=True)
    # names the catalogue in files, where the primary key of another database may be the same
    catalog_id = models.UUIDField(default=uuid4, editable=False)
    catalog_revision = models.BigIntegerField(default=1, editable=False)
    deletion_revision = models.BigIntegerField(default=0, editable=False)
    artifact_revision = models.BigIntegerField(default=0, editable=False)

    objects = MarketQuerySet.as_manager()

    class Meta:
        verbose_name = _("market")
        verbose_name_plural = _("markets")
        ordering = ["tenant", "slug"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "slug"], name="reco_market_slug"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}/{self.slug}"

    @property
    def all_locales(self) -> list[str]:
        """The default locale first, then the further ones."""
        return list(dict.fromkeys([self.default_locale, *self.locales]))

    def clean(self) -> None:
        if not isinstance(self.locales, list) or not all(
            isinstance(locale, str) and locale for locale in self.locales
        ):
            raise ValidationError({"locales": _("This must be a list of locale names.")})


class ApiKeyQuerySet(ConfigurationQuerySet):
    def live(self) -> ApiKeyQuerySet:
        """Keys that are neither revoked nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)

    def mark_used(self, pk: int, now: datetime, *, interval: float) -> None:
        """Note that a key was used, at most once per ``interval`` seconds over all processes."""
        unused_since = now - timedelta(seconds=interval)
        stale = self.filter(Q(last_used_at=None) | Q(last_used_at__lt=unused_since), pk=pk)
        models.QuerySet.update(stale, last_used_at=now)


class ApiKeyManager(models.Manager.from_queryset(ApiKeyQuerySet)):  # type: ignore[misc]
    def issue(
        self,
        tenant: Tenant,
        *,
        name: str,
        scopes: list[str],
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key; return it with its secret, which exists nowhere else afterwards."""
        secret = secrets.generate()
        key = self.model(
            tenant=tenant,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            hint=secrets.hint(secret),
            digest=secrets.digest(secret),
        )
        key.clean()
        key.save()
        return key, secret


class ApiKey(Configuration):
    """A secret that opens part of a tenant's API; only its digest is kept."""

    class Scope(models.TextChoices):
        RECOMMEND = "recommend", _("ask for recommendations")
        EVENTS = "events", _("send events")
        CATALOG = "catalog", _("manage the catalogue")
        EXPORT = "export", _("export data")
        PRIVACY = "privacy", _("erase and export a shopper's data")

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="api_keys", verbose_name=_("tenant")
    )
    name = models.CharField(_("name"), max_length=200, help_text=_("Who or what uses it."))
    scopes = models.JSONField(_("scopes"), default=list)
    hint = models.CharField(_("begins with"), max_length=20, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = ApiKeyManager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["tenant", "name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    def clean(self) -> None:
        known = set(self.Scope.values)
        if (
            not isinstance(self.scopes, list)
            or not self.scopes
            or not all(isinstance(scope, str) and scope in known for scope in self.scopes)
        ):
            raise ValidationError(
                {
                    "scopes": _("Choose at least one of: %(scopes)s.")
                    % {"scopes": ", ".join(self.Scope.values)}
                }
            )

    def revoke(self) -> None:
        """Close the key for ever; a second call changes nothing."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])
