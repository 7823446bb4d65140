"""The example shop: its data, its settings, its pages, and the demo from end to end."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client, modify_settings, override_settings

from depict_reco.models import ApiKey, Category, Market, Product
from depict_reco.tasks import MarketPlan, create_tenant

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "example_project/data"
REAL_DATA = Path(os.environ.get("DEPICT_RECO_DATA") or ROOT.parent / "shared/data")
SOURCE = REAL_DATA / "online_retail_to_2011-10-31.csv.gz"


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- the data --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def extract() -> ModuleType:
    spec = importlib.util.spec_from_file_location("extract", DATA / "extract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["extract"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("shouted", "title"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("SET/6 RED CUPS", "Set/6 Red Cups"),
        ("CHILDREN'S APRON", "Children's Apron"),
        ("60CM TREE", "60Cm Tree"),
    ],
)
def test_titles_are_no_longer_shouted(extract: ModuleType, shouted: str, title: str) -> None:
    assert extract.title_case(shouted) == title


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("Regency Cakestand 3 Tier", "Baking & Cakes"),
        ("Green Regency Teacup And Saucer", "Tea & Coffee"),
        ("Set Of 6 T-Lights", "Candles & Lights"),
        ("Christmas Tea Towel", "Christmas"),
        ("Frying Pan Red Retrospot", "Home & Gifts"),
    ],
)
def test_words_of_a_title_tell_its_category(extract: ModuleType, title: str, category: str) -> None:
    assert extract.category(title) == category


def invoice_line(**values: str) -> dict[str, str]:
    return {
        "InvoiceNo": "536365",
        "StockCode": "22423",
        "Description": "REGENCY CAKESTAND 3 TIER",
        "Quantity": "1",
        "InvoiceDate": "2011-10-01 10:00",
        "UnitPrice": "12.75",
        "CustomerID": "17850",
        "Country": "United Kingdom",
        **values,
    }


@pytest.mark.parametrize(
    "line",
    [
        invoice_line(StockCode="POST", Description="POSTAGE"),
        invoice_line(StockCode="GIFT_0001_20"),
        invoice_line(InvoiceNo="C536365"),
        invoice_line(Quantity="-1"),
        invoice_line(UnitPrice="0.0"),
        invoice_line(Description="wrongly coded"),
        invoice_line(Description=""),
    ],
    ids=lambda line: "-".join(line[name] for name in ("StockCode", "InvoiceNo", "Description")),
)
def test_what_is_no_sale_of_a_product_is_not_in_the_feed(
    extract: ModuleType, line: dict[str, str]
) -> None:
    assert extract.collect([line]) == {}


def test_a_feed_row_says_what_the_invoices_say(extract: ModuleType) -> None:
    lines = [
        *(invoice_line(StockCode="22423A", InvoiceDate="2011-03-01 10:00") for _ in range(9)),
        *(invoice_line(StockCode="22423A", UnitPrice="9.95") for _ in range(5)),
        invoice_line(StockCode="22423A", Country="France", UnitPrice="14.00"),
        invoice_line(StockCode="10001", Description="OLD TEAPOT", InvoiceDate="2011-01-01 10:00"),
    ]
    products = extract.collect(lines)
    today = datetime(2011, 10, 2)
    uk = [
        dict(zip(extract.FEED_COLUMNS, row, strict=True))
        for row in extract.feed_rows(products, market="uk", today=today)
    ]
    assert uk[1] == {
        "product_id": "22423A",
        "sku": "22423A",
        "item_group_id": "22423",
        "title": "Regency Cakestand 3 Tier",
        "category_ids": "Baking & Cakes",
        "price": "12.75",
        "sale_price": "9.95",
        "availability": "in stock",
        "image_url": "http://localhost:8000/tile/22423A.svg",
        "page_url": "http://localhost:8000/uk/product/22423A",
    }
    assert (uk[0]["product_id"], uk[0]["availability"]) == ("10001", "out of stock")
    (french,) = extract.feed_rows(products, market="fr", today=today)
    assert (french[5], french[6]) == ("14.00", "")


def test_the_shipped_data_is_small_and_names_its_source() -> None:
    assert sum(path.stat().st_size for path in DATA.glob("*.gz")) < 4_000_000
    notice = (DATA / "NOTICE.md").read_text(encoding="utf-8")
    assert "Online Retail, D. Chen, UCI Machine Learning Repository, 2015" in notice
    assert "CC BY 4.0" in notice


def test_the_shipped_feeds_have_sound_rows() -> None:
    for market, least in (("uk", 3500), ("de", 1500), ("fr", 1200), ("ie", 1700)):
        products = rows(DATA / f"products_{market}.csv.gz")
        assert len(products) > least
        assert len({row["product_id"] for row in products}) == len(products)
        assert all(float(row["price"]) > 0 and row["title"] for row in products)
        assert {row["availability"] for row in products} == {"in stock", "out of stock"}
        assert not {"POST", "M", "D", "DOT"} & {row["product_id"] for row in products}


@pytest.mark.slow
def test_the_script_makes_the_shipped_files(tmp_path: Path) -> None:
    if not SOURCE.exists():
        pytest.skip(f"needs {SOURCE.name} in the folder that DEPICT_RECO_DATA names")
    script = [sys.executable, DATA / "extract.py", SOURCE, "--output", tmp_path]
    subprocess.run(script, check=True, capture_output=True)
    shipped = sorted(DATA.glob("*.gz"))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [path.name for path in shipped]
    for path in shipped:
        made = gzip.decompress((tmp_path / path.name).read_bytes())
        assert made == gzip.decompress(path.read_bytes()), path.name


# --- the settings ----------------------------------------------------------------------------


def example_settings(tmp_path: Path, *names: str, **environment: str) -> list[Any]:
    """Read settings of the example in a new process with just this environment."""
    program = (
        "import json, example_project.settings as s;"
        f"print(json.dumps([getattr(s, name, None) for name in {names!r}]))"
    )
    known = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "SECRET_KEY", "DEBUG"}
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**known, "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    values: list[Any] = json.loads(done.stdout)
    return values


def test_no_variable_is_needed(tmp_path: Path) -> None:
    debug, hosts, databases, caches = example_settings(
        tmp_path, "DEBUG", "ALLOWED_HOSTS", "DATABASES", "CACHES"
    )
    assert debug is True
    assert hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert databases["default"]["NAME"] == str(tmp_path / "db.sqlite3")
    assert "WAL" in databases["default"]["OPTIONS"]["init_command"]
    assert caches is None


def test_the_environment_decides(tmp_path: Path) -> None:
    key, debug, hosts, databases, caches, secure = example_settings(
        tmp_path,
        "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "DATABASES", "CACHES", "SESSION_COOKIE_SECURE",
        SECRET_KEY="hush",
        DEBUG="0",
        ALLOWED_HOSTS="shop.example, www.shop.example",
        DATABASE_URL="postgres://me@db.example/shop",
        REDIS_URL="redis://cache.example/1",
    )  # fmt: skip
    assert (key, debug, secure) == ("hush", False, True)
    assert hosts == ["shop.example", "www.shop.example"]
    assert databases["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert "OPTIONS" not in databases["default"] or not databases["default"]["OPTIONS"]
    assert caches["default"]["LOCATION"] == "redis://cache.example/1"


def test_a_secret_key_is_asked_for_without_debug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Set SECRET_KEY in the environment"):
        example_settings(tmp_path, "DEBUG", DEBUG="0")


# --- the pages -------------------------------------------------------------------------------


@pytest.fixture
def shop_urls(tmp_path: Path) -> Iterator[None]:
    with (
        modify_settings(INSTALLED_APPS={"append": "example_project.shop"}),
        override_settings(ROOT_URLCONF="example_project.urls", VAR_DIR=tmp_path),
    ):
        yield


@pytest.fixture
def shop(db: None, shop_urls: None) -> Market:
    plan = MarketPlan(slug="uk", currency="GBP", default_locale="en-GB")
    create_tenant("demo", markets=[plan])
    market = Market.objects.get()
    tea, toys = (
        Category.objects.create(market=market, category_id=name, name=name)
        for name in ("Tea & Coffee", "Toys")
    )
    for number in range(30):
        product = Product.objects.create(
            market=market,
            product_id=f"{number:02}",
            title=f"{'Teapot' if number % 2 else 'Robot'} {number}",
            price=number + 1,
            sale_price=number if number == 7 else None,
            page_url=f"http://localhost:8000/uk/product/{number:02}",
            image_url=f"http://localhost:8000/tile/{number:02}.svg",
        )
        product.categories.add(tea if number % 2 else toys)
    return market


@pytest.mark.usefixtures("db", "shop_urls")
def test_an_empty_shop_says_what_to_do(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 503
    assert "python manage.py demo" in answer.content.decode()


@pytest.mark.usefixtures("shop")
def test_the_front_page_shows_the_catalogue_under_recommendations(client: Client) -> None:
    answer = client.get("/", follow=True)
    assert answer.redirect_chain == [("/uk/", 302)]
    assert [one.title for one in answer.context["placements"]] == ["Popular now"]
    assert len(answer.context["placements"][0].cards) == 6
    assert len(answer.context["cards"]) == 24
    assert "1 of 2" in answer.content.decode()
    assert len(client.get("/uk/?page=2").context["cards"]) == 6
    assert client.get("/xx/").status_code == 404


@pytest.mark.usefixtures("shop")
def test_the_catalogue_can_be_narrowed(client: Client) -> None:
    answer = client.get("/uk/", {"category": "Tea & Coffee"})
    assert {card.title.split()[0] for card in answer.context["cards"]} == {"Teapot"}
    assert len(answer.context["cards"]) == 15
    assert answer.context["placements"][0].address == "/v2/recommend/products/category"
    found = client.get("/uk/", {"q": "robot 2"})
    assert [card.title for card in found.context["cards"]] == [
        "Robot 2", "Robot 20", "Robot 22", "Robot 24", "Robot 26", "Robot 28",
    ]  # fmt: skip
    assert found.context["placements"] == []


@pytest.mark.usefixtures("shop")
def test_a_product_page_shows_two_placements_and_is_remembered(client: Client) -> None:
    answer = client.get("/uk/product/07")
    assert [one.title for one in answer.context["placements"]] == [
        "Similar to this",
        "Goes well with it",
    ]
    for placement in answer.context["placements"]:
        assert len(placement.cards) == 6
        assert "Teapot 7" not in {card.title for card in placement.cards}
        assert all(card.url.startswith("/uk/product/") for card in placement.cards)
        asked = json.loads(placement.request)
        assert (asked["tenant"], asked["market"], asked["product_id"]) == ("demo", "uk", "07")
    page = answer.content.decode()
    assert "£7.00" in page
    assert "<s>£8.00</s>" in page
    welcome = client.get("/uk/").context["placements"][0]
    assert welcome.title == "For you"
    assert json.loads(welcome.request)["product_ids"] == ["07"]
    assert client.get("/uk/product/none").status_code == 404


@pytest.mark.usefixtures("shop")
def test_the_basket(client: Client) -> None:
    for product_id in ("03", "03", "04"):
        client.post("/uk/basket/change", {"product_id": product_id})
    answer = client.get("/uk/basket")
    assert [(line.product.product_id, line.quantity) for line in answer.context["lines"]] == [
        ("03", 2),
        ("04", 1),
    ]
    assert answer.context["total"] == "£13.00"
    placement = answer.context["placements"][0]
    assert json.loads(placement.request)["product_ids"] == ["03", "04"]
    assert json.loads(placement.request)["type"] == "checkout"
    client.post("/uk/basket/change", {"product_id": "03", "action": "remove"})
    assert client.get("/uk/basket").context["total"] == "£5.00"
    assert client.post("/uk/basket/change", {"product_id": "none"}).status_code == 404
    assert client.get("/uk/basket/change").status_code == 405


def test_the_curl_on_a_page_asks_what_the_page_asked(shop: Market, client: Client) -> None:
    from example_project.shop.state import DemoState

    _, secret = ApiKey.objects.issue(shop.tenant, name="demo", scopes=["recommend"])
    DemoState(key=secret).save()
    placement = client.get("/uk/product/07").context["placements"][0]
    assert secret not in placement.curl  # DEBUG is off
    with override_settings(DEBUG=True):
        placement = client.get("/uk/product/07").context["placements"][0]
    assert f"X-API-KEY: {secret}" in placement.curl
    answer = client.post(
        placement.address,
        data=placement.request,
        content_type="application/json",
        headers={"X-API-KEY": secret},
    )
    shown = json.loads(placement.response)["displays"]
    assert [one["product_id"] for one in answer.json()["displays"]] == [
        one["product_id"] for one in shown
    ]


def test_tiles_are_well_formed_pictures(shop: Market, client: Client) -> None:
    Product.objects.filter(product_id="01").change(title='<b>"Salt" & pepper</b> ' + "long " * 30)
    answer = client.get("/tile/01.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    picture = ElementTree.fromstring(answer.content)  # noqa: S314  our own
    assert picture.get("aria-label", "").startswith('<b>"Salt" & pepper</b>')
    assert client.get("/tile/01.svg").content == answer.content
    assert client.get("/tile/unknown/one.svg").status_code == 200


def test_secrets_are_kept_from_others(shop_urls: None, tmp_path: Path) -> None:
    from example_project.shop.state import DemoState

    assert DemoState.load() == DemoState()
    DemoState(key="k", admin_password="p", shop_url="u").save()
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    assert DemoState.load() == DemoState(key="k", admin_password="p", shop_url="u")
    (tmp_path / "demo.json").write_text("{")
    assert DemoState.load() == DemoState()


# --- the demo --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A served demo."""

    url: str
    prepared: dict[str, Any]
    seconds: float
    """What its preparation cost of one core, whatever else that was doing."""
    folder: Path


def demo_command(*words: str, folder: Path) -> dict[str, Any]:
    """What to run the demo with: a folder of its own, and none of the suite's settings."""
    drop = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DEBUG", "SECRET_KEY"}
    return {
        "args": [sys.executable, "manage.py", "demo", "--json", *words],
        "cwd": ROOT,
        "env": {k: v for k, v in os.environ.items() if k not in drop} | {"VAR_DIR": str(folder)},
        "text": True,
    }


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Prepare the demo once, then serve it from a second run."""
    folder = tmp_path_factory.mktemp("demo")
    before = os.times()
    first = subprocess.run(**demo_command("--no-serve", folder=folder), capture_output=True)
    assert first.returncode == 0, first.stderr
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            **demo_command("--port", str(port), folder=folder), stdout=subprocess.PIPE, stderr=log
        ) as server,
    ):
        try:
            assert server.stdout is not None
            prepared = json.loads(server.stdout.readline())
            assert prepared == json.loads(first.stdout), "a second run reuses what stands"
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            yield Demo(url=url, prepared=prepared, seconds=seconds, folder=folder)
        finally:
            server.terminate()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=30).close()  # noqa: S310
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def ask(
    demo: Demo, path: str, body: dict[str, Any] | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(demo.url + path, data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def titles(answer: dict[str, Any]) -> list[str]:
    return [display["title"] for display in answer["displays"]]


@pytest.mark.slow
def test_the_demo_from_end_to_end(demo: Demo) -> None:
    assert set(demo.prepared) == {
        "tenant", "market", "markets", "key", "product_id", "admin_user", "admin_password",
    }  # fmt: skip
    assert (demo.prepared["tenant"], demo.prepared["market"]) == ("demo", "uk")
    assert demo.prepared["markets"] == ["uk", "de", "fr", "ie"]
    assert demo.seconds < 180
    recommends_what_goes_together(demo)
    opens_to_each_place_of_the_key_and_nobody_else(demo)
    answers_in_every_market(demo)
    shows_the_shop_and_the_admin(demo)
    prints_curls_that_work(demo)


PRODUCTS = "/v2/recommend/products/products"
BASKET = {"tenant": "demo", "market": "uk", "type": "checkout", "product_ids": ["22423", "22699"]}


def recommends_what_goes_together(demo: Demo) -> None:
    """A cake stand for tea time goes with teacups and the like."""
    body = {**BASKET, "type": "cross_sell", "product_ids": [demo.prepared["product_id"]]}
    status, answer = ask(demo, PRODUCTS, {**body, "limit": 10}, **header(demo))
    assert status == 200
    assert len(answer["displays"]) == 10
    fitting = [title for title in titles(answer) if re.search("Tea|Cake|Regency", title)]
    assert len(fitting) >= 4, titles(answer)
    shop = demo.url.replace("127.0.0.1", "localhost")
    assert all(display["page_url"].startswith(shop) for display in answer["displays"])


def opens_to_each_place_of_the_key_and_nobody_else(demo: Demo) -> None:
    key = demo.prepared["key"]
    answers = [
        ask(demo, PRODUCTS, BASKET, **header(demo)),
        ask(demo, f"{PRODUCTS}?api_key={key}", BASKET),
        ask(demo, PRODUCTS, BASKET, Cookie=f"X-API-KEY={key}"),
    ]
    assert [status for status, _ in answers] == [200, 200, 200]
    assert titles(answers[0][1]) == titles(answers[1][1]) == titles(answers[2][1])
    assert ask(demo, PRODUCTS, BASKET)[0] == 401
    assert ask(demo, PRODUCTS, {**BASKET, "tenant": "other"}, **header(demo))[0] == 403
    assert ask(demo, PRODUCTS, {**BASKET, "more": 1}, **header(demo))[0] == 422


def answers_in_every_market(demo: Demo) -> None:
    for market in demo.prepared["markets"]:
        body = {**BASKET, "market": market, "limit": 20}
        status, answer = ask(demo, PRODUCTS, body, **header(demo))
        assert (status, len(answer["displays"])) == (200, 20), market


def shows_the_shop_and_the_admin(demo: Demo) -> None:
    for path, words in (
        ("/uk/", "Popular now"),
        (f"/uk/product/{demo.prepared['product_id']}", "Regency Cakestand 3 Tier"),
        ("/de/basket", "The basket is empty"),
        ("/admin/login/", "Log in"),
        ("/static/shop/shop.css", ".placement"),
    ):
        with urllib.request.urlopen(demo.url + path, timeout=30) as page:  # noqa: S310
            assert words in page.read().decode(), path


def prints_curls_that_work(demo: Demo) -> None:
    port = demo.url.rpartition(":")[2]
    command = demo_command("--no-serve", "--port", port, folder=demo.folder)
    command["args"].remove("--json")
    printed = subprocess.run(**command, capture_output=True, check=True).stdout
    assert f"password {demo.prepared['admin_password']}" in printed
    curls = [line for line in printed.splitlines() if line.startswith("curl ")]
    assert len(curls) == 9
    for line in curls:
        words = shlex.split(line)
        url = words[2].replace("localhost", "127.0.0.1")
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        name, _, value = words[words.index("-H") + 1].partition(": ")
        status, answer = ask(demo, url.removeprefix(demo.url), body, **{name: value})
        assert status == 200, line
        assert isinstance(answer, list) or (answer and not answer.get("error")), line


def header(demo: Demo) -> dict[str, str]:
    return {"X-API-KEY": demo.prepared["key"]}
