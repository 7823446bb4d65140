"""The example shop: its data, its settings, its pages."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.staticfiles import finders
from django.test import Client, RequestFactory, modify_settings, override_settings

from depict_reco.models import ApiKey, Category, Market, Product, Tenant
from depict_reco.serving.pages import recommendations
from depict_reco.tasks import MarketPlan, create_tenant
from example_project.shop.drawings import drawing_of

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
        override_settings(ROOT_URLCONF="example_project.urls", VAR_DIR=tmp_path, SOCKET_PORT=8010),
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
    page = answer.content.decode()
    assert "<h2>On the rise</h2>" in page
    assert len(answer.context["for_you"]) == 6
    assert page.count("data-recommendation-id=") == 6
    assert (
        '<section class="placement" data-recommendations="popular" data-limit="6" hidden>' in page
    )
    assert len(answer.context["cards"]) == 24
    assert "1 of 2" in page
    second = client.get("/uk/?page=2")
    assert len(second.context["cards"]) == 6
    assert "data-recommendations" not in second.content.decode()
    assert client.get("/xx/").status_code == 404


@pytest.mark.usefixtures("shop")
def test_the_script_is_told_tenant_and_market(client: Client) -> None:
    page = client.get("/uk/").content.decode()
    script = '<script src="/static/depict_reco/storefront.js" defer data-tenant="demo"'
    assert f'{script} data-market="uk"></script>' in page
    assert finders.find("depict_reco/storefront.js")


@pytest.mark.usefixtures("shop")
def test_the_catalogue_can_be_narrowed(client: Client) -> None:
    answer = client.get("/uk/", {"category": "Tea & Coffee"})
    assert {card.title.split()[0] for card in answer.context["cards"]} == {"Teapot"}
    assert len(answer.context["cards"]) == 15
    section = 'data-recommendations="category" data-limit="6" data-category-id="Tea &amp; Coffee"'
    assert section in answer.content.decode()
    found = client.get("/uk/", {"q": "robot 2"})
    assert [card.title for card in found.context["cards"]] == [
        "Robot 2", "Robot 20", "Robot 22", "Robot 24", "Robot 26", "Robot 28",
    ]  # fmt: skip
    assert "data-recommendations" not in found.content.decode()


@pytest.mark.usefixtures("shop")
def test_a_product_page_shows_what_is_like_it_and_asks_for_what_goes_with_it(
    client: Client,
) -> None:
    answer = client.get("/uk/product/07")
    similar = answer.context["similar"]
    assert len(similar) == 6
    assert "07" not in {display.product_id for display in similar}
    page = answer.content.decode()
    for display in similar:
        assert f'data-recommendation-id="{display.recommendation_id}"' in page
        path = f"/uk/product/{display.product_id}"
        assert f"{path}?recommendation_id={display.recommendation_id}" in page
    assert '<meta name="depict-product-id" content="07">' in page
    assert 'data-recommendations="cross_sell" data-product-id="07"' in page
    assert 'class="buy depict-add-to-cart" data-product-id="07"' in page
    assert "£7.00 <s>£8.00</s>" in page
    assert client.get("/uk/product/none").status_code == 404


def test_the_front_page_answers_from_what_the_page_has_told(shop: Market, client: Client) -> None:
    shop.tenant.storefront_access = Tenant.StorefrontAccess.OPEN_TO_ORIGINS
    shop.tenant.origins = ["http://testserver"]
    shop.tenant.save()
    event = {"tenant": "demo", "market": "uk", "type": "page_view", "product_id": "08"}
    answer = client.post(
        "/create-events",
        json.dumps([{**event, "session_id": "0.abc"}]),
        content_type="text/plain",
        headers={"Origin": "http://testserver"},
    )
    assert answer.status_code == 200
    client.cookies["_dep_id"] = "0.abc"
    answer = client.get("/uk/")
    assert "<h2>For you</h2>" in answer.content.decode()
    assert answer.context["for_you"].question.session_id == "0.abc"
    viewed = recommendations("recently_viewed", request=answer.wsgi_request, market="uk", limit=1)
    assert [display.product_id for display in viewed] == ["08"]


@pytest.mark.usefixtures("shop")
def test_the_basket_and_an_order(client: Client) -> None:
    assert "The basket is empty" in client.get("/uk/basket").content.decode()
    for product_id in ("03", "03", "04"):
        client.post("/uk/basket/change", {"product_id": product_id})
    answer = client.get("/uk/basket")
    assert [(line.product.product_id, line.quantity) for line in answer.context["lines"]] == [
        ("03", 2),
        ("04", 1),
    ]
    assert answer.context["total"] == 13
    goes_along = answer.context["goes_along"]
    assert goes_along.question.product_ids == ("03", "04")
    assert goes_along.question.type == "checkout"
    assert answer.content.decode().count('class="depict-add-to-cart"') == len(goes_along) == 6
    client.post("/uk/basket/change", {"product_id": "04", "action": "remove"})
    assert client.get("/uk/basket").context["total"] == 8
    assert client.post("/uk/basket/change", {"product_id": "none"}).status_code == 404
    assert client.get("/uk/basket/change").status_code == 405
    placed = client.post("/uk/order", follow=True)
    assert placed.redirect_chain == [("/uk/thanks", 302)]
    page = placed.content.decode()
    text = re.search(r'id="depict-purchase" type="application/json">(.*?)<', page)
    assert text is not None
    order = json.loads(text[1])
    assert order.pop("transaction_id").startswith("shop-")
    products = [{"sku": "03", "price": "4.00", "quantity": 2}]
    assert order == {"currency": "GBP", "products": products}
    assert 'data-recommendations="after_basket" data-product-ids="03"' in page
    assert client.get("/uk/basket").context["lines"] == []
    assert client.post("/uk/order", follow=True).redirect_chain == [("/uk/basket", 302)]


@pytest.mark.usefixtures("shop")
def test_the_pages_of_depicts_client_say_how_to_build_it_and_where_the_others_are(
    client: Client,
) -> None:
    page = client.get("/uk/depict/product/07").content.decode()
    assert "npm --prefix tests/e2e/browser run shop" in page
    assert 'href="/uk/product/07"' in page
    assert "storefront.js" not in page
    assert "data-recommendation-id" not in page
    assert 'href="/uk/depict/product/07"' in client.get("/uk/product/07").content.decode()


@pytest.fixture
def built(shop: Market, tmp_path: Path) -> Iterator[None]:
    """A shop where Depict's client has been bundled."""
    (tmp_path / "react.js").touch()
    with override_settings(STATICFILES_DIRS=[("depict", tmp_path)]):
        finders.get_finder.cache_clear()
        yield
    finders.get_finder.cache_clear()


@pytest.mark.usefixtures("built")
def test_the_pages_of_depicts_client_say_what_it_is_to_fill(client: Client) -> None:
    page = client.get("/uk/depict/product/07").content.decode()
    assert 'data-depict="similar" data-title="Similar to this" data-product-id="07"' in page
    assert 'data-depict="cross_sell"' in page
    assert '<script src="/static/depict/react.js" type="module"></script>' in page
    assert 'data-tenant="demo" data-market="uk" data-product-id="07"' in page
    assert "npm --prefix" not in page
    front = client.get("/uk/depict/").content.decode()
    assert 'data-depict="for_you"' in front
    assert "/static/depict/plain.js" in front
    assert 'data-depict="category"' in client.get("/uk/depict/?category=Toys").content.decode()


@pytest.mark.usefixtures("built")
def test_both_forms_of_the_shop_have_one_basket(client: Client) -> None:
    added = client.post("/uk/depict/basket/change", {"product_id": "03"}, follow=True)
    assert added.redirect_chain == [("/uk/depict/basket", 302)]
    client.post("/uk/basket/change", {"product_id": "04"})
    assert 'data-product-ids="03,04"' in client.get("/uk/depict/basket").content.decode()
    thanks = client.post("/uk/depict/order", follow=True)
    assert thanks.redirect_chain == [("/uk/depict/thanks", 302)]
    assert 'data-depict="after_basket"' in thanks.content.decode()


def test_a_demo_without_its_websocket_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from example_project.shop import depict

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"No WebSocket on port {port} (SOCKET_PORT" in depict.serve_socket(port)
    monkeypatch.setattr(depict, "find_spec", lambda name: None)
    assert "pip install '.[websocket]'" in depict.serve_socket(port)


def test_the_curl_on_a_page_asks_what_the_page_asked(shop: Market, client: Client) -> None:
    from example_project.shop.placements import exchange_of
    from example_project.shop.state import DemoState

    _, secret = ApiKey.objects.issue(shop.tenant, name="demo", scopes=["recommend"])
    DemoState(key=secret).save()
    page = client.get("/uk/product/07")
    assert secret not in page.content.decode()  # DEBUG is off
    with override_settings(DEBUG=True):
        exchange = exchange_of(page.context["similar"], request=page.wsgi_request)
    assert exchange is not None
    assert f"X-API-KEY: {secret}" in exchange.curl
    answer = client.post(
        exchange.address,
        data=exchange.request,
        content_type="application/json",
        headers={"X-API-KEY": secret},
    )
    shown = json.loads(exchange.response)["displays"]
    assert [one["product_id"] for one in answer.json()["displays"]] == [
        one["product_id"] for one in shown
    ]


@pytest.mark.parametrize(
    ("about", "endpoint", "names"),
    [
        ({"product_ids": ["01", "02"]}, "products", {"product_ids", "limit"}),
        ({"category": "Toys"}, "category", {"category_id", "limit"}),
        ({"session": "me"}, "general", {"session_id", "limit"}),
    ],
)
def test_what_stands_behind_a_row(
    shop: Market, rf: RequestFactory, about: dict[str, Any], endpoint: str, names: set[str]
) -> None:
    from example_project.shop.placements import exchange_of

    found = recommendations("trending", market=shop, limit=3, **about)
    exchange = exchange_of(found, request=rf.get("/"))
    assert exchange is not None
    assert exchange.address == f"/v2/recommend/products/{endpoint}"
    assert set(json.loads(exchange.request)) == {"tenant", "market", "type", *names}
    assert exchange_of(recommendations("none", market=shop), request=rf.get("/")) is None


def test_tiles_are_well_formed_pictures(shop: Market, client: Client) -> None:
    Product.objects.filter(product_id="01").change(title='<b>"Salt" & pepper</b> ' + "long " * 30)
    answer = client.get("/tile/01.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    picture = ElementTree.fromstring(answer.content)  # noqa: S314  our own
    assert picture.get("aria-label", "").startswith('<b>"Salt" & pepper</b>')
    assert client.get("/tile/01.svg").content == answer.content
    assert client.get("/tile/unknown/one.svg").status_code == 200


@pytest.mark.parametrize(
    ("title", "like"),
    [
        ("Red Retrospot Cake Stand", "Blue Cakestand"),
        ("Ivory T-Light Holder", "Vanilla Candle"),
        ("Heart Of Wicker Mug", "Mug"),
        ("Regency Teapot Roses", "Teapot"),
        ("Hearts And Roses", "Hanging Rose"),
        ("Mystery", "Something Else"),
    ],
)
def test_a_tile_shows_the_thing_that_the_title_ends_with(title: str, like: str) -> None:
    assert drawing_of(title).template == drawing_of(like).template
    assert drawing_of("Mug").template != drawing_of("Mystery").template


def test_secrets_are_kept_from_others(shop_urls: None, tmp_path: Path) -> None:
    from example_project.shop.state import DemoState

    assert DemoState.load() == DemoState()
    DemoState(key="k", admin_password="p", shop_url="u").save()
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    assert DemoState.load() == DemoState(key="k", admin_password="p", shop_url="u")
    (tmp_path / "demo.json").write_text("{")
    assert DemoState.load() == DemoState()
