"""Imports that are killed at any moment, and run again."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.utils import ConnectionHandler

from depict_reco.models import FeedRun, Product

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database_url(tmp_path: Path, transactional_db: None) -> str:
    """A database that other processes can open: PostgreSQL's test database, or a SQLite file."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{tmp_path / 'killed.sqlite3'}"
    own = connection.settings_dict
    credentials = f"{own['USER']}:{own['PASSWORD']}" if own["PASSWORD"] else own["USER"]
    return f"postgres://{credentials}@{own['HOST']}:{own['PORT'] or 5432}/{own['NAME']}"


def start(database_url: str, *words: str) -> subprocess.Popen[str]:
    """Start Python in a process of its own, with our settings and that database."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(database_url: str, function: Any, *arguments: str) -> Any:
    """Call a function of this module in another process; return what it returns."""
    code = (
        "import django, json, sys; django.setup();"
        f"from tests.feeds.test_killed_import import {function.__name__} as function;"
        "print(json.dumps(function(*sys.argv[1:])))"
    )
    process = start(database_url, "-c", code, *arguments)
    out, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


def import_undisturbed(source: str, *words: str) -> str:
    """Make a shop of two markets and import a feed into one of them."""
    call_command("migrate", verbosity=0)
    markets = ("--market", "se:SEK:sv-SE", "--market", "no:NOK:nb-NO")
    call_command("reco_create_tenant", "acme", *markets, stdout=io.StringIO())
    return import_to("no", source, *words)


def import_to(market: str, source: str, *words: str) -> str:
    out = io.StringIO()
    call_command("reco_import_feed", "acme", market, source, *words, stdout=out)
    return out.getvalue()


def import_once_more(source: str, *words: str) -> dict[str, Any]:
    """Import the feed that was killed, twice; return what both markets have then."""
    first, second = import_to("se", source, *words), import_to("se", source, *words)
    runs = FeedRun.objects.filter(market__slug="se").order_by("pk")
    return {
        "first": first,
        "second": second,
        "same": rows("se") == rows("no"),
        "count": len(rows("se")),
        "runs": [(run.status, run.message[:11]) for run in runs],
    }


def rows(market: str) -> list[Any]:
    """Return everything that an import decides about the products of a market."""
    products = Product.objects.filter(market__slug=market).prefetch_related("categories")
    settled_elsewhere = {"id", "market_id", "revision", "first_seen_at", "updated_at"}
    names = [f.attname for f in Product._meta.fields if f.attname not in settled_elsewhere]
    return [
        (
            [getattr(product, name) for name in names],
            sorted(str(category) for category in product.categories.all()),
        )
        for product in products.order_by("product_id").iterator(chunk_size=2000)
    ]


def kill(database_url: str, source: Path, words: tuple[str, ...], *, after: float) -> None:
    """Start an import, and kill it some time after it has written its first products."""
    command = ("-m", "django", "reco_import_feed", "acme", "se", str(source), *words)
    watched = ConnectionHandler({"default": dj_database_url.parse(database_url)})["default"]
    with watched.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM depict_reco_feedrun")
        last = cursor.fetchone()
        process = start(database_url, *command)
        try:
            while (
                process.poll() is None
                and last
                == (
                    cursor.execute("SELECT max(id) FROM depict_reco_feedrun"),
                    cursor.fetchone(),
                )[1]
            ):
                time.sleep(0.02)
            time.sleep(after)
        finally:
            process.kill()
            process.communicate()
    watched.close()


def check(
    database_url: str, source: Path, words: tuple[str, ...], *, count: int, seconds: float
) -> None:
    """Compare a market whose import was killed with one whose import was left in peace."""
    call(database_url, import_undisturbed, str(source), *words)
    chance = random.Random(4)
    for _ in range(3):
        kill(database_url, source, words, after=chance.uniform(0, seconds))
    found = call(database_url, import_once_more, str(source), *words)
    assert found["same"]
    assert found["count"] == count
    assert "nothing changed" in found["second"]
    assert len(found["runs"]) == 5
    assert ["failed", "Interrupted"] in found["runs"][:3]
    assert found["runs"][3:] == [["succeeded", ""]] * 2


def test_an_import_that_is_killed_and_run_again(tmp_path, database_url):
    source = tmp_path / "feed.csv"
    lines = (
        f"{n},Product {n},{n % 97}.50,Clothes > Kind {n % 40}|new,colour {n % 11}\n"
        for n in range(4000)
    )
    source.write_text("id,title,price,product_type,colour\n" + "".join(lines))
    check(database_url, source, ("--full",), count=4000, seconds=0.8)


@pytest.mark.great
def test_the_import_of_a_great_catalogue_that_is_killed_and_run_again(database_url, data):
    words = ("--map=product_id=article_id", "--map=title=prod_name")
    check(database_url, data / "hm_articles.csv.gz", words, count=105_542, seconds=15)
