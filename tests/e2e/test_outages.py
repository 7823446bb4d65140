"""Servers that stop, files that break, workers that die: shoppers do not notice."""

from __future__ import annotations

import re
import shutil
import time

import pytest

from tests.e2e.installation import Shoppers
from tests.e2e.processes import wait_until

pytestmark = pytest.mark.faults


def both(installation, what):
    return {(server.name, what) for server in installation.servers}


def test_postgres_stops_and_starts_under_load(installation):
    with Shoppers(installation) as shoppers:
        time.sleep(1)
        installation.postgres.stop()
        time.sleep(3)
        for server in installation.servers:
            assert installation.readiness(server) == "degraded"
            unknown = installation.recommend(server, key="other 2")
            assert (unknown.status, unknown.headers["Retry-After"]) == (503, "1")
        assert not shoppers.problems, shoppers.problems[:3]
        assert shoppers.degraded == both(installation, "database")

        installation.postgres.start()
        wait_until(installation.is_ready, seconds=12, what="both are ready again")
        shoppers.degraded.clear()
        time.sleep(1)
    assert not shoppers.problems, shoppers.problems[:3]
    assert not shoppers.dropped
    assert shoppers.degraded == set()
    assert shoppers.slowest < 2.0
    assert shoppers.answers > 300

    for server in installation.servers:
        assert "X-Degraded" not in installation.recommend(server).headers
        assert installation.recommend(server, key="other 2").status == 200
    name = "depict_reco_degraded_answers_total"
    assert _count(installation, name, 'without="database"') > 10


def test_a_worker_that_starts_without_a_database_waits_for_it(installation):
    server = installation.servers[0]
    installation.postgres.stop()
    try:
        old = server.worker
        server.kill_worker()
        wait_until(lambda: server.worker not in (0, old), seconds=30, what="a new worker")
        response = installation.get(server, "/readyz")
        assert (response.status, response.body["status"]) == (503, "failed")
        assert installation.get(server, "/healthz").status == 200
        assert installation.recommend(server).status == 503
    finally:
        installation.postgres.start()
    wait_until(installation.is_ready, seconds=12, what="both are ready again")
    assert installation.recommend(server).status == 200


def test_redis_stops_and_starts_under_load(installation):
    with Shoppers(installation) as shoppers:
        time.sleep(0.5)
        installation.redis.stop()
        time.sleep(1.5)
        assert shoppers.degraded == both(installation, "cache")
        assert {installation.readiness(server) for server in installation.servers} == {"degraded"}

        installation.redis.start()
        wait_until(installation.is_ready, seconds=12, what="both are ready again")
        shoppers.degraded.clear()
        time.sleep(0.5)
    assert not shoppers.problems, shoppers.problems[:3]
    assert not shoppers.dropped
    assert shoppers.degraded == set()
    assert shoppers.slowest < 2.0
    assert _count(installation, "depict_reco_degraded_answers_total", 'without="cache"') > 10


def flip(folder):
    for file in folder.glob("*.npy"):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        with file.open("r+b") as opened:  # in place, as a failing disk or a careless hand does it
            opened.write(content)


def truncate(folder):
    for file in folder.glob("*.npy"):
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size // 3)


@pytest.mark.parametrize("damage", [flip, truncate, shutil.rmtree])
def test_the_files_of_the_served_model_are_damaged(installation, damage):
    folder = installation.served_folder()
    backup = installation.folder / "backup"
    shutil.copytree(folder, backup)
    expected = _complements(installation)
    try:
        with Shoppers(installation, threads=2) as shoppers:
            damage(folder)
            for server in installation.servers:
                assert installation.readiness(server) == "degraded"
            time.sleep(0.5)
        assert not shoppers.problems, shoppers.problems[:3]
        assert not shoppers.dropped
        assert _complements(installation) == expected

        server = installation.servers[1]  # also a process that starts now has the model
        old = server.worker
        server.kill_worker()
        wait_until(lambda: server.worker not in (0, old), seconds=30, what="a new worker")
        assert _complements(installation) == expected
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(backup, folder)
    wait_until(installation.is_ready, seconds=12, what="both are ready again")


def test_a_published_model_is_broken_and_mended(installation):
    installation.served_folder()
    expected = _complements(installation)
    hidden = installation.folder / "hidden"
    new = installation.do(
        "import shutil\n"
        "from pathlib import Path\n"
        "from depict_reco.artifacts.publish import publish, store_model\n"
        "from depict_reco.artifacts import publish as module\n"
        "from depict_reco.training.trainer import train\n"
        "market = Market.objects.get(tenant__slug='acme')\n"
        "artifact = store_model(market, train(market), run=None)\n"
        f"folder = Path({str(installation.folder)!r}) / 'artifacts' / artifact.path\n"
        "verify = module.store.verify\n"
        "def verify_and_lose(path):\n"  # as a bucket may: it was there a moment ago
        "    verify(path)\n"
        f"    shutil.move(folder, {str(hidden)!r})\n"
        "module.store.verify = verify_and_lose\n"
        "try:\n"
        "    publish(artifact)\n"
        "finally:\n"
        "    module.store.verify = verify\n"
        "result = artifact.path"
    )
    with Shoppers(installation, threads=2) as shoppers:
        wait_until(
            lambda: {installation.readiness(s) for s in installation.servers} == {"degraded"},
            seconds=30,
            what="both say degraded",
        )
        assert _complements(installation) == expected
        shutil.move(hidden, installation.folder / "artifacts" / new)
        wait_until(installation.is_ready, seconds=30, what="both have the mended model")
    assert not shoppers.problems, shoppers.problems[:3]
    for server in installation.servers:
        assert new.endswith(installation.version(server))


def test_a_worker_is_killed_at_any_moment(installation):
    installation.served_folder()
    expected = _complements(installation)
    victim, other = installation.servers
    with Shoppers(installation) as shoppers:
        for pause in (0.3, 0.05, 0.7):
            time.sleep(pause)
            old = victim.worker
            victim.kill_worker()
            wait_until(lambda old=old: victim.worker not in (0, old), seconds=30, what="a new one")
    assert not shoppers.problems, shoppers.problems[:3]
    assert other.name not in shoppers.dropped
    assert 0 < shoppers.dropped[victim.name] < 200
    wait_until(installation.is_ready, seconds=12, what="both are ready again")
    assert _complements(installation) == expected


def test_both_processes_are_counted_together(installation):
    before = _count(installation, "depict_reco_requests_total", 'type="new_in"')
    for server in installation.servers:
        for _ in range(5):
            installation.recommend(server, type="new_in", limit=4)

    for name in ("depict_reco_requests_total", "depict_reco_places_total"):
        pages = {_count(installation, name, 'type="new_in"', server=at) for at in (0, 1)}
        assert len(pages) == 1, "both pages tell of both processes"
    assert _count(installation, "depict_reco_requests_total", 'type="new_in"') == before + 10
    assert _count(installation, "depict_reco_knowledge_age_seconds", "") < 30


def _count(installation, name, labels, *, server=0):
    response = installation.get(installation.servers[server], "/metrics")
    assert response.status == 200
    return _sum(response.body, name, labels)


def _sum(page, name, labels):
    found = re.findall(rf"^{name}(?:{{([^}}]*)}})? (\S+)$", page, flags=re.M)
    return sum(float(value) for given, value in found if labels in given)


def _complements(installation):
    """Return what both servers recommend from the model; they must agree."""
    answers = [
        [
            (display["product_id"], display["logic"])
            for display in installation.displays(
                server, type="cross_sell", product_ids=["teapot-1"], limit=10
            )
        ]
        for server in installation.servers
    ]
    assert answers[0] == answers[1]
    assert answers[0][0][1] == "complements"
    return answers[0]
