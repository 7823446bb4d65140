from __future__ import annotations

import json
import shutil
import threading
import time

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from depict_reco.artifacts.inspection import inspection
from depict_reco.artifacts.publish import publish
from depict_reco.artifacts.repairs import repairs
from depict_reco.artifacts.store import MANIFEST
from depict_reco.events import erase as erase_module
from depict_reco.events.admitting import rule_book
from depict_reco.events.refusals import refusal_book
from depict_reco.events.shown import shown_products
from depict_reco.models import Artifact
from depict_reco.serving import snapshots as snapshots_module
from depict_reco.serving.background import Background
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.serving.types import type_book
from depict_reco.tasks import train_market
from depict_reco.tenants import outages as outages_module
from depict_reco.tenants.directory import directory
from depict_reco.tenants.outages import outages
from tests import shop as shops

# a machine may be busy with other work: how long an example takes says nothing of the code
hypothesis_settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("busy")

_CACHES = (
    directory, inspection, outages, refusal_book, repairs, rule_book, shown_products,
    snapshot_book, type_book,
)  # fmt: skip


class AtOnce(Background):
    """Does at once what is done beside the requests: other threads do not see a test's rows."""

    def begin(self, name, act):
        act()


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """Each test begins with a process that knows no tenant yet, and no outage lasts.

    No thread asks the test's database whether it is back: see ``lasting_outage``. Erasures wait
    for no other process.
    """
    monkeypatch.setattr(erase_module, "settling_seconds", lambda: 0.0)
    monkeypatch.setattr(outages_module, "_ask_database", lambda: None)
    monkeypatch.setattr(snapshots_module, "Background", AtOnce)
    for cache in _CACHES:
        cache.cache_clear()
    yield
    for cache in _CACHES:
        cache.cache_clear()


@pytest.fixture
def lasting_outage(monkeypatch):
    """Make an outage of the database last, until what is returned is called.

    A failed connection is closed, which only SQLite in memory survives within a test's
    transaction; tests/e2e stops a real PostgreSQL.
    """
    if connection.vendor != "sqlite":
        pytest.skip("a closed connection would end the test's transaction; see tests/e2e")
    over = threading.Event()

    def ask():
        if not over.is_set():
            raise OperationalError("gone")

    def end():
        over.set()
        wait_for(lambda: not outages().database.lasts)

    monkeypatch.setattr(outages_module, "_ask_database", ask)
    outages.cache_clear()
    yield end
    end()


def wait_for(condition, *, seconds=30.0):
    """Wait until something that another thread does has happened."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)


@pytest.fixture
def artifact_dir(tmp_path, settings):
    """A folder for artifacts of this test alone; models are large, so it goes afterwards."""
    folder = tmp_path / "artifacts"
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "ARTIFACT_DIR": str(folder),
        "ARTIFACT_CACHE_DIR": str(tmp_path / "copies"),
    }
    yield folder
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def shop(db, artifact_dir):
    """The market of a small shop with products and without events; see tests/shop.py."""
    return shops.make_shop()


@pytest.fixture
def busy_shop(shop):
    """The small shop with two months of events."""
    shops.add_events(shop)
    return shop


@pytest.fixture(scope="session")
def trained_files(tmp_path_factory):
    """A folder that keeps the model of the busy shop, so that only one test need train it."""
    folder = tmp_path_factory.mktemp("trained")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def trained_shop(busy_shop, artifact_dir, trained_files):
    """The small shop, answered from a model of its events."""
    if not (trained_files / MANIFEST).exists():
        train_market(busy_shop)
        artifact = Artifact.objects.get()
        shutil.copytree(artifact_dir / artifact.path, trained_files, dirs_exist_ok=True)
        return busy_shop
    manifest = json.loads((trained_files / MANIFEST).read_text("utf-8"))
    path = f"{busy_shop.tenant_id}/{busy_shop.pk}/{manifest['version']}"
    shutil.copytree(trained_files, artifact_dir / path)
    publish(
        Artifact.objects.create(
            market=busy_shop, version=manifest["version"], path=path, manifest=manifest
        )
    )
    return busy_shop
