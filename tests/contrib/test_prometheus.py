from __future__ import annotations

import math
import os
import subprocess
import sys
from datetime import timedelta
from unittest import mock

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connections
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from depict_reco.contrib.prometheus import apps as prometheus_apps
from depict_reco.contrib.prometheus import markets, views
from depict_reco.contrib.prometheus.requests import RequestMetrics
from depict_reco.models import ApiKey, Event, FeedRun, Market, Product
from depict_reco.serving import refresh, snapshots
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.signals import request_answered
from depict_reco.tenants.outages import outages

MANY = "/v2/recommend/products/products"
BODY = {"tenant": "acme", "market": "se", "type": "popular", "product_ids": []}
OPERATOR = {"Authorization": "Bearer let-me-see"}
SHOP = {"tenant": "acme", "type": "popular"}
HERE = {"tenant": "acme", "market": "se"}

urlpatterns = [
    path("", include("depict_reco.urls")),
    path("", include("depict_reco.contrib.prometheus.urls")),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def registry(monkeypatch, settings):
    """A registry of this test alone, fed by the signal and shown by the page."""
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "OPERATIONS_TOKEN": "let-me-see"}
    monkeypatch.delenv(views.MULTIPROCESS_DIR, raising=False)
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry)

    def count(exchange, **kwargs):
        metrics.count(exchange)

    monkeypatch.setattr(views, "REGISTRY", registry)
    request_answered.connect(count)
    yield registry
    request_answered.disconnect(count)


@pytest.fixture
def ask(shop, registry):
    secret = ApiKey.objects.issue(shop.tenant, name="web", scopes=["recommend"])[1]

    def post(body=BODY, **changes):
        return Client(headers={"X-API-KEY": secret}).post(
            MANY, {**body, **changes}, content_type="application/json"
        )

    return post


def page():
    response = Client().get("/metrics", headers=OPERATOR)
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def key(name, **labels):
    return (name, *sorted(labels.items()))


def test_requests_are_counted_by_type_and_status(ask, registry):
    for _ in range(3):
        ask()
    ask(type="nothing-of-the-kind")
    ask(more=1)
    found = page()

    at = {"endpoint": "recommend-for-products"}
    assert found[key("depict_reco_requests_total", **at, **SHOP, status="200")] == 3
    unknown = {"tenant": "", "type": ""}
    assert found[key("depict_reco_requests_total", **at, **unknown, status="200")] == 1
    assert found[key("depict_reco_requests_total", **at, **unknown, status="422")] == 1
    assert not [name for name in found if "nothing-of-the-kind" in str(name)]
    assert found[key("depict_reco_request_seconds_count", **at)] == 5
    assert 0 < found[key("depict_reco_request_seconds_sum", **at)] < 10
    assert found[key("depict_reco_request_seconds_bucket", **at, le="0.0005")] < 5


def test_places_are_counted_by_source_and_against_what_was_wanted(ask):
    ask(limit=10)
    ask(limit=128)
    found = page()

    assert found[key("depict_reco_places_total", **SHOP, source="catalogue")] == 36
    assert found[key("depict_reco_places_wanted_total", **SHOP)] == 138
    assert key("depict_reco_empty_answers_total", **SHOP) not in found


def test_empty_answers_are_counted(ask, shop):
    shop.products.all().change(hidden=True)
    ask()

    assert page()[key("depict_reco_empty_answers_total", **SHOP)] == 1


def test_freshness_and_outages(ask, lasting_outage):
    ask()
    found = page()
    assert 0 <= found[key("depict_reco_knowledge_age_seconds")] < 5
    assert found[key("depict_reco_outage_seconds", server="database")] == 0

    outages().database.begin()
    ask()
    found = page()
    assert found[key("depict_reco_degraded_answers_total", without="database")] == 1
    assert found[key("depict_reco_outage_seconds", server="database")] > 0


def test_the_ages_of_model_feed_and_events(trained_shop, registry):
    FeedRun.objects.create(
        market=trained_shop,
        source="feed.csv",
        status=FeedRun.Status.SUCCEEDED,
        finished_at=timezone.now() - timedelta(hours=2),
    )
    found = page()

    assert 7200 <= found[key("depict_reco_feed_age_seconds", **HERE)] < 7260
    assert 0 <= found[key("depict_reco_model_age_seconds", **HERE)] < 86_400
    newest = Event.objects.filter(market=trained_shop).latest("time").time
    age = (timezone.now() - newest).total_seconds()
    assert math.isclose(found[key("depict_reco_event_age_seconds", **HERE)], age, abs_tol=60)
    assert found[key("depict_reco_market_ok", **HERE)] == 1
    assert found[key("depict_reco_products", **HERE)] == 31


def test_changes_that_the_image_does_not_have_are_counted(shop, registry):
    assert page()[key("depict_reco_changes_aside", **HERE)] == 0

    Product.objects.filter(product_id__in=["spade-1", "spade-2"]).change(price=7)

    assert page()[key("depict_reco_changes_aside", **HERE)] == 2


def test_a_snapshot_that_lags_behind_the_directory_is_told(shop, registry, settings):
    settings.DEPICT_RECO |= {"RETRY_SECONDS": 0}
    lag = key("depict_reco_market_lag_seconds", **HERE)
    assert page()[lag] == 0

    snapshot_book()._right_at[shop.pk] -= 60
    assert page()[lag] == 0, "nothing has changed since"

    Product.objects.filter(product_id="spade-1").change(price=7)
    snapshot_book()._right_at[shop.pk] -= 60
    with mock.patch.object(refresh, "read_rows", side_effect=ProgrammingError("no such column")):
        assert 60 <= page()[lag] < 75
    assert page()[lag] == 0


def test_a_model_that_is_still_being_loaded_lags(trained_shop, registry):
    lag = key("depict_reco_market_lag_seconds", **HERE)
    assert page()[lag] == 0

    with mock.patch.object(snapshots.SnapshotBook, "_load_artifact"):
        Market.objects.advance(trained_shop.pk, "artifact_revision")
        page()
        snapshot_book()._awaiting_since[trained_shop.pk] -= 60
        assert 60 <= page()[lag] < 75
    assert page()[lag] == 0


def test_a_market_without_a_model_is_not_all_right(shop, registry):
    found = page()

    assert found[key("depict_reco_market_ok", **HERE)] == 0
    assert key("depict_reco_model_age_seconds", **HERE) not in found


def test_without_a_database_the_rest_is_still_there(ask, lasting_outage):
    ask()
    with mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("gone")):
        found = page()

    assert found[key("depict_reco_products", **HERE)] == 31
    assert key("depict_reco_event_age_seconds", **HERE) not in found


def test_ages_that_cannot_be_read_by_a_fault_of_ours_are_no_outage(shop, registry, caplog):
    with mock.patch.object(markets, "_newest_event", side_effect=ProgrammingError("no column")):
        found = page()

    assert found[key("depict_reco_products", **HERE)] == 31
    assert key("depict_reco_event_age_seconds", **HERE) not in found
    assert not outages().database.lasts
    assert "The ages of feeds and events cannot be read." in caplog.text


def test_a_process_that_never_had_a_database(shop, registry, lasting_outage):
    with mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("gone")):
        assert page()[key("depict_reco_outage_seconds", server="database")] > 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_it_is_not_public(db, registry, headers):
    response = Client().get("/metrics", headers=headers)

    assert response.status_code == 403
    assert response.json() == {"detail": "Metrics are for operators."}
    assert Client().post("/metrics", headers=OPERATOR).status_code == 405


def test_the_app_is_not_there_unless_installed():
    assert not apps.is_installed("depict_reco.contrib.prometheus")
    assert "prometheus_client" not in subprocess.run(
        [sys.executable, "-c", "import sys, django; django.setup(); import depict_reco.urls;"
         "print(*sys.modules)"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_the_app_says_what_it_lacks(monkeypatch):
    monkeypatch.setattr(prometheus_apps, "find_spec", lambda name: None)
    config = prometheus_apps.PrometheusConfig("x", prometheus_apps)

    with pytest.raises(ImproperlyConfigured, match=r"pip install 'depict-reco\[metrics\]'"):
        config.ready()


WORKER = """
import sys
from types import SimpleNamespace
from django.http import HttpResponse
from django.test import RequestFactory
import django; django.setup()
from depict_reco.api.observing import Exchange
from depict_reco.contrib.prometheus.requests import count_request
from depict_reco.tenants.directory import directory
import time
directory()._read_at = time.monotonic() - float(sys.argv[1])
exchange = Exchange(request=RequestFactory().get("/"), response=HttpResponse(), seconds=0.1,
                    degraded=())
exchange.request.resolver_match = SimpleNamespace(url_name="here")
for _ in range(3):
    count_request(exchange)
print("counted", flush=True)
sys.stdin.read()
"""


def test_processes_are_counted_together_and_the_dead_leave_their_counts(
    registry, db, tmp_path, monkeypatch
):
    monkeypatch.setenv(views.MULTIPROCESS_DIR, str(tmp_path))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, age],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for age in ("10", "50")
    ]
    try:
        for worker in workers:
            assert worker.stdout.readline() == b"counted\n"
        labels = {"endpoint": "here", "tenant": "", "type": "", "status": "200"}
        found = page()
        assert found[key("depict_reco_requests_total", **labels)] == 6
        assert found[key("depict_reco_request_seconds_count", endpoint="here")] == 6
        assert 50 <= found[key("depict_reco_knowledge_age_seconds")] < 60

        workers[1].kill()
        workers[1].wait(10)
        found = page()
        assert found[key("depict_reco_requests_total", **labels)] == 6
        assert 10 <= found[key("depict_reco_knowledge_age_seconds")] < 20
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)
            worker.stdin.close()
            worker.stdout.close()
