"""Every page answers, to those who may see it, with the same number of queries for more rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.models import (
    ApiKey,
    Artifact,
    Category,
    Event,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)
from tests.admin.conftest import NOON, build_shop

MODELS = {
    "tenant": (Tenant, "tenant"),
    "market": (Market, "market"),
    "apikey": (ApiKey, "key"),
    "category": (Category, "category"),
    "product": (Product, "product"),
    "feed": (Feed, "feed"),
    "feedrun": (FeedRun, "feed_run"),
    "event": (Event, "event"),
    "trainingrun": (TrainingRun, "training_run"),
    "artifact": (Artifact, "artifact"),
    "recommendationtype": (RecommendationType, "kind"),
}
ADDED = ["tenant", "market", "apikey", "category", "product", "feed", "recommendationtype"]
PAGES = {"erasure", "results", "trackingstatus"}
"""Not of rows; see tests of their own."""
READ_ONLY = ["feedrun", "event", "trainingrun", "artifact"]
SEARCHED = sorted(set(MODELS) - {"feedrun", "trainingrun"})


def test_every_model_but_the_pointer_has_pages():
    ours = {
        model._meta.model_name
        for model in admin.site._registry
        if model._meta.app_label == "depict_reco"
    }
    assert ours == set(MODELS) | PAGES


@pytest.mark.parametrize("model", MODELS)
def test_list_and_page_answer(admin_client, shop, model):
    row = getattr(shop, MODELS[model][1])
    listed = admin_client.get(f"/admin/depict_reco/{model}/")
    assert listed.status_code == 200
    assert f"/admin/depict_reco/{model}/{row.pk}/change/" in listed.text
    assert admin_client.get(f"/admin/depict_reco/{model}/{row.pk}/change/").status_code == 200
    assert admin_client.get(f"/admin/depict_reco/{model}/{row.pk}/history/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_pages_hold_no_script_or_style_of_their_own(admin_client, shop, model):
    row = getattr(shop, MODELS[model][1])
    for page in ("", f"{row.pk}/change/"):
        text = admin_client.get(f"/admin/depict_reco/{model}/{page}").text
        assert "<script>" not in text
        assert " style=" not in text
        assert "onclick=" not in text


@pytest.mark.parametrize("model", ADDED)
def test_add_form_answers(admin_client, shop, model):
    assert admin_client.get(f"/admin/depict_reco/{model}/add/").status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_rows_of_machines_are_only_read(admin_client, shop, model):
    row = getattr(shop, MODELS[model][1])
    base = f"/admin/depict_reco/{model}"
    assert admin_client.get(f"{base}/add/").status_code == 403
    assert admin_client.post(f"{base}/{row.pk}/change/", {"market": ""}).status_code == 403
    assert admin_client.post(f"{base}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()
    assert "delete_selected" not in admin_client.get(f"{base}/").text


@pytest.mark.parametrize("model", SEARCHED)
def test_search_answers(admin_client, shop, model):
    for term in ("acme", "x" * 300, "'\"", "a b", "%", "🙂"):
        response = admin_client.get(f"/admin/depict_reco/{model}/", {"q": term})
        assert response.status_code == 200, term


@pytest.mark.parametrize("model", MODELS)
def test_nobody_without_rights_sees_anything(staff, shop, model):
    client = staff()
    row = getattr(shop, MODELS[model][1])
    for page in ("", f"{row.pk}/change/", "add/"):
        assert client.get(f"/admin/depict_reco/{model}/{page}").status_code == 403
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_right_to_view_is_enough_to_view(staff, shop, model):
    client = staff(f"view_{model}")
    row = getattr(shop, MODELS[model][1])
    assert client.get(f"/admin/depict_reco/{model}/").status_code == 200
    page = client.get(f"/admin/depict_reco/{model}/{row.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert client.get(f"/admin/depict_reco/{model}/add/").status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_lists_need_no_more_queries_for_more_rows(admin_client, shop, model):
    admin_client.get(f"/admin/depict_reco/{model}/")  # content types and the like are cached now
    with CaptureQueriesContext(connection) as few:
        admin_client.get(f"/admin/depict_reco/{model}/")
    grow(shop)
    with CaptureQueriesContext(connection) as many:
        response = admin_client.get(f"/admin/depict_reco/{model}/")
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) >= 9
    assert len(many) == len(few)


def grow(shop):
    """Add eight more rows of every model, each with relations of its own."""
    for number in range(8):
        other = build_shop(f"other-{number}")
        other.category.parent = Category.objects.create(
            market=other.market, category_id="parent", name="Parent"
        )
        other.category.save()


@pytest.mark.parametrize("model", MODELS)
def test_pages_need_few_queries(admin_client, shop, model):
    row = getattr(shop, MODELS[model][1])
    url = f"/admin/depict_reco/{model}/{row.pk}/change/"
    admin_client.get(url)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(url)
    Product.objects.bulk_create(
        Product(market=shop.market, product_id=str(i), title="x") for i in range(50)
    )
    Category.objects.bulk_create(
        Category(market=shop.market, category_id=str(i), parent=shop.category) for i in range(50)
    )
    FeedRun.objects.bulk_create(
        FeedRun(market=shop.market, feed=shop.feed, source="x", started_at=NOON + timedelta(i))
        for i in range(50)
    )
    with CaptureQueriesContext(connection) as many:
        assert admin_client.get(url).status_code == 200
    assert len(many) == len(few) <= 22


def test_lookup_of_an_unknown_column_is_no_error_page(admin_client, shop):
    page = admin_client.get("/admin/depict_reco/event/", {"market": "x", "product_id": "pot"})
    assert page.status_code == 200
    assert list(page.context["cl"].result_list) == []


def test_facets_that_count_everything_are_off(admin_client, shop):
    for model in MODELS:
        page = admin_client.get(f"/admin/depict_reco/{model}/")
        assert "_facets" not in page.text
