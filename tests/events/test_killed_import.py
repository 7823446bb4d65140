"""An import that is killed and run again ends like one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from depict_reco.models import Market, Tenant

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    "deduplication_id, type, session_id, user_id, product_id, sku, quantity, price, currency, "
    "transaction_id, recommendation_id, tenant_id"
)


class Shop:
    """Two markets, in a database that this process shares with those that it kills."""

    def __init__(self, folder: Path) -> None:
        if connection.vendor == "postgresql":
            tenant = Tenant.objects.create(slug="acme", name="Acme")
            for slug in ("calm", "killed"):
                Market.objects.create(
                    tenant=tenant, slug=slug, currency="GBP", default_locale="en-GB"
                )
            settings = connection.settings_dict
            password = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
            self.url = (
                f"postgres://{settings['USER']}{password}@{settings['HOST']}:"
                f"{settings['PORT'] or 5432}/{settings['NAME']}"
            )
        else:
            self._file = folder / "shop.sqlite3"
            self.url = f"sqlite:///{self._file}"
            self.finish("migrate", "-v0")
            self.finish(
                "reco_create_tenant", "acme", "--market=calm:GBP:en-GB", "--market=killed:GBP:en-GB"
            )

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "django", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *words: str) -> str:
        process = self.start(*words)
        out, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        return out

    def kill_when(self, stored: int, *words: str) -> None:
        """Start a command, and kill it when the market has so many events."""
        process = self.start(*words)
        while self.count() < stored and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, f"it was done before: {errors}"

    def query(self, sql: str) -> list[tuple]:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()
        with closing(sqlite3.connect(self._file, timeout=60)) as database:
            return database.execute(sql).fetchall()

    def count(self) -> int:
        return self.query(f"SELECT count(*) {self._from('killed')}")[0][0]

    def events(self, market: str) -> list[tuple]:
        return self.query(f"SELECT {COLUMNS} {self._from(market)} ORDER BY deduplication_id")

    def times(self, market: str) -> list[tuple]:
        return self.query(f"SELECT time {self._from(market)} ORDER BY deduplication_id")

    def _from(self, market: str) -> str:
        return (
            "FROM depict_reco_event WHERE market_id = "  # noqa: S608
            f"(SELECT id FROM depict_reco_market WHERE slug = '{market}')"
        )


@pytest.fixture
def shop(transactional_db, tmp_path) -> Shop:
    return Shop(tmp_path)


def kill_thrice_and_compare(shop: Shop, path: Path) -> dict:
    calm = json.loads(shop.finish("reco_import_events", "acme", "calm", str(path), "--json"))
    again = ("reco_import_events", "acme", "killed", str(path), "--json")
    shares = sorted(random.uniform(0, 0.85) for _ in range(3))
    for share in shares:
        shop.kill_when(int(share * calm["stored"]), *again)
    left = shop.count()
    last = json.loads(shop.finish(*again))
    assert last["stored"] == calm["stored"] - left > 0
    assert last["stored"] + last["duplicates"] == calm["stored"] + calm["duplicates"]
    assert shop.events("killed") == shop.events("calm"), f"killed at {shares}"
    return calm


def test_events_with_times(shop, tmp_path):
    path = tmp_path / "events.csv"
    types = ("view", "purchase", "purchase")
    rows = (
        f"{1300000000 + i // 2},{types[i % 3]},u{i % 50},p{i % 997},{i % 5 - 1}\n"
        for i in range(20_000)
    )
    path.write_text("timestamp,type,user_id,product_id,quantity\n" + "".join(rows))
    result = kill_thrice_and_compare(shop, path)
    assert (result["rows"], result["rejected"]) == (20_000, 2667)
    assert shop.times("killed") == shop.times("calm")


def test_events_without_times(shop, tmp_path):
    path = tmp_path / "sessions.csv"
    rows = (f"s{i // 7},p{i % 997}\n" for i in range(20_000))
    path.write_text("session_id,item_id\n" + "".join(rows))
    kill_thrice_and_compare(shop, path)
    market = shop._from("killed")
    in_order = shop.query(f"SELECT deduplication_id {market} ORDER BY time, id")
    assert in_order == [(row[0],) for row in shop.events("calm")]
    [[first, last]] = shop.query(f"SELECT min(time), max(time) {market}")
    if connection.vendor == "postgresql":
        assert (last - first).total_seconds() == 19.999


@pytest.mark.great
def test_all_of_online_retail(shop, real_data):
    path = real_data / "online_retail_to_2011-10-31.csv.gz"
    result = kill_thrice_and_compare(shop, path)
    assert result["rows"] == 431_673
    assert result["stored"] + result["duplicates"] + result["rejected"] == 431_673
    assert shop.times("killed") == shop.times("calm")
