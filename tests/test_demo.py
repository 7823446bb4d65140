"""The demo from end to end."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.demo import Demo, demo_command, served_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with served_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


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
    takes_events_of_its_own_pages(demo)


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
        ("/uk/", "Bestsellers"),
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
    assert re.search(
        r"^Events: http://localhost:\d+/admin/depict_reco/trackingstatus/", printed, re.M
    )
    assert re.search(r"^Depict: http://localhost:\d+/uk/depict/ ", printed, re.M)
    for line in curls:
        words = shlex.split(line)
        url = words[2].replace("localhost", "127.0.0.1")
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        name, _, value = words[words.index("-H") + 1].partition(": ")
        status, answer = ask(demo, url.removeprefix(demo.url), body, **{name: value})
        assert status == 200, line
        assert isinstance(answer, list) or (answer and not answer.get("error")), line


def takes_events_of_its_own_pages(demo: Demo) -> None:
    event = {"tenant": "demo", "market": "uk", "type": "page_view", "product_id": "22423"}
    events = [{**event, "session_id": "here", "deduplication_id": "1"}]
    for host in ("localhost", "127.0.0.1"):
        origin = f"http://{host}:{demo.url.rpartition(':')[2]}"
        assert ask(demo, "/create-events", events, Origin=origin)[0] == 200
    assert ask(demo, "/create-events", events, Origin="http://other.example")[0] == 401
    viewed = {"tenant": "demo", "market": "uk", "type": "recently_viewed", "session_id": "here"}
    _, answer = ask(demo, "/v2/recommend/products/general", viewed, **header(demo))
    assert answer["displays"][0]["product_id"] == "22423"


def header(demo: Demo) -> dict[str, str]:
    return {"X-API-KEY": demo.prepared["key"]}
