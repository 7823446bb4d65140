"""The resources of the management API, except products, which have a module of their own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelValidationError
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.settings import api_settings

from depict_reco.api.management.access import visible_to
from depict_reco.catalog.records import nested_problem
from depict_reco.events.retention import days_complaint
from depict_reco.models import (
    Artifact,
    Category,
    Feed,
    FeedRun,
    Market,
    RecommendationType,
    Tenant,
    TrainingRun,
)


def find_tenant(context: Mapping[str, Any], slug: str | None) -> Tenant:
    """Return the tenant that a request writes to: a key's own, or the one that staff name."""
    tenants = visible_to(context["request"], Tenant.objects.all(), "pk")
    if slug is not None:
        tenants = tenants.filter(slug=slug)
    found = list(tenants[:2])
    if len(found) == 1:
        return found[0]
    reason = _("There is no such tenant.") if slug is not None else _("Name the tenant.")
    raise serializers.ValidationError({"tenant": [reason]})


def find_market(context: Mapping[str, Any], *, tenant: str | None, market: str) -> Market:
    """Return the market that a request names, among those that it may see."""
    named = Market.objects.select_related("tenant").filter(slug=market)
    markets = visible_to(context["request"], named, "tenant_id")
    if tenant is not None:
        markets = markets.filter(tenant__slug=tenant)
    found = list(markets[:2])
    if len(found) == 1:
        return found[0]
    if found:
        raise serializers.ValidationError(
            {"tenant": [_("Several tenants have this market; name the one that you mean.")]}
        )
    raise serializers.ValidationError({"market": [_("There is no such market.")]})


class TenantSlug(serializers.CharField):
    """The slug of a tenant; a key need not name its own."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(
            help_text="Slug of the tenant; a key may leave it out.", trim_whitespace=False, **kwargs
        )


class MarketSlug(serializers.CharField):
    """The slug of a market."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text="Slug of the market.", trim_whitespace=False, **kwargs)


class CheckedSerializer(serializers.ModelSerializer):
    """Validates as the model does, its ``clean`` and constraints included.

    ``fixed`` fields are given when a row is made and cannot be changed afterwards.
    """

    fixed: tuple[str, ...] = ()

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        if isinstance(self.instance, Model):
            for name in self.fixed:
                fields[name].read_only = True
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            self._refuse_changes()
        attrs = self.resolve(attrs)
        for name, value in attrs.items():
            if isinstance(value, (str, list, dict)) and (problem := nested_problem(value)):
                raise serializers.ValidationError({name: [problem]})
        model: type[Model] = self.Meta.model
        candidate = copy.copy(self.instance) if self.instance else model()
        for name, value in attrs.items():
            setattr(candidate, name, value)
        try:
            candidate.full_clean()
        except ModelValidationError as error:
            raise serializers.ValidationError(_by_field(error)) from None
        return {name: getattr(candidate, name) for name in attrs}

    def resolve(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn the slugs and ids of a request into rows."""
        return attrs

    def _refuse_changes(self) -> None:
        for name in self.fixed:
            if name in self.initial_data:
                field = self.fields[name]
                current = field.get_attribute(self.instance)
                if self.initial_data[name] != current:
                    raise serializers.ValidationError({name: [_("This cannot be changed.")]})


def _by_field(error: ModelValidationError) -> dict[str, list[str]]:
    reasons = dict(error.message_dict)
    if NON_FIELD_ERRORS in reasons:
        reasons[api_settings.NON_FIELD_ERRORS_KEY] = reasons.pop(NON_FIELD_ERRORS)
    return reasons


class OfMarketSerializer(CheckedSerializer):
    """Base of rows that belong to a market, which both slugs name."""

    tenant = TenantSlug(source="market.tenant.slug")
    market = MarketSlug(source="market.slug")

    def resolve(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (named := attrs.get("market")) is None:
            return attrs
        tenant = named.get("tenant", {}).get("slug")
        return {
            **attrs,
            "market": find_market(self.context, tenant=tenant, market=named["slug"]),
        }


class TenantSerializer(CheckedSerializer):
    fixed = ("slug",)

    origins = serializers.ListField(
        child=serializers.CharField(max_length=300),
        required=False,
        max_length=1000,
        help_text="Origins of the shop's pages, such as https://shop.example.",
    )
    retention_days = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=36_500),
        required=False,
        allow_null=True,
        help_text="Days that events are kept, by type; `*` is all types that are not named. "
        "Empty: as the installation's settings say.",
    )

    class Meta:
        model = Tenant
        fields = [
            "id", "slug", "name", "active", "storefront_access", "origins",
            "attribution_window_days", "consent_required", "retention_days", "created_at",
        ]  # fmt: skip
        read_only_fields = ["created_at"]

    def validate_retention_days(self, value: dict[str, int] | None) -> dict[str, int] | None:
        if value and (problem := days_complaint(value)):
            raise serializers.ValidationError(f"{problem[0].upper()}{problem[1:]}.")
        return value


class MarketSerializer(CheckedSerializer):
    fixed = ("tenant", "slug")

    tenant = TenantSlug(source="tenant.slug")
    locales = serializers.ListField(
        child=serializers.CharField(max_length=35),
        required=False,
        max_length=1000,
        help_text="Locales beside the default one.",
    )

    class Meta:
        model = Market
        fields = [
            "id", "tenant", "slug", "name", "currency", "default_locale", "locales", "active",
        ]  # fmt: skip

    def resolve(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            return attrs
        return {**attrs, "tenant": find_tenant(self.context, attrs.pop("tenant", {}).get("slug"))}


class RecommendationTypeSerializer(CheckedSerializer):
    fixed = ("tenant", "market")

    tenant = TenantSlug(source="tenant.slug")
    market = MarketSlug(source="market.slug", allow_null=True, required=False)
    parameters = serializers.DictField(
        required=False,
        help_text="`exclude_category_ids` and `chain`: lists of strings; `exploration`: 0 to 0.5.",
    )

    class Meta:
        model = RecommendationType
        fields = [
            "id", "tenant", "market", "name", "kind", "strategy", "parameters", "default_limit",
            "active",
        ]  # fmt: skip

    def resolve(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            return attrs
        tenant = find_tenant(self.context, attrs.pop("tenant", {}).get("slug"))
        market = (attrs.pop("market", None) or {}).get("slug")
        if market is not None:
            market = find_market(self.context, tenant=tenant.slug, market=market)
        return {**attrs, "tenant": tenant, "market": market}


class CategorySerializer(OfMarketSerializer):
    fixed = ("tenant", "market", "category_id")

    parent = serializers.CharField(  # type: ignore[assignment]  # Field.parent is another thing
        source="parent.category_id",
        allow_null=True,
        required=False,
        trim_whitespace=False,
        help_text="Category id of the parent.",
    )

    class Meta:
        model = Category
        fields = ["id", "tenant", "market", "category_id", "name", "parent", "page_url"]
        extra_kwargs = {"category_id": {"trim_whitespace": False}}

    def resolve(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().resolve(attrs)
        if "parent" not in attrs:
            return attrs
        category_id = (attrs["parent"] or {}).get("category_id")
        if category_id is None:
            return {**attrs, "parent": None}
        market = self.instance.market if self.instance else attrs["market"]
        parents = Category.objects.filter(market=market)
        parent = parents.filter(category_id=category_id).first()
        if parent is None:
            raise serializers.ValidationError({"parent": [_("There is no such category.")]})
        if self.instance is not None:
            _refuse_circle(self.instance, parent, dict(parents.values_list("pk", "parent_id")))
        return {**attrs, "parent": parent}


def _refuse_circle(category: Category, parent: Category, parents: Mapping[int, int | None]) -> None:
    unseen = dict(parents)  # so that a circle that stands already is walked once only
    above: int | None = parent.pk
    while above is not None:
        if above == category.pk:
            raise serializers.ValidationError(
                {"parent": [_("A category cannot lie inside itself.")]}
            )
        above = unseen.pop(above, None)


class FeedSerializer(OfMarketSerializer):
    fixed = ("tenant", "market")

    source = serializers.CharField(  # type: ignore[assignment]  # Field.source is another thing
        max_length=2000,
        help_text="An http(s) address. Feeds from files of the server are set up in the admin. "
        "Passwords and tokens in it are shown as `***`; sent back so, they stay as they are.",
    )
    mapping = serializers.DictField(
        child=serializers.CharField(max_length=255),
        required=False,
        help_text="Our field → the feed's column, where the names differ.",
    )

    class Meta:
        model = Feed
        fields = ["id", "tenant", "market", "name", "source", "format", "mapping", "full", "active"]

    def validate_source(self, source: str) -> str:
        # A key must not read files of this machine. One that an admin set up may stay.
        if self.instance is not None:
            stored: str = self.instance.source
            if source in (stored, self.instance.shown_source):
                return stored
        try:
            parts = urlsplit(source)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise serializers.ValidationError(_("Use an http(s) address."))
        return source

    def to_representation(self, instance: Feed) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown | {"source": instance.shown_source}


class FeedRunSerializer(serializers.ModelSerializer):
    tenant = TenantSlug(source="market.tenant.slug", read_only=True)
    market = MarketSlug(source="market.slug", read_only=True)
    rejections = serializers.ListField(
        child=serializers.DictField(),
        read_only=True,
        help_text="The first rejected rows, each with line, field and reason.",
    )

    class Meta:
        model = FeedRun
        fields = [
            "id", "tenant", "market", "feed", "source", "status", "full", "started_at",
            "finished_at", "created", "updated", "unchanged", "rejected", "deactivated",
            "rejections", "message",
        ]  # fmt: skip
        read_only_fields = fields


class TrainingRunSerializer(serializers.ModelSerializer):
    tenant = TenantSlug(source="market.tenant.slug", read_only=True)
    market = MarketSlug(source="market.slug", read_only=True)
    metrics = serializers.DictField(read_only=True, help_text="Measured accuracy.")

    class Meta:
        model = TrainingRun
        fields = [
            "id", "tenant", "market", "status", "stage", "started_at", "heartbeat_at",
            "finished_at", "events", "products", "metrics", "message",
        ]  # fmt: skip
        read_only_fields = fields


class ArtifactSerializer(serializers.ModelSerializer):
    tenant = TenantSlug(source="market.tenant.slug", read_only=True)
    market = MarketSlug(source="market.slug", read_only=True)
    current = serializers.BooleanField(
        read_only=True, help_text="Whether the market is answered from it."
    )
    manifest = serializers.DictField(
        read_only=True, help_text="What the model was made of and how it measured."
    )

    class Meta:
        model = Artifact
        fields = [
            "id", "tenant", "market", "version", "current", "training_run", "manifest",
            "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class MarketChoiceSerializer(serializers.Serializer):
    """Which market an act is for."""

    tenant = TenantSlug(write_only=True)
    market = MarketSlug()
