"""What storefronts send of their shoppers, by HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from depict_reco.api.pressure import event_gate
from depict_reco.models import ApiKey, Event, Market, Product, Refusal
from depict_reco.serving.defaults import add_default_types
from depict_reco.serving.tracking import recommendation_ids
from depict_reco.tasks import import_feed
from tests.shop import add_product

PAGE = "https://bazaar.example"
VIEW = {"tenant": "bazaar", "market": "de", "type": "page_view", "dsid": "d.1", "product_id": "p1"}
CLICK = {"tenant": "bazaar", "market": "de", "type": "click", "dsid": "d.1"}
ORDER = {
    "transaction_id": "o1",
    "currency": "EUR",
    "products": [
        {"sku": "sku-a", "price": 12.5, "quantity": 2},
        {"sku": "sku-b", "price": "3.10", "quantity": 1},
    ],
}


@pytest.fixture
def market(bazaar):
    return Market.objects.get(tenant=bazaar)


@pytest.fixture
def post(bazaar):
    client = Client()

    def send(path, body, *, content_type="application/json", origin=PAGE, **headers):
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {**headers, **({"origin": origin} if origin else {})}
        return client.post(path, data, content_type=content_type, headers=headers)

    return send


def taken(answer):
    assert answer.status_code == 200, answer.content
    return answer.json()["accepted"], answer.json()["duplicates"]


def order(post, *events, **kwargs):
    body = {"tenant": "bazaar", "market": "de", "events": list(events)}
    return post("/v2/create-events", body, **kwargs)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "",
     "multipart/form-data; boundary=x"],
)  # fmt: skip
def test_a_body_is_json_whatever_its_content_type(post, content_type):
    assert taken(post("/create-events", [VIEW], content_type=content_type)) == (1, 0)
    event = Event.objects.get()
    assert (event.type, event.session_id, event.user_id, event.product_id) == (
        "page_view", "d.1", "", "p1",
    )  # fmt: skip


def test_the_answer_is_exactly_200_and_small(post):
    answer = post("/create-events", [VIEW])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.content == b'{"accepted": 1, "duplicates": 0}'


def test_what_the_real_client_sends_of_a_page(post):
    body = {
        "type": "page_view", "product_id": "p1", "dsid": "1f3.x", "url": "https://bazaar.example/p",
        "document_width": 800, "document_referrer": "", "market": "de", "tenant": "bazaar",
        "entity_price": 9.5,
    }  # fmt: skip
    assert taken(post("/create-events", [body])) == (1, 0)
    assert Event.objects.get().price == Decimal("9.5")


@pytest.mark.parametrize(
    ("price", "stored"),
    [("100$", "100"), ("1.299,00 €", "1299"), (12.5, "12.5"), (7, "7"), ("free", None),
     (1e300, None), (-3, None), ("9" * 200, None), (None, None)],
)  # fmt: skip
def test_prices_come_as_numbers_and_as_texts(post, price, stored):
    assert taken(post("/create-events", [{**VIEW, "entity_price": price}])) == (1, 0)
    assert Event.objects.get().price == (stored and Decimal(stored))


class ReadsForms:
    """A middleware of the project's that looks into every form that comes in."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.POST.get("csrfmiddlewaretoken")
        return self.get_response(request)


@pytest.mark.parametrize("middleware", [[], ["tests.api.test_events.ReadsForms"]])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", ["/create-events", "/v2/create-events", "/v2/track"])
def test_pages_have_no_csrf_token_and_send_json_as_a_form(
    market, settings, middleware, content_type, path
):
    settings.MIDDLEWARE = [*middleware, *settings.MIDDLEWARE]
    assert "django.middleware.csrf.CsrfViewMiddleware" in settings.MIDDLEWARE
    body = {"tenant": "bazaar", "market": "de", "events": [{"transaction_id": "o", "dsid": "d"}]}
    client = Client(enforce_csrf_checks=True, headers={"origin": PAGE})
    client.cookies["csrftoken"] = "a" * 32
    sent = json.dumps([VIEW] if path == "/create-events" else body)
    assert taken(client.post(path, sent, content_type=content_type)) == (1, 0)


def test_one_malformed_event_fails_the_request_by_its_index(post):
    answer = post("/create-events", [VIEW, {**VIEW, "type": "jump"}, VIEW])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", 1, "type"]
    assert not Event.objects.exists()


def test_a_click_counts_once_though_it_is_reported_twice(post):
    click = {**CLICK, "recommendation_id": "r-1"}
    assert taken(post("/create-events", [click])) == (1, 0)
    assert taken(post("/create-events", [{**click, "type": "ws_click"}])) == (0, 1)
    assert taken(post("/create-events", [{**click, "dsid": "drawn anew"}])) == (0, 1)
    assert taken(post("/create-events", [{**click, "recommendation_id": "r-2"}])) == (1, 0)
    assert set(Event.objects.values_list("type", flat=True)) == {"click"}


def test_an_order_is_stored_line_by_line_and_once(post, market):
    add_product(market, "a", sku="sku-a")
    assert taken(order(post, {**ORDER, "dsid": "d.1"})) == (2, 0)
    assert taken(order(post, {**ORDER, "event_type": "purchase"})) == (0, 2)
    rows = Event.objects.order_by("sku").values_list(
        "type", "product_id", "sku", "quantity", "price", "currency", "transaction_id", "session_id"
    )
    assert list(rows) == [
        ("purchase", "a", "sku-a", 2, Decimal("12.5"), "EUR", "o1", "d.1"),
        ("purchase", "", "sku-b", 1, Decimal("3.1"), "EUR", "o1", "d.1"),
    ]


def test_a_click_names_its_product_by_the_recommendation(post, market):
    product = add_product(market, "p1")
    [id_] = recommendation_ids([product.pk], type_pk=1, now=timezone.now())
    assert taken(post("/create-events", [{**CLICK, "recommendation_id": id_}])) == (1, 0)
    assert Event.objects.get().product_id == "p1"


def test_a_mapping_joins_session_user_and_order(post):
    taken(post("/create-events", [VIEW]))
    taken(order(post, ORDER))
    mapping = {"transaction_id": "o1", "dsid": "d.1", "user_id": "anna"}
    assert taken(order(post, mapping)) == (1, 0)
    assert taken(order(post, mapping)) == (0, 1)
    assert set(Event.objects.values_list("session_id", "user_id")) == {("d.1", "anna")}


def test_an_unavailable_product_is_taken_out(post, market):
    add_product(market, "p1")
    gone = {"event_type": "product_unavailable", "product_id": "p1"}
    assert taken(order(post, {**gone, "unavailability_type": "out_of_stock"})) == (1, 0)
    assert not Product.objects.get().active


def test_pages_take_out_a_small_share_in_a_day_and_keys_any(post, bazaar, market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "PAGES_WITHDRAW_SHARE": 0.4}
    for number in range(40):
        add_product(market, f"p{number}", item_group_id=f"g{number // 20}")
    gone = {"event_type": "product_unavailable", "unavailability_type": "missing"}
    groups = [{**gone, "product_id": name} for name in ("g0", "g1")]
    assert taken(order(post, *groups)) == (2, 0)
    assert Product.objects.filter(active=False).count() == 16
    assert taken(order(post, *groups)) == (2, 0)
    assert Product.objects.filter(active=False).count() == 16
    Product.objects.update(withdrawn_at=timezone.now() - timedelta(days=1, seconds=1))
    assert taken(order(post, *groups)) == (2, 0)
    assert Product.objects.filter(active=False).count() == 16 + 10  # 40 % of 24 are fewer than ten
    _, secret = ApiKey.objects.issue(bazaar, name="web", scopes=["events"])
    assert taken(order(post, *groups, **{"x-api-key": secret})) == (2, 0)
    assert not Product.objects.filter(active=True).exists()


def test_pages_may_be_kept_from_taking_products_out(post, bazaar, market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "PAGES_MAY_WITHDRAW": False}
    add_product(market, "p1")
    gone = {"event_type": "product_unavailable", "product_id": "p1"}
    gone["unavailability_type"] = "missing"
    assert taken(order(post, gone)) == (1, 0)
    assert Product.objects.get().active
    _, secret = ApiKey.objects.issue(bazaar, name="web", scopes=["events"])
    assert taken(order(post, gone, **{"x-api-key": secret})) == (1, 0)
    assert not Product.objects.get().active


def test_a_market_that_is_not_there_is_said(post):
    answer = post("/create-events", [VIEW, {**VIEW, "market": "nowhere"}])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", 1, "market"]
    assert not Event.objects.exists()


def test_a_key_needs_the_scope(post, acme):
    body = [{**VIEW, "tenant": "acme", "market": "se"}]
    for scope, status in (("recommend", 403), ("events", 200)):
        _, secret = ApiKey.objects.issue(acme, name=scope, scopes=[scope])
        answer = post(f"/create-events?api_key={secret}", body, origin=None)
        assert answer.status_code == status
    assert post("/create-events", body).status_code == 401


def test_too_many_at_once_are_sent_away(post, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "MAX_EVENT_REQUESTS": 1}
    with event_gate().entered(limit=1):
        answer = post("/create-events", [VIEW])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert taken(post("/create-events", [VIEW])) == (1, 0)


# across origins


PATHS = ["/create-events", "/v2/create-events", "/v2/track"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_is_answered_without_a_key_or_a_redirect(client, bazaar, path, slash):
    answer = client.options(
        path + slash,
        headers={
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"]
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Vary"] == "Origin"
    stranger = client.options(path, headers={"origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_page_with_credentials_gets_its_own_origin_echoed(post, slash):
    answer = post(f"/create-events{slash}", [VIEW])
    assert taken(answer) == (1, 0)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Vary"] == "Origin"


def test_pages_of_other_shops_and_no_page_at_all_need_a_key(post, acme):
    for origin in ("https://acme.example", "https://evil.example", None):
        answer = post("/create-events", [VIEW], origin=origin)
        assert answer.status_code == 401
    assert not Event.objects.exists()


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
def test_a_key_is_taken_in_each_place(client, acme, place):
    _, secret = ApiKey.objects.issue(acme, name="web", scopes=["events"])
    if place == "cookie":
        client.cookies["X-API-KEY"] = secret
    answer = client.post(
        "/create-events" + (f"?api_key={secret}" if place == "query" else ""),
        json.dumps([{**VIEW, "tenant": "acme", "market": "se"}]),
        content_type="application/json",
        headers={"x-api-key": secret} if place == "header" else {},
    )
    assert taken(answer) == (1, 0)


def test_an_event_of_another_shop_fails_all(post, acme):
    other = {**VIEW, "tenant": "acme", "market": "se"}
    assert post("/create-events", [VIEW, other]).status_code == 401
    _, secret = ApiKey.objects.issue(acme, name="web", scopes=["events"])
    answer = post("/create-events", [other, VIEW], **{"x-api-key": secret})
    assert answer.status_code == 403
    assert not Event.objects.exists()


def test_events_of_two_markets_in_one_request(post, bazaar):
    Market.objects.create(tenant=bazaar, slug="at", currency="EUR", default_locale="de-AT")
    events = [VIEW, {**VIEW, "market": "at"}, VIEW]
    assert taken(post("/create-events", events)) == (3, 0)
    assert sorted(Event.objects.values_list("market__slug", flat=True)) == ["at", "de", "de"]


# bounds


def test_no_events_are_no_error(post):
    assert taken(post("/create-events", [])) == (0, 0)
    assert taken(order(post)) == (0, 0)


@pytest.mark.parametrize(
    ("body", "type_"),
    [("", "missing"), ("{", "json_invalid"), ("{}", "list_type"), ("[1]", "model_attributes_type"),
     (b"\xff", "json_invalid")],
)  # fmt: skip
def test_bodies_that_are_none(post, body, type_):
    answer = post("/create-events", body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == type_


def test_too_many_events_and_too_large_bodies(post, settings):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO, "MAX_EVENTS_PER_REQUEST": 2, "MAX_BODY_BYTES": 4000,
    }  # fmt: skip
    assert taken(post("/create-events", [VIEW] * 2)) == (2, 0)
    answer = post("/create-events", [VIEW] * 3)
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "too_long")
    lines = {**ORDER, "products": ORDER["products"] * 2}
    assert order(post, lines).json()["detail"][0]["loc"] == ["body", "events"]
    assert post("/create-events", [VIEW] * 100).status_code == 413
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("setting", "keyed"),
    [("EVENT_RATE_LIMIT_PER_KEY", True), ("EVENT_RATE_LIMIT_PER_ADDRESS", False)],
)
def test_limits_of_their_own(post, bazaar, settings, setting, keyed):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, setting: "2/day"}
    _, secret = ApiKey.objects.issue(bazaar, name="web", scopes=["events"])
    key = {"x-api-key": secret} if keyed else {}
    statuses = [post("/create-events", [VIEW], **key).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    other = {} if keyed else {"x-api-key": secret}
    assert taken(post("/create-events", [VIEW], **other)) == (1, 0)


def test_views_and_carts_cost_one_query(post, settings, django_assert_num_queries):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    taken(post("/create-events", [VIEW]))
    # one, in the savepoint that a test's transaction needs where it may be several
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 3):
        taken(post("/create-events", [{**VIEW, "type": "add_to_cart"}] * 10))


# what is refused can be seen


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        ([VIEW, {**VIEW, "type": "jump"}], "invalid", "*.type: enum"),
        ([{k: v for k, v in VIEW.items() if k != "market"}], "no_market", "*.market: missing"),
        ([{**VIEW, "market": "nowhere"}], "unknown_market", "*.market: unknown_market"),
        ([{**VIEW, "tenant": "nobody"}], "unknown_tenant", ""),
    ],
)
def test_refusals_are_noted(post, body, reason, detail):
    assert post("/create-events", body).status_code in (401, 422)
    noted = Refusal.objects.get()
    assert (noted.reason, noted.detail) == (reason, detail)
    assert (noted.tenant is None) == (reason == "unknown_tenant")


@pytest.mark.parametrize(
    ("origin", "detail"),
    [("https://other.example", "origin https://other.example"), ("ann@shop.example", "")],
)
def test_pages_that_may_not_are_named(client, market, origin, detail):
    answer = client.post(
        "/create-events", [VIEW], content_type="application/json", headers={"Origin": origin}
    )
    assert answer.status_code == 401
    noted = Refusal.objects.get()
    assert (noted.reason, noted.detail) == ("no_key", detail)


# what events do at once


@pytest.fixture
def recommend(post, bazaar):
    add_default_types(bazaar)

    def ask(type_):
        body = {"tenant": "bazaar", "market": "de", "type": type_, "dsid": "d.1"}
        answer = post("/v2/recommend/products/general", body)
        return [display["product_id"] for display in answer.json()["displays"]]

    return ask


def test_an_event_influences_the_shoppers_next_answer(post, market, recommend, artifact_dir):
    for name in ("p1", "p2", "p3"):
        add_product(market, name)
    assert recommend("recently_viewed") != ["p2"]
    taken(post("/create-events", [{**VIEW, "product_id": "p2"}]))
    assert recommend("recently_viewed")[0] == "p2"
    [id_] = recommendation_ids([Product.objects.get(product_id="p3").pk], type_pk=1,
                               now=timezone.now())  # fmt: skip
    taken(post("/create-events", [{**CLICK, "recommendation_id": id_}]))
    assert recommend("recently_viewed")[:2] == ["p3", "p2"]


def test_an_unavailable_product_is_in_no_answer_until_a_feed_has_it(
    post, market, recommend, artifact_dir, tmp_path
):
    for name in ("p1", "p2"):
        add_product(market, name)
    assert sorted(recommend("popular")) == ["p1", "p2"]
    gone = {"event_type": "product_unavailable", "product_id": "p1"}
    taken(order(post, {**gone, "unavailability_type": "out_of_stock"}))
    assert recommend("popular") == ["p2"]
    feed = tmp_path / "feed.csv"
    feed.write_text("product_id,title\np1,P 1\n")
    import_feed(str(feed), market=market)
    assert sorted(recommend("popular")) == ["p1", "p2"]
