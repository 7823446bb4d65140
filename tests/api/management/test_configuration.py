"""Tenants, markets, types, categories and feeds over the management API."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from depict_reco.models import Category, Feed, Market, RecommendationType, Tenant
from tests.api.management.conftest import ROOT, staff_client


def test_a_new_tenant_has_the_default_types(db):
    client = staff_client("add_tenant")

    answer = client.post(
        f"{ROOT}/tenants",
        {"slug": "acme", "name": "Acme", "storefront_access": "origins",
         "origins": ["https://Shop.example:443/"]},
    )  # fmt: skip

    assert answer.status_code == 201
    tenant = Tenant.objects.get()
    assert answer.json() == {
        "id": tenant.pk,
        "slug": "acme",
        "name": "Acme",
        "active": True,
        "storefront_access": "origins",
        "origins": ["https://shop.example"],
        "attribution_window_days": 30,
        "consent_required": False,
        "retention_days": None,
        "created_at": tenant.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert RecommendationType.objects.filter(tenant=tenant).count() == 15


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "slug"),
        ({"slug": "a b", "name": "x"}, "slug"),
        ({"slug": "acme", "name": "x"}, "slug"),
        ({"slug": "x", "name": "x", "origins": ["shop.example"]}, "origins"),
        ({"slug": "x", "name": "x", "origins": "https://shop.example"}, "origins"),
        ({"slug": "x", "name": "x", "storefront_access": "origins"}, "origins"),
        ({"slug": "x", "name": "x", "storefront_access": "all"}, "storefront_access"),
        ({"slug": "x", "name": "a\0b"}, "name"),
    ],
)
def test_tenants_that_cannot_be(acme, body, field):
    answer = staff_client("add_tenant").post(f"{ROOT}/tenants", body)

    assert answer.status_code == 400
    assert field in answer.json()
    assert Tenant.objects.count() == 1


def test_a_market_is_made_and_changed(acme, api):
    made = api.post(
        f"{ROOT}/markets",
        {"slug": "fi", "currency": "EUR", "default_locale": "fi-FI", "locales": ["sv-FI"]},
    )
    assert made.status_code == 201
    market = Market.objects.get(slug="fi")
    assert made.json() == {
        "id": market.pk,
        "tenant": "acme",
        "slug": "fi",
        "name": "",
        "currency": "EUR",
        "default_locale": "fi-FI",
        "locales": ["sv-FI"],
        "active": True,
    }

    revision = Tenant.objects.get().revision
    changed = api.patch(f"{ROOT}/markets/{market.pk}", {"active": False, "slug": "fi"})
    assert (changed.status_code, changed.json()["active"]) == (200, False)
    assert Tenant.objects.get().revision > revision


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slug": "se"}, "non_field_errors"),
        ({"currency": "kr"}, "currency"),
        ({"default_locale": ""}, "default_locale"),
        ({"locales": ["a" * 36]}, "locales"),
        ({"locales": ["a\0"]}, "locales"),
        ({"tenant": "nobody"}, "tenant"),
        ({"slug": 7.5, "name": ["x"]}, "name"),
    ],
)
def test_markets_that_cannot_be(acme, api, body, field):
    whole = {"slug": "fi", "currency": "EUR", "default_locale": "fi", **body}
    answer = api.post(f"{ROOT}/markets", whole)

    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_staff_must_name_the_tenant(acme):
    body = {"slug": "fi", "currency": "EUR", "default_locale": "fi"}
    Tenant.objects.create(slug="third", name="Third")

    answer = staff_client("add_market").post(f"{ROOT}/markets", body)

    assert (answer.status_code, answer.json()) == (400, {"tenant": ["Name the tenant."]})


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("markets", {"slug": "fi"}),
        ("markets", {"tenant": "other"}),
        ("types", {"market": "se"}),
        ("categories", {"category_id": "cup"}),
        ("categories", {"market": "fi"}),
        ("feeds", {"market": "fi"}),
    ],
)
def test_what_names_a_row_cannot_be_changed(acme, api, resource, body):
    answer = api.patch(acme.url(resource), body)

    assert answer.status_code == 400
    assert answer.json() == {next(iter(body)): ["This cannot be changed."]}


def test_a_type_for_one_market_beside_the_tenants(acme, api):
    body = {"name": "similar", "kind": "product", "strategy": "upsell", "market": "se"}
    made = api.post(f"{ROOT}/types", body)

    assert made.status_code == 201
    assert made.json()["market"] == "se"
    assert api.post(f"{ROOT}/types", body).json().keys() == {"non_field_errors"}
    assert api.post(f"{ROOT}/types", {**body, "market": None}).status_code == 400
    listed = api.get(f"{ROOT}/types", {"market": "se"}).json()["results"]
    assert [row["id"] for row in listed] == [made.json()["id"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "shop"}, "kind"),
        ({"strategy": "magic"}, "strategy"),
        ({"default_limit": 129}, "default_limit"),
        ({"default_limit": 0}, "default_limit"),
        ({"parameters": {"unknown": 1}}, "parameters"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"chain": ["nowhere"]}}, "parameters"),
    ],
)
def test_types_that_cannot_be(acme, api, body, field):
    answer = api.patch(acme.url("types"), body)

    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_deleted_type_is_gone_at_once(acme, api):
    revision = Tenant.objects.get().revision

    assert api.delete(acme.url("types")).status_code == 204
    assert Tenant.objects.get().revision > revision


def test_categories_form_a_tree_without_circles(acme, api):
    made = api.post(
        f"{ROOT}/categories",
        {"market": "se", "category_id": "green/☕", "name": "Green", "parent": "tea"},
    )
    assert made.json()["parent"] == "tea"
    children = api.get(f"{ROOT}/categories", {"parent": "tea"}).json()["results"]
    assert [row["category_id"] for row in children] == ["green/☕"]

    circle = api.patch(acme.url("categories"), {"parent": "green/☕"})
    itself = api.patch(acme.url("categories"), {"parent": "tea"})
    unknown = api.patch(acme.url("categories"), {"parent": "coffee"})
    for answer in (circle, itself, unknown):
        assert (answer.status_code, list(answer.json())) == (400, ["parent"])
    top = api.patch(f"{ROOT}/categories/{made.json()['id']}", {"parent": None})
    assert top.json()["parent"] is None


def test_a_circle_that_stands_already_is_survived(acme, api):
    one = Category.objects.create(market=acme.market, category_id="one")
    two = Category.objects.create(market=acme.market, category_id="two", parent=one)
    Category.objects.filter(pk=one.pk).update(parent=two)

    assert api.patch(acme.url("categories"), {"parent": "one"}).status_code == 200


def test_category_changes_are_told_to_serving(acme, api):
    def revision() -> int:
        return Market.objects.get(pk=acme.market.pk).catalog_revision

    before = revision()
    api.patch(acme.url("categories"), {"name": "Teas"})
    between = revision()
    api.delete(acme.url("categories"))
    assert before < between < revision()
    assert not Category.objects.exists()


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "file:///etc/passwd", "-", "ftp://a.example/f", "https://", "http://[x", ""],
)
def test_a_feed_cannot_be_pointed_at_the_server_itself(acme, api, source):
    made = api.post(f"{ROOT}/feeds", {"market": "se", "name": "x", "source": source})
    moved = api.patch(acme.url("feeds"), {"source": source})

    assert (made.status_code, list(made.json())) == (400, ["source"])
    assert (moved.status_code, list(moved.json())) == (400, ["source"])
    assert Feed.objects.get().source == "https://shop.example/feed.csv"


def test_a_feed_from_a_file_that_an_admin_set_up_stays(acme, api):
    Feed.objects.update(source="/srv/feed.csv")

    answer = api.patch(acme.url("feeds"), {"source": "/srv/feed.csv", "full": False})

    assert (answer.status_code, answer.json()["full"]) == (200, False)


def test_credentials_of_a_feed_are_not_shown_and_survive_a_change(acme, api):
    source = "https://user:secret@shop.example/feed.csv?token=abc"
    shown = "https://***@shop.example/feed.csv?token=***"
    made = api.post(f"{ROOT}/feeds", {"market": "se", "name": "x", "source": source}).json()
    url = f"{ROOT}/feeds/{made['id']}"

    changed = api.patch(url, {"source": made["source"], "full": False})
    listed = api.get(f"{ROOT}/feeds").json()["results"]

    assert made["source"] == api.get(url).json()["source"] == changed.json()["source"] == shown
    assert [feed["source"] for feed in listed if feed["id"] == made["id"]] == [shown]
    assert Feed.objects.get(pk=made["id"]).source == source


def test_a_changed_feed_is_read_anew(acme, api):
    Feed.objects.update(etag="x", last_modified="y")
    api.patch(acme.url("feeds"), {"mapping": {"title": "name"}})
    feed = Feed.objects.get()
    assert (feed.etag, feed.last_modified, feed.mapping) == ("", "", {"title": "name"})


def test_whoever_comes_second_is_told_so(acme, api, monkeypatch):
    def fail(self, *args, **kwargs):
        raise IntegrityError

    monkeypatch.setattr(Market, "save", fail)
    answer = api.post(f"{ROOT}/markets", {"slug": "fi", "currency": "EUR", "default_locale": "fi"})

    assert (answer.status_code, answer.json().keys()) == (409, {"detail"})
