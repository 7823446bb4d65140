"""Feed runs, training runs and artifacts over the management API, and the acts that make them."""

from __future__ import annotations

import pytest

from depict_reco import tasks
from depict_reco.exceptions import ArtifactBrokenError, ArtifactError, TrainingRunningError
from depict_reco.models import (
    Artifact,
    CurrentArtifact,
    Feed,
    FeedRun,
    Market,
    Product,
    TrainingRun,
)
from tests.api.management.conftest import RESOURCES, ROOT, make_shop


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_list_asks_as_often_for_many_rows_as_for_one(
    acme, api, resource, django_assert_num_queries, settings
):
    url = f"{ROOT}/{resource}"
    api.get(url)  # reads who is who, and notes that the key was used
    settings.DEPICT_RECO = {"REFRESH_SECONDS": 3600.0}
    expected = 2 if resource == "products" else 1  # products: their categories too
    with django_assert_num_queries(expected):
        assert len(api.get(url).json()["results"]) == 1
    if resource == "tenants":
        return
    second = make_shop("second")
    type(second.market).objects.filter(pk=second.market.pk).update(tenant=acme.tenant, slug="fi")
    row = second.rows[resource]
    if resource == "types":
        type(row).objects.filter(pk=row.pk).update(
            tenant=acme.tenant, market=second.market, name="x"
        )
    if resource == "categories":
        type(row).objects.create(
            market=acme.market, category_id="cup", parent=acme.rows["categories"]
        )
    with django_assert_num_queries(expected):
        assert len(api.get(url).json()["results"]) >= 2


def test_runs_are_listed_newest_first(acme, api):
    newer = FeedRun.objects.create(market=acme.market, source="x", status="failed", message="no")

    page = api.get(f"{ROOT}/feed-runs").json()["results"]
    failed = api.get(f"{ROOT}/feed-runs", {"status": "failed"}).json()["results"]
    of_feed = api.get(f"{ROOT}/feed-runs", {"feed": acme.rows["feeds"].pk}).json()["results"]

    assert [row["id"] for row in page] == [newer.pk, acme.rows["feed-runs"].pk]
    assert [row["id"] for row in failed] == [newer.pk]
    assert [row["id"] for row in of_feed] == [acme.rows["feed-runs"].pk]


@pytest.mark.parametrize("query", [{"status": "odd"}, {"feed": "x"}, {"feed": "9" * 30}])
def test_a_filter_on_runs_that_cannot_be(acme, api, query):
    assert api.get(f"{ROOT}/feed-runs", query).status_code == 400


def test_running_a_feed_answers_with_the_run(acme, api, tmp_path):
    path = tmp_path / "feed.csv"
    path.write_text("product_id,title,price\na/b,Cup,9.90\n,No id,1\n")
    Feed.objects.update(source=str(path), full=False)

    answer = api.post(acme.url("feeds", "run"))

    assert answer.status_code == 201
    body = answer.json()
    assert {name: body[name] for name in ("status", "created", "rejected", "feed", "market")} == {
        "status": "succeeded",
        "created": 1,
        "rejected": 1,
        "feed": acme.rows["feeds"].pk,
        "market": "se",
    }
    assert body["rejections"][0]["field"] == "product_id"
    assert Product.objects.filter(product_id="a/b").exists()
    assert api.get(f"{ROOT}/feed-runs/{body['id']}").json() == body


def test_a_feed_that_cannot_be_read_answers_with_the_failed_run(acme, api, tmp_path):
    Feed.objects.update(source=str(tmp_path / "none.csv"))

    answer = api.post(acme.url("feeds", "run"))

    assert (answer.status_code, answer.json()["status"]) == (201, "failed")
    assert answer.json()["message"]


def test_training_answers_with_the_run(acme, api, monkeypatch):
    def train(market: Market) -> TrainingRun:
        return TrainingRun.objects.create(market=market, status="published", products=1)

    monkeypatch.setattr(tasks, "train_market", train)
    answer = api.post(f"{ROOT}/training-runs", {"market": "se"})

    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["market"]) == ("published", "se")


def test_two_trainings_at_once_are_a_conflict(acme, api, monkeypatch):
    def train(market: Market) -> TrainingRun:
        raise TrainingRunningError

    monkeypatch.setattr(tasks, "train_market", train)
    answer = api.post(f"{ROOT}/training-runs", {"market": "se"})

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Another training of this market is running."}


@pytest.mark.parametrize("body", [{}, {"market": "no"}, {"market": 7}, {"market": ["se"]}, [], "x"])
def test_training_needs_a_market(acme, api, body):
    assert api.post(f"{ROOT}/training-runs", body).status_code == 400


def test_the_served_artifact_is_marked(acme, api):
    newer = Artifact.objects.create(market=acme.market, version="v2", path="q")

    page = api.get(f"{ROOT}/artifacts").json()["results"]
    current = api.get(f"{ROOT}/artifacts", {"current": "true"}).json()["results"]

    assert [(row["version"], row["current"]) for row in page] == [("v2", False), ("v1", True)]
    assert [row["version"] for row in current] == ["v1"]
    assert api.get(f"{ROOT}/artifacts/{newer.pk}").json()["current"] is False


def test_publishing_and_rolling_back(acme, api, monkeypatch):
    monkeypatch.setattr("depict_reco.artifacts.store.verify", lambda path: None)
    newer = Artifact.objects.create(market=acme.market, version="v2", path="q")

    published = api.post(f"{ROOT}/artifacts/{newer.pk}/publish")
    assert (published.status_code, published.json()["current"]) == (200, True)
    assert CurrentArtifact.objects.get().artifact == newer

    back = api.post(f"{ROOT}/artifacts/rollback", {"market": "se"})
    assert (back.status_code, back.json()["version"], back.json()["current"]) == (200, "v1", True)
    assert CurrentArtifact.objects.get().artifact == acme.rows["artifacts"]


def test_there_may_be_nothing_to_roll_back_to(acme, api):
    answer = api.post(f"{ROOT}/artifacts/rollback", {"market": "se"})

    assert (answer.status_code, answer.json().keys()) == (409, {"detail"})
    assert issubclass(ArtifactBrokenError, ArtifactError)


def test_a_broken_artifact_is_refused(acme, api):
    answer = api.post(acme.url("artifacts", "publish"))  # its files do not exist

    assert (answer.status_code, answer.json().keys()) == (409, {"detail"})
    assert CurrentArtifact.objects.get().artifact == acme.rows["artifacts"]
