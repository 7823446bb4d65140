"""A shop with something of everything, and people with different rights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from depict_reco.models import (
    ApiKey,
    Artifact,
    Category,
    CurrentArtifact,
    Event,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    tenant: Tenant
    market: Market
    key: ApiKey
    category: Category
    product: Product
    feed: Feed
    feed_run: FeedRun
    event: Event
    training_run: TrainingRun
    artifact: Artifact
    kind: RecommendationType


def build_shop(slug: str) -> Shop:
    """Return a tenant with one row of each model."""
    tenant = Tenant.objects.create(slug=slug, name=slug.title())
    market = Market.objects.create(
        tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE", locales=["en-GB"]
    )
    key, _secret = ApiKey.objects.issue(tenant, name="Shop", scopes=["recommend"])
    category = Category.objects.create(market=market, category_id="tea", name="Tea")
    product = Product.objects.create(
        market=market,
        product_id="pot",
        title="Teapot",
        brand="Höganäs",
        price=Decimal("299.5"),
        sale_price=Decimal("199"),
        image_url="https://img.example/pot.jpg",
        page_url="https://shop.example/pot",
    )
    product.categories.add(category)
    feed = Feed.objects.create(market=market, name="Main", source="https://u:pw@shop.example/feed")
    feed_run = FeedRun.objects.create(
        market=market,
        feed=feed,
        source="https://u:***@shop.example/feed",
        status="succeeded",
        finished_at=NOON,
        started_at=NOON - timedelta(seconds=90),
        rejected=2,
        rejections=[{"line": 7, "product_id": "cup", "field": "price", "reason": "<b>abc</b>"}],
    )
    event = Event.objects.create(
        tenant=tenant,
        market=market,
        type="purchase",
        time=NOON,
        session_id="session-1",
        user_id="user-1",
        product_id="pot",
        price=Decimal("199"),
        currency="SEK",
        transaction_id="order-1",
        deduplication_id="1",
    )
    run = TrainingRun.objects.create(
        market=market,
        status="published",
        finished_at=NOON,
        metrics={"next": {"hr@20": 0.4545}, "basket": {"hr@20": 0.259}},
    )
    artifact = Artifact.objects.create(
        market=market,
        version="v1",
        path=f"{slug}/v1",
        training_run=run,
        manifest={"products": 1, "accuracy": {"next": {"hr@20": 0.4545}}, "model": {"a": {"b": 1}}},
    )
    CurrentArtifact.objects.create(market=market, artifact=artifact)
    kind = RecommendationType.objects.create(
        tenant=tenant, name="similar", kind="product", strategy="substitutes"
    )
    return Shop(
        tenant=tenant,
        market=market,
        key=key,
        category=category,
        product=product,
        feed=feed,
        feed_run=feed_run,
        event=event,
        training_run=run,
        artifact=artifact,
        kind=kind,
    )


@pytest.fixture
def shop(db) -> Shop:
    return build_shop("acme")


@pytest.fixture
def staff(db):
    """Return a client of a staff member with the named rights of our app, and no others."""

    def log_in(*codenames: str) -> Client:
        number = User.objects.count()
        user = User.objects.create_user(f"staff{number}", password="x", is_staff=True)
        permissions = Permission.objects.filter(
            content_type__app_label="depict_reco", codename__in=codenames
        )
        assert {permission.codename for permission in permissions} == set(codenames)
        user.user_permissions.set(permissions)
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def started(monkeypatch):
    """Record what the admin would start in the background instead of starting it."""
    calls: list[tuple] = []

    def record(name, *arguments, options=()):
        calls.append((name, *options, *arguments))

    monkeypatch.setattr("depict_reco.admin.training_start.start_command", record)
    monkeypatch.setattr("depict_reco.admin.feeds.start_command", record)
    return calls


def act(client, model: str, action: str, *pks, query: str = "", **data):
    """Post an action of a list."""
    return client.post(
        f"/admin/depict_reco/{model}/{query}",
        {"action": action, "_selected_action": pks, "index": "0", "select_across": "0", **data},
    )


def confirm(client, model: str, action: str, *pks, **data):
    """Post an action and the answer to its question."""
    return act(client, model, action, *pks, _confirmed="yes", **data)


def messages_of(response) -> list[str]:
    return [str(message) for message in response.wsgi_request._messages]
