"""No history is read for shoppers who do not want that."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from depict_reco.models import ApiKey, Tenant
from tests.shop import add_event

V2 = {"tenant": "acme", "market": "se", "type": "recently_viewed", "session_id": "s1"}
V3 = {"merchant": "acme", "market": "se", "locale": "sv-SE", "type": "recently_viewed",
      "session_id": "s1"}  # fmt: skip


@pytest.fixture
def first(trained_shop, django_assert_num_queries):
    """Ask by HTTP and return the first product; ``reads`` says whether history is looked up."""
    add_event(trained_shop, "glove-3", session_id="s1")
    key = ApiKey.objects.issue(trained_shop.tenant, name="shop", scopes=["recommend"])[1]
    client = Client(headers={"X-API-KEY": key})

    def ask(query="", *, version="v2", **fields):
        path = {"v2": "/v2/recommend/products/general", "v3": "/v3/recommend/products"}[version]
        body = {**(V2 if version == "v2" else V3), **fields}
        response = client.post(path + query, json.dumps(body), content_type="text/plain")
        assert response.status_code == 200, response.content
        display = response.json()["displays"][0]
        return display.get("main_product_id") or display["variant_displays"][0]["main_product_id"]

    return ask


def test_history_is_read_unless_it_is_refused(first):
    assert first() == "glove-3"
    assert first(metadata={"consent": "granted"}) == "glove-3"
    assert first(metadata={"consent": "perhaps", "x": "y"}) == "glove-3"
    assert first(metadata={"consent": "denied"}) != "glove-3"
    assert first("?consent=denied") != "glove-3"
    assert first("?consent=granted", metadata={"consent": "denied"}) != "glove-3"


def test_where_consent_is_required_it_is_read_only_with_it(first):
    tenant = Tenant.objects.get()
    tenant.consent_required = True
    tenant.save()

    assert first() != "glove-3"
    assert first(metadata={"consent": "granted"}) == "glove-3"
    assert first("?consent=granted") == "glove-3"


def test_v3_has_no_metadata_and_says_it_in_the_address(first):
    assert first(version="v3") == "glove-3"
    assert first("?consent=denied", version="v3") != "glove-3"


def test_a_refusal_costs_no_query_for_history(first, settings, django_assert_num_queries):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    first()
    with django_assert_num_queries(1):
        first()
    with django_assert_num_queries(0):
        first(metadata={"consent": "denied"})
