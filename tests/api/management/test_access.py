"""Who gets in, and that nothing of one tenant is visible to another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.test import APIClient

from depict_reco.models import ApiKey, Market, Product, Tenant
from tests.api.management.conftest import RESOURCES, ROOT, client_with_key, staff_client

WRITES = [
    ("post", "tenants", {"slug": "new", "name": "New"}),
    ("post", "markets", {"slug": "fi", "currency": "EUR", "default_locale": "fi-FI"}),
    ("post", "types", {"name": "x", "kind": "product", "strategy": "upsell"}),
    ("post", "categories", {"market": "se", "category_id": "cup"}),
    ("post", "products/bulk", {"market": "se", "products": [{"product_id": "a", "title": "A"}]}),
    ("post", "products/bulk-delete", {"market": "se", "product_ids": ["pot"]}),
    ("post", "feeds", {"market": "se", "name": "x", "source": "https://a.example/f.csv"}),
    ("post", "training-runs", {"market": "se"}),
    ("post", "artifacts/rollback", {"market": "se"}),
]
PATCHES = [
    ("tenants", {"name": "Changed"}),
    ("markets", {"name": "Changed"}),
    ("types", {"default_limit": 7}),
    ("categories", {"name": "Changed"}),
    ("products", {"title": "Changed"}),
    ("feeds", {"name": "Changed"}),
]
DELETABLE = ("types", "categories", "products", "feeds")
ACTS = [("feeds", "run"), ("artifacts", "publish")]


@pytest.mark.parametrize("resource", RESOURCES)
def test_without_key_or_session_nothing_is_told(acme, resource):
    client = APIClient()
    for url in (f"{ROOT}/{resource}", acme.url(resource)):
        answer = client.get(url)
        assert answer.status_code == 401
        assert answer.json().keys() == {"detail"}
        assert answer["WWW-Authenticate"].startswith("ApiKey")


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_key_sees_its_own_tenant_only(acme, other, api, resource):
    page = api.get(f"{ROOT}/{resource}").json()["results"]

    assert [row["id"] for row in page] == [acme.rows[resource].pk]
    assert {row.get("tenant", row.get("slug")) for row in page} == {"acme"}
    assert api.get(acme.url(resource)).status_code == 200
    assert api.get(other.url(resource)).status_code == 404


@pytest.mark.parametrize("resource", RESOURCES)
def test_filters_do_not_open_other_tenants(acme, other, api, resource):
    name = "slug" if resource == "tenants" else "tenant"

    assert api.get(f"{ROOT}/{resource}", {name: "other"}).json()["results"] == []


@pytest.mark.parametrize(("resource", "body"), PATCHES)
def test_rows_of_other_tenants_cannot_be_changed(acme, other, api, resource, body):
    before = type(other.rows[resource]).objects.filter(pk=other.rows[resource].pk).values().get()

    answer = api.patch(other.url(resource), body)

    assert answer.status_code == (403 if resource == "tenants" else 404)
    after = type(other.rows[resource]).objects.filter(pk=other.rows[resource].pk).values().get()
    assert after == before


@pytest.mark.parametrize("resource", DELETABLE)
def test_rows_of_other_tenants_cannot_be_deleted(acme, other, api, resource):
    assert api.delete(other.url(resource)).status_code == 404
    assert type(other.rows[resource]).objects.filter(pk=other.rows[resource].pk).exists()


@pytest.mark.parametrize(("resource", "act"), ACTS)
def test_acts_on_other_tenants_rows_are_refused(acme, other, api, resource, act):
    assert api.post(other.url(resource, act)).status_code == 404


@pytest.mark.parametrize(("method", "path", "body"), WRITES[1:])
def test_a_key_cannot_write_into_another_tenant(acme, other, api, method, path, body):
    answer = api.post(f"{ROOT}/{path}", {**body, "tenant": "other"})

    assert answer.status_code == 400
    assert answer.json().keys() <= {"tenant", "market"}
    assert Market.objects.filter(tenant=other.tenant).count() == 1
    assert [p.product_id for p in Product.objects.filter(market=other.market)] == ["pot"]


def test_the_market_of_a_key_is_its_own_where_slugs_are_alike(acme, other, api):
    api.post(f"{ROOT}/products/bulk-delete", {"market": "se", "product_ids": ["pot"]})
    api.post(
        f"{ROOT}/products/bulk",
        {"market": "se", "products": [{"product_id": "cup", "title": "Cup"}]},
    )

    assert [p.product_id for p in Product.objects.filter(market=acme.market)] == ["cup"]
    assert [p.product_id for p in Product.objects.filter(market=other.market)] == ["pot"]


def test_a_parent_category_of_another_tenant_is_not_found(acme, other, api):
    other.rows["categories"].category_id = "theirs"
    other.rows["categories"].save()

    answer = api.patch(acme.url("categories"), {"parent": "theirs"})

    assert (answer.status_code, answer.json().keys()) == (400, {"parent"})


@pytest.mark.parametrize("scope", ["recommend", "events", "export"])
def test_a_key_without_the_scope_is_refused(acme, scope):
    client = client_with_key(acme, scope)
    for resource in RESOURCES:
        assert client.get(f"{ROOT}/{resource}").status_code == 403
    for method, path, body in WRITES:
        assert getattr(client, method)(f"{ROOT}/{path}", body).status_code == 403


def test_a_key_that_has_ended_is_refused(acme):
    for field in ("expires_at", "revoked_at"):
        client = client_with_key(acme, "catalog")
        ApiKey.objects.filter(pk=ApiKey.objects.latest("pk").pk).update(
            **{field: timezone.now() - timedelta(seconds=1)}
        )
        answer = client.get(f"{ROOT}/products")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("ApiKey")


def test_a_key_in_query_or_cookie_opens_too(acme):
    _, secret = ApiKey.objects.issue(acme.tenant, name="k", scopes=["catalog"])
    client = APIClient()
    assert client.get(f"{ROOT}/products", {"api_key": secret}).status_code == 200
    client.cookies["X-API-KEY"] = secret
    assert client.get(f"{ROOT}/products").status_code == 200


def test_a_key_can_neither_make_nor_change_tenants(acme, api):
    assert api.post(f"{ROOT}/tenants", {"slug": "new", "name": "New"}).status_code == 403
    body = {"storefront_access": "origins", "origins": ["https://evil.example"]}
    assert api.patch(acme.url("tenants"), body).status_code == 403
    assert Tenant.objects.get().storefront_access == "key"


@pytest.mark.parametrize("resource", RESOURCES)
def test_staff_with_the_view_permission_see_all_tenants(acme, other, resource):
    model = type(acme.rows[resource])._meta.model_name
    client = staff_client(f"view_{model}")

    page = client.get(f"{ROOT}/{resource}").json()["results"]
    assert {row["id"] for row in page} == {acme.rows[resource].pk, other.rows[resource].pk}
    assert client.get(other.url(resource)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_staff_need_the_permission_of_each_act(acme, method, path, body):
    client = staff_client("view_tenant", "view_market", "view_product", "view_artifact")

    assert getattr(client, method)(f"{ROOT}/{path}", body).status_code == 403


def test_staff_permissions_for_changes_deletions_and_acts(acme):
    client = staff_client(*(f"view_{type(row)._meta.model_name}" for row in acme.rows.values()))
    for resource, body in PATCHES:
        assert client.patch(acme.url(resource), body).status_code == 403
    for resource in DELETABLE:
        assert client.delete(acme.url(resource)).status_code == 403
    for resource, act in ACTS:
        assert client.post(acme.url(resource, act)).status_code == 403


def test_staff_with_the_permission_may(acme):
    client = staff_client("change_tenant", "add_market", "delete_product", "change_category")

    assert client.patch(acme.url("tenants"), {"name": "New"}).json()["name"] == "New"
    market = {"tenant": "acme", "slug": "fi", "currency": "EUR", "default_locale": "fi-FI"}
    assert client.post(f"{ROOT}/markets", market).status_code == 201
    assert client.delete(acme.url("products")).status_code == 204
    assert client.patch(acme.url("categories"), {"name": "x"}).status_code == 200


def test_people_who_are_not_staff_are_refused(acme):
    client = staff_client("view_product")
    get_user_model().objects.update(is_staff=False)

    assert client.get(f"{ROOT}/products").status_code == 403


def test_a_session_needs_the_csrf_token(acme):
    staff_client("change_tenant")
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.get())

    refused = client.patch(acme.url("tenants"), {"name": "New"}, format="json")
    client.cookies["csrftoken"] = token = "a" * 32
    allowed = client.patch(
        acme.url("tenants"), {"name": "New"}, format="json", HTTP_X_CSRFTOKEN=token
    )

    assert (refused.status_code, allowed.status_code) == (403, 200)
    assert "CSRF" in refused.json()["detail"]


def test_staff_name_the_tenant_where_a_market_slug_is_not_enough(acme, other):
    client = staff_client("add_product", "change_product")
    body = {"market": "se", "products": [{"product_id": "cup", "title": "Cup"}]}

    refused = client.post(f"{ROOT}/products/bulk", body)
    done = client.post(f"{ROOT}/products/bulk", {**body, "tenant": "other"})

    assert (refused.status_code, refused.json().keys()) == (400, {"tenant"})
    assert done.json()["created"] == 1
    assert Product.objects.filter(market=other.market, product_id="cup").exists()


@pytest.mark.parametrize("resource", RESOURCES)
def test_methods_that_there_are_not(acme, api, resource):
    for method in ("put", "options", "trace"):
        answer = api.generic(method.upper(), acme.url(resource))
        assert answer.status_code == 405
        assert answer["Content-Type"] == "application/json"
        assert "GET" in answer["Allow"]
