from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from depict_reco.models import (
    ApiKey,
    Artifact,
    Category,
    CurrentArtifact,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)

ROOT = "/management/v1"
RESOURCES = (
    "tenants", "markets", "types", "categories", "products", "feeds", "feed-runs",
    "training-runs", "artifacts",
)  # fmt: skip


@dataclass
class Shop:
    """A tenant with one row of every kind."""

    tenant: Tenant
    market: Market
    rows: dict[str, Any]
    """By the name of the resource."""

    def url(self, resource: str, *rest: str) -> str:
        return "/".join([ROOT, resource, str(self.rows[resource].pk), *rest])


def make_shop(slug: str) -> Shop:
    tenant = Tenant.objects.create(slug=slug, name=slug.title())
    market = Market.objects.create(
        tenant=tenant, slug="se", name="Sweden", currency="SEK", default_locale="sv-SE"
    )
    category = Category.objects.create(market=market, category_id="tea", name="Tea")
    product = Product.objects.create(market=market, product_id="pot", title="Teapot", price="99.5")
    product.categories.add(category)
    run = TrainingRun.objects.create(market=market, status=TrainingRun.Status.PUBLISHED)
    artifact = Artifact.objects.create(market=market, version="v1", path="p", training_run=run)
    CurrentArtifact.objects.create(market=market, artifact=artifact)
    feed = Feed.objects.create(market=market, name="main", source="https://shop.example/feed.csv")
    rows = {
        "tenants": tenant,
        "markets": market,
        "types": RecommendationType.objects.create(
            tenant=tenant, name="similar", kind="product", strategy="substitutes"
        ),
        "categories": category,
        "products": product,
        "feeds": feed,
        "feed-runs": FeedRun.objects.create(market=market, feed=feed, source=feed.source),
        "training-runs": run,
        "artifacts": artifact,
    }
    return Shop(tenant=tenant, market=market, rows=rows)


@pytest.fixture
def acme(db) -> Shop:
    return make_shop("acme")


@pytest.fixture
def other(db) -> Shop:
    """A second shop, with a market of the same slug and products of the same id."""
    return make_shop("other")


def client_with_key(shop: Shop, *scopes: str) -> APIClient:
    _, secret = ApiKey.objects.issue(shop.tenant, name="test", scopes=list(scopes))
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=secret)
    client.default_format = "json"
    return client


@pytest.fixture
def api(acme) -> APIClient:
    """A client with a key of acme's that opens the catalogue."""
    return client_with_key(acme, "catalog")


def staff_client(*permissions: str, **fields: Any) -> APIClient:
    user = get_user_model().objects.create_user("staff", is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = APIClient()
    client.force_login(user)
    client.default_format = "json"
    return client
