from __future__ import annotations

import shutil
import time
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, ProgrammingError, connections
from django.test import Client
from django.utils import timezone

from depict_reco.artifacts.publish import publish, store_model
from depict_reco.models import Artifact, FeedRun, Market, Product
from depict_reco.serving import refresh
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tenants.directory import Directory, directory
from depict_reco.tenants.outages import outages
from depict_reco.training.trainer import train
from tests.serving.asking import ask

OPERATOR = {"Authorization": "Bearer let-me-see"}


@pytest.fixture
def limit(settings):
    def set_to(**values):
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, **values}

    return set_to


@pytest.fixture
def ready(limit):
    """Ask for readiness as an operator."""
    limit(OPERATIONS_TOKEN="let-me-see")

    def get():
        response = Client().get("/readyz", headers=OPERATOR)
        return response.status_code, response.json()

    return get


def words(body):
    return {name: check["status"] for name, check in body["checks"].items()}


def gone():
    return mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("gone"))


def test_healthz_asks_nobody(client):  # without a database: any query would fail
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_have_a_request_id_also_where_they_are_refused(db, client, path):
    for send, status in ((client.get, 200), (client.post, 405)):
        response = send(path, headers={"X-Request-ID": "probe-1"})
        assert (response.status_code, response.headers["X-Request-ID"]) == (status, "probe-1")


def test_a_served_shop_is_ready(trained_shop, client):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {
            "database": {"status": "ok"},
            "cache": {"status": "ok"},
            "markets": {"status": "ok"},
            "data": {"status": "ok"},
        },
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-ID"]


def test_operators_see_the_markets(trained_shop, ready):
    FeedRun.objects.create(
        market=trained_shop,
        source="feed.csv",
        status=FeedRun.Status.SUCCEEDED,
        finished_at=timezone.now() - timedelta(hours=2),
    )
    body = ready()[1]

    (market,) = body["markets"]
    assert 7200 <= market.pop("feed_age_seconds") < 7260
    assert market.pop("model_age_seconds") >= 0
    assert market == {
        "tenant": "acme",
        "market": "se",
        "status": "ok",
        "message": "",
        "products": 31,
        "model_version": Artifact.objects.get().version,
    }
    assert body["checks"]["database"] == {"status": "ok", "message": ""}


def test_asking_loads_what_a_request_will_need(trained_shop, ready, django_assert_num_queries):
    ready()

    with django_assert_num_queries(1):  # the tenants, since REFRESH_SECONDS is 0 here
        ask("cross_sell", "teapot-1")


@pytest.mark.parametrize(
    ("headers", "address", "staff", "sees"),
    [
        ({}, "203.0.113.1", None, False),
        (OPERATOR, "203.0.113.1", None, True),
        ({"Authorization": "Bearer let-me-se"}, "203.0.113.1", None, False),
        ({"Authorization": "Bearer é"}, "203.0.113.1", None, False),
        ({}, "10.1.2.3", None, True),
        ({}, "2001:db8::7", None, True),
        ({"X-Forwarded-For": "10.1.2.3"}, "203.0.113.1", None, False),
        ({}, "203.0.113.1", True, True),
        ({}, "203.0.113.1", False, False),
    ],
)
def test_only_operators_see_more_than_words(db, limit, headers, address, staff, sees):
    limit(OPERATIONS_TOKEN="let-me-see", OPERATIONS_NETWORKS=["10.0.0.0/8", "2001:db8::/32"])
    client = Client(REMOTE_ADDR=address)
    if staff is not None:
        client.force_login(User.objects.create(username="ada", is_staff=staff))

    assert ("markets" in client.get("/readyz", headers=headers).json()) is sees


def test_nobody_is_an_operator_by_default(db):
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
        for address in ("127.0.0.1", ""):
            body = Client(REMOTE_ADDR=address).get("/readyz", headers=headers).json()
            assert "markets" not in body


def test_an_installation_without_tenants_is_ready(db, ready):
    status, body = ready()

    assert (status, body["status"], body["markets"]) == (200, "ok", [])


def test_a_market_without_a_model_is_degraded_and_answers(shop, ready):
    status, body = ready()

    assert (status, body["status"], words(body)["markets"]) == (200, "degraded", "degraded")
    assert body["markets"][0]["message"].startswith("No model has been published yet")
    assert body["markets"][0]["model_age_seconds"] is None


def test_a_closed_market_is_nobodys_worry(shop, ready):
    Market.objects.update(active=False)

    assert ready()[1]["status"] == "ok"


# Without a database


def test_a_warm_process_without_a_database_is_degraded(trained_shop, ready, lasting_outage):
    ready()
    with gone():
        status, body = ready()
    assert (status, body["status"]) == (200, "degraded")
    assert words(body) == {
        "database": "degraded", "cache": "ok", "markets": "ok", "data": "ok",
    }  # fmt: skip
    assert "has not answered for 0 s" in body["checks"]["database"]["message"]

    lasting_outage()
    assert ready()[1]["status"] == "ok"


def test_a_cold_process_without_a_database_has_failed(trained_shop, ready, lasting_outage):
    with gone():
        status, body = ready()
    assert (status, body["status"]) == (503, "failed")
    assert words(body) == {
        "database": "failed", "cache": "ok", "markets": "failed", "data": "ok",
    }  # fmt: skip

    lasting_outage()
    assert ready()[0] == 200


def test_a_market_that_cannot_be_loaded_takes_a_process_out_only_if_it_is_the_last(shop, ready):
    with mock.patch.object(refresh, "read_rows", side_effect=OperationalError("gone")):
        status, body = ready()
        assert (status, words(body)["markets"]) == (503, "failed")
    assert ready()[0] == 200

    Market.objects.create(tenant=shop.tenant, slug="us", currency="USD", default_locale="en-US")
    with mock.patch.object(refresh, "read_rows", side_effect=OperationalError("gone")):
        status, body = ready()
    assert (status, body["status"]) == (200, "degraded")
    assert [market["status"] for market in body["markets"]] == ["degraded", "failed"]


def test_what_cannot_be_read_by_a_fault_of_ours_is_degraded(trained_shop, ready, limit, caplog):
    assert ready()[1]["status"] == "ok"
    Product.objects.filter(product_id="spade-1").change(price="7")
    limit(RETRY_SECONDS=3600)
    with mock.patch.object(refresh, "read_rows", side_effect=ProgrammingError("no such column")):
        status, body = ready()
    assert (status, words(body)["markets"], words(body)["database"]) == (200, "degraded", "ok")
    assert body["markets"][0]["message"] == (
        "Its changes cannot be read, an older state is served; the log says why."
    )

    with mock.patch.object(Directory, "_read", side_effect=ProgrammingError("no such column")):
        status, body = ready()
    assert (status, body["checks"]["database"]) == (
        200,
        {"status": "degraded", "message": "Tenants cannot be read from it; the log says why."},
    )
    limit(RETRY_SECONDS=0)
    assert ready()[1]["status"] == "ok"


def test_a_market_that_cannot_be_loaded_by_a_fault_of_ours_is_logged(shop, ready, caplog):
    with mock.patch.object(refresh, "read_rows", side_effect=ProgrammingError("no such column")):
        assert ready()[0] == 503
    record = next(one for one in caplog.records if one.name == "depict_reco.serving.readiness")
    assert (record.levelname, record.exc_info[0]) == ("ERROR", ProgrammingError)


def test_a_cache_that_is_away_is_degraded(trained_shop, ready, settings):
    settings.CACHES = {
        **settings.CACHES,
        "gone": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        },
    }
    outages().cache("gone").begin()

    status, body = ready()
    assert (status, words(body)["cache"]) == (200, "degraded")


# Broken artifacts


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file):
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


DAMAGES = {
    "flipped": lambda folder: flip(folder / "item_ids.npy"),
    "truncated": lambda folder: [truncate(file) for file in folder.glob("*.npy")],
    "a file deleted": lambda folder: (folder / "item_ids.npy").unlink(),
    "manifest deleted": lambda folder: (folder / "manifest.json").unlink(),
    "folder deleted": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_served_model_whose_files_are_damaged(trained_shop, ready, artifact_dir, damage):
    assert ready()[1]["status"] == "ok"
    expected = ask("cross_sell", "teapot-1", limit=20)
    folder = artifact_dir / Artifact.objects.get().path
    shutil.copytree(folder, artifact_dir / "backup")
    damage(folder)

    status, body = ready()
    assert (status, body["status"]) == (200, "degraded")
    assert "in memory only, its files are damaged" in body["markets"][0]["message"]
    assert ask("cross_sell", "teapot-1", limit=20) == expected

    snapshot_book.cache_clear()  # a process that starts now has this machine's copy
    assert ask("cross_sell", "teapot-1", limit=20) == expected
    assert ready()[1]["status"] == "degraded"

    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(artifact_dir / "backup", folder)
    assert ready()[1]["status"] == "ok"


def test_files_are_read_again_only_when_they_changed(trained_shop, ready, artifact_dir):
    ready()
    with mock.patch("depict_reco.artifacts.store.verify", side_effect=AssertionError):
        assert ready()[1]["status"] == "ok"


def test_a_new_model_that_is_broken_is_tried_again(trained_shop, ready, artifact_dir, monkeypatch):
    monkeypatch.setattr("depict_reco.artifacts.repairs.FIRST_SECONDS", 0.05)
    ask("popular")
    publish(second := store_model(trained_shop, train(trained_shop), run=None))
    shutil.move(artifact_dir / second.path, artifact_dir / "elsewhere")

    status, body = ready()
    assert (status, body["status"]) == (200, "degraded")
    assert "stands in for it" in body["markets"][0]["message"]

    shutil.move(artifact_dir / "elsewhere", artifact_dir / second.path)
    deadline = time.monotonic() + 10
    while ready()[1]["status"] != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    snapshot = snapshot_book().get(directory().tenant("acme").markets["se"])
    assert (snapshot.artifact.version, snapshot.artifact.degraded) == (second.version, False)


def test_no_version_at_all_can_be_read(trained_shop, ready, artifact_dir):
    shutil.rmtree(artifact_dir)

    status, body = ready()
    assert (status, body["status"]) == (200, "degraded")
    assert body["markets"][0]["message"] == (
        "The published model is broken, and no other one is there."
    )


# The age of data


def test_a_model_may_be_too_old(trained_shop, ready, limit):
    ready()
    limit(READY_MAX_MODEL_AGE_HOURS=1e-9)
    assert words(ready()[1])["data"] == "degraded"
    assert "acme/se" in ready()[1]["checks"]["data"]["message"]

    limit(READY_MAX_MODEL_AGE_HOURS=1e6)
    assert words(ready()[1])["data"] == "ok"


def test_a_feed_may_be_too_old(trained_shop, ready, limit):
    limit(READY_MAX_FEED_AGE_HOURS=24)
    assert words(ready()[1])["data"] == "ok", "a market may be filled over the API alone"

    run = FeedRun.objects.create(
        market=trained_shop,
        source="feed.csv",
        status=FeedRun.Status.UNCHANGED,
        finished_at=timezone.now() - timedelta(hours=25),
    )
    FeedRun.objects.create(
        market=trained_shop, source="feed.csv", status=FeedRun.Status.FAILED,
        finished_at=timezone.now(),
    )  # fmt: skip
    assert words(ready()[1])["data"] == "degraded"

    run.finished_at = timezone.now()
    run.save()
    assert words(ready()[1])["data"] == "ok"


@pytest.mark.parametrize(
    ("hours_since_runs", "active", "status"),
    [
        ([], True, "degraded"),
        ([25, 1], True, "degraded"),
        ([23, 1], True, "ok"),
        ([25], False, "ok"),
    ],
)
def test_a_feed_that_never_succeeded_may_be_too_old(
    trained_shop, ready, limit, hours_since_runs, active, status
):
    feed = trained_shop.feeds.create(name="night", source="feed.csv", active=active)
    for hours in hours_since_runs:
        started_at = timezone.now() - timedelta(hours=hours)
        feed.runs.create(
            market=trained_shop, source="feed.csv", status=FeedRun.Status.FAILED,
            started_at=started_at, finished_at=started_at,
        )  # fmt: skip
    assert words(ready()[1])["data"] == "ok", "no limit is set"

    limit(READY_MAX_FEED_AGE_HOURS=24)
    assert words(ready()[1])["data"] == status
    if status == "degraded":
        assert ready()[1]["checks"]["data"]["message"] == "Model or feed is too old: acme/se."

    feed.runs.create(
        market=trained_shop, source="feed.csv", status=FeedRun.Status.SUCCEEDED,
        finished_at=timezone.now(),
    )  # fmt: skip
    assert words(ready()[1])["data"] == "ok"


def test_another_feed_that_succeeds_does_not_hide_one_that_never_did(trained_shop, ready, limit):
    limit(READY_MAX_FEED_AGE_HOURS=24)
    good = trained_shop.feeds.create(name="good", source="feed.csv")
    good.runs.create(
        market=trained_shop, source="feed.csv", status=FeedRun.Status.SUCCEEDED,
        finished_at=timezone.now(),
    )  # fmt: skip
    assert words(ready()[1])["data"] == "ok"

    trained_shop.feeds.create(name="new", source="other.csv")
    assert words(ready()[1])["data"] == "degraded"


@pytest.mark.parametrize(("error", "lasts"), [(ProgrammingError, False), (InterfaceError, True)])
def test_feeds_that_cannot_be_read_are_an_outage_only_without_a_connection(
    trained_shop, ready, caplog, lasting_outage, error, lasts
):
    with mock.patch.object(FeedRun.objects, "filter", side_effect=error("no such column")):
        assert ready()[0] == 200
    assert outages().database.lasts is lasts
    assert any(one.exc_info and one.exc_info[0] is error for one in caplog.records) is not lasts
