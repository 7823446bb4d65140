from __future__ import annotations

import io
import json

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http.request import UnreadablePostError
from django.test import Client, RequestFactory, override_settings

from depict_reco.api import views
from depict_reco.models import Market, RecommendationType
from depict_reco.serving.defaults import add_default_types
from depict_reco.serving.requests import RecommendRequest

V2 = {"tenant": "acme", "market": "se", "type": "checkout"}
V3 = {"merchant": "acme", "market": "se", "locale": "sv-SE", "type": "checkout"}
ENDPOINTS = {
    "/v2/recommend/products/general": V2,
    "/v2/recommend/products/product": {**V2, "product_id": "p"},
    "/v2/recommend/products/category": {**V2, "category_id": "c"},
    "/v2/recommend/products/products": {**V2, "product_ids": ["a", "b"]},
    "/v3/recommend/products": {**V3, "product_ids": ["a"]},
    "/v3/get-displays": {key: V3[key] for key in ("merchant", "market", "locale")}
    | {"product_ids": ["a"]},
}
MANY = "/v2/recommend/products/products"
GETS = ["/v2/recommend/surfaces?tenant=acme", "/v3/markets?merchant=acme",
        "/v3/locales?merchant=acme"]  # fmt: skip


@pytest.fixture
def shop(secret):
    """A client of acme, with its key."""
    return Client(headers={"X-API-KEY": secret})


def post(client, path, body, content_type="text/plain;charset=UTF-8", **headers):
    raw = body if isinstance(body, bytes | str) else json.dumps(body).encode()
    # not client.post(), which writes the body in the charset of the content type
    return client.generic("POST", path, raw, content_type=content_type, headers=headers)


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("/v2/recommend/products/general", {}),
        ("/v2/recommend/products/product", {"product_ids": ("p",)}),
        ("/v2/recommend/products/category", {"category_id": "c"}),
        ("/v2/recommend/products/products", {"product_ids": ("a", "b")}),
        ("/v3/recommend/products", {"product_ids": ("a",), "locale": "sv-SE", "variants": True}),
    ],
)
def test_a_body_becomes_a_question_and_the_answer_is_sent_as_it_is(shop, asked, path, about):
    response = post(shop, path, ENDPOINTS[path])

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.content == b'{"displays":[{"product_id":"p"}]}'
    assert asked == [RecommendRequest(tenant="acme", market="se", type="checkout", **about)]


@pytest.mark.parametrize(("header", "debug"), [("true", True), ("True", True), ("1", False),
                                               ("false", False), ("", False)])  # fmt: skip
def test_x_debug_asks_for_the_logic(shop, asked, header, debug):
    post(shop, MANY, ENDPOINTS[MANY], **{"X-Debug": header})

    assert asked[0].debug is debug


def test_get_displays_asks_for_these_products(shop, monkeypatch):
    seen = {}
    monkeypatch.setattr(views, "displays_of", lambda **values: seen.update(values) or b"{}")

    response = post(shop, "/v3/get-displays", {**ENDPOINTS["/v3/get-displays"], "x": 1})

    assert (response.status_code, response.content) == (200, b"{}")
    assert seen == {"tenant": "acme", "market": "se", "locale": "sv-SE", "product_ids": ["a"]}


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
     "multipart/form-data", "multipart/form-data; boundary=x", "application/octet-stream",
     "text/plain; charset=utf-16", "nonsense", "", "x/" + "y" * 5000],
)  # fmt: skip
def test_the_content_type_is_not_asked(shop, asked, monkeypatch, path, content_type):
    monkeypatch.setattr(views, "displays_of", lambda **values: b"{}")

    assert post(shop, path, ENDPOINTS[path], content_type).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "x", "*/*;q=0", ""])
def test_the_accept_header_is_not_asked(shop, asked, accept):
    response = post(shop, MANY, ENDPOINTS[MANY], Accept=accept)
    refused = post(shop, MANY, "", Accept=accept)

    assert response.status_code == 200
    assert refused.status_code == 422
    assert refused.headers["Content-Type"] == "application/json"


def test_unknown_query_parameters_are_ignored(shop, asked):
    path = MANY + "?utilishared=1.0.51&ui=2.1.24&dpc=1.0.45&tenant=x&%ff=%00&format=xml"

    assert post(shop, path, ENDPOINTS[MANY]).status_code == 200


def test_too_many_query_parameters_are_a_clean_refusal(shop, asked):
    response = post(shop, MANY + "?" + "a=b&" * 2000, ENDPOINTS[MANY], "text/plain")

    assert response.status_code == 400
    assert response.json() == {"detail": "The request cannot be read."}


def test_csrf_is_not_asked(secret, asked):
    strict = Client(enforce_csrf_checks=True, headers={"X-API-KEY": secret})

    response = post(strict, MANY, ENDPOINTS[MANY], "application/x-www-form-urlencoded")

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"", "missing"),
        (b" ", "json_invalid"),
        (b"{", "json_invalid"),
        (b"\xff\xfe", "json_invalid"),
        (b'{"tenant": "\xff"}', "json_invalid"),
        (b"NaN", "json_invalid"),
        (b"[" * 10_000 + b"]" * 10_000, "json_invalid"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "json_invalid"),
        (b'{"tenant":"\\ud800"}', "json_invalid"),
        (b"[]", "model_attributes_type"),
        (b"null", "model_attributes_type"),
        (b'"x"', "model_attributes_type"),
        (b"tenant=acme&market=se", "json_invalid"),
    ],
    ids=lambda value: repr(value[:20]),
)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_that_cannot_be_used_is_422(shop, path, body, type):
    response = post(shop, path, body)

    assert response.status_code == 422
    [entry] = response.json()["detail"]
    assert entry["type"] == type
    assert entry["loc"][0] == "body"


def test_a_refusal_in_full(shop):
    response = post(shop, MANY, {"tenant": "acme", "market": 5, "limit": 129, "extra": 1})

    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "detail": [
            {"loc": ["body", "market"], "msg": "Input should be a valid string",
             "type": "string_type"},
            {"loc": ["body", "type"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "limit"], "msg": "Input should be less than or equal to 128",
             "type": "less_than_equal"},
            {"loc": ["body", "product_ids"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "extra"], "msg": "Extra inputs are not permitted",
             "type": "extra_forbidden"},
        ]
    }  # fmt: skip


def test_a_50_mb_body_is_413_without_being_held(shop, monkeypatch):
    sizes = []
    read = WSGIRequest.read

    def noting(self, size):
        sizes.append(size)
        return read(self, size)

    monkeypatch.setattr(WSGIRequest, "read", noting)
    response = post(shop, MANY, b'{"tenant":"' + b"x" * 50_000_000 + b'"}')

    assert response.status_code == 413
    assert response.json() == {"detail": "The body is larger than 1048576 bytes."}
    assert max(sizes) == 1_048_577


@pytest.mark.parametrize("text", ["\0", "😀" * 100, "x" * 100_000, "a/b?c#d%00", "'; --", "\u202e"])
def test_odd_strings_are_answered(shop, asked, text):
    body = {**V2, "market": text, "type": text, "product_ids": [text], "user_id": text,
            "session_id": text, "dsid": text, "locale": text, "metadata": {text: text},
            "document_referrer": text}  # fmt: skip

    assert post(shop, MANY, body).status_code == 200
    assert asked[0].product_ids == (text,)
    assert asked[0].type == text


def test_a_client_that_hangs_up_is_a_clean_refusal(shop, monkeypatch):
    def hang_up(self, size):
        raise UnreadablePostError("gone")

    monkeypatch.setattr(WSGIRequest, "read", hang_up)

    assert post(shop, MANY, ENDPOINTS[MANY]).status_code == 400


def test_a_middleware_may_have_read_the_body(secret, asked):
    with override_settings(MIDDLEWARE=[f"{__name__}.read_early"]):
        response = Client(headers={"X-API-KEY": secret}).post(
            MANY, json.dumps(ENDPOINTS[MANY]), content_type="application/x-www-form-urlencoded"
        )

    assert response.status_code == 200
    assert asked[0].product_ids == ("a", "b")


def read_early(get_response):
    """A middleware of some project."""

    def middleware(request):
        assert request.body
        assert request.POST is not None
        return get_response(request)

    return middleware


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_other_methods_are_405_with_and_without_a_key(client, shop, path, method):
    for caller in (client, shop):
        response = caller.generic(method, path)

        assert response.status_code == 405
        assert response.headers["Allow"] == "POST, OPTIONS"
    assert response.content == b"" or response.json() == {
        "detail": f'Method "{method}" not allowed.'
    }


@pytest.mark.parametrize("path", GETS)
def test_posting_to_a_question_without_body_is_405(shop, path):
    response = shop.post(path)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", [*ENDPOINTS, *(path.partition("?")[0] for path in GETS)])
@pytest.mark.parametrize("debug", [False, True], ids=["live", "debug"])
def test_nothing_redirects(shop, asked, path, debug, settings):
    settings.DEBUG = debug
    settings.APPEND_SLASH = True

    assert post(shop, path, "").status_code in (405, 422)
    for method in ("OPTIONS", "POST", "GET"):
        assert shop.generic(method, path + "/").status_code == 404
        assert shop.generic(method, path).status_code not in (301, 302, 307, 308, 404, 500)


class TestQuestionsWithoutBody:
    def test_markets(self, shop, acme):
        Market.objects.create(
            tenant=acme, slug="no", currency="NOK", default_locale="nb", active=False
        )

        response = shop.get("/v3/markets?merchant=acme")

        assert response.status_code == 200
        assert response.json() == {"markets": ["se", "us"]}

    def test_locales_of_all_markets_once_each(self, shop, acme):
        Market.objects.create(tenant=acme, slug="uk", currency="GBP", default_locale="en-US")

        response = shop.get("/v3/locales?merchant=acme")

        assert response.json() == {"locales": ["sv-SE", "en-SE", "en-US"]}

    def test_surfaces_are_the_active_types(self, shop, acme):
        add_default_types(acme)
        RecommendationType.objects.filter(name="upsell").update(active=False)
        RecommendationType.objects.create(
            tenant=acme,
            market=acme.markets.get(slug="se"),
            name="similar",
            kind="product",
            strategy="complements",
        )

        surfaces = shop.get("/v2/recommend/surfaces?tenant=acme").json()

        assert len(surfaces) == 14
        assert {"name": "checkout", "kind": "multi_product"} in surfaces
        assert {"name": "category", "kind": "category"} in surfaces
        assert surfaces.count({"name": "similar", "kind": "product"}) == 1
        assert "upsell" not in {surface["name"] for surface in surfaces}

    @pytest.mark.parametrize("path", GETS)
    def test_head_is_answered(self, shop, path):
        response = shop.head(path)

        assert response.status_code == 200
        assert response.content == b""

    @pytest.mark.parametrize("path", GETS)
    def test_the_shop_must_be_named(self, shop, path):
        path, _, parameter = path.partition("?")

        response = shop.get(path)

        assert response.status_code == 422
        assert response.json() == {
            "detail": [
                {
                    "loc": ["query", parameter.partition("=")[0]],
                    "msg": "Field required",
                    "type": "missing",
                }
            ]
        }

    @pytest.mark.parametrize("path", GETS)
    def test_a_key_is_needed_and_one_of_the_same_shop(self, client, shop, bazaar, path):
        assert client.get(path).status_code == 401
        assert shop.get(path.replace("acme", "bazaar")).status_code == 403
        assert shop.get(path.replace("acme", "")).status_code == 403

    @pytest.mark.parametrize("path", GETS)
    def test_a_page_of_an_open_shop_needs_none(self, client, bazaar, path):
        path = path.replace("acme", "bazaar")

        assert client.get(path, headers={"Referer": "https://bazaar.example/x"}).status_code == 200
        assert client.get(path, headers={"Origin": "https://bazaar.example"}).status_code == 200

    @pytest.mark.parametrize("path", GETS)
    def test_a_warm_process_asks_nothing(self, shop, path, settings, django_assert_num_queries):
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
        shop.get(path)

        with django_assert_num_queries(0):
            assert shop.get(path).status_code == 200


def test_answers_are_kept_by_no_cache(shop, asked):
    for response in (post(shop, MANY, ENDPOINTS[MANY]), shop.get(GETS[1]), shop.get(GETS[1][:11])):
        assert response.headers["Cache-Control"] == "private, no-store"


class Refuse:
    """Stands for whatever a project may set for its own API."""

    def __init__(self, *args, **kwargs):
        raise AssertionError("the project's setting is used")


@override_settings(
    ATOMIC_REQUESTS=True,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.Refuse"],
        "DEFAULT_PERMISSION_CLASSES": [f"{__name__}.Refuse"],
        "DEFAULT_PARSER_CLASSES": [f"{__name__}.Refuse"],
        "DEFAULT_RENDERER_CLASSES": [f"{__name__}.Refuse"],
        "DEFAULT_THROTTLE_CLASSES": [f"{__name__}.Refuse"],
        "DEFAULT_VERSIONING_CLASS": f"{__name__}.Refuse",
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__name__}.Refuse",
        "EXCEPTION_HANDLER": f"{__name__}.Refuse",
        "UNAUTHENTICATED_USER": None,
    },
)
def test_the_projects_own_rest_framework_settings_do_not_matter(secret, asked):
    class FreshView(views.StorefrontView):
        """Defined under these settings, as all views of such a project are."""

        serializer = views.RecommendForProductsView.serializer
        post = views.RecommendForProductsView.post
        variants = False

    request = RequestFactory().post(
        MANY, json.dumps(ENDPOINTS[MANY]), content_type="text/plain", headers={"X-API-KEY": secret}
    )
    response = FreshView.as_view()(request)
    refused = FreshView.as_view()(RequestFactory().post(MANY))

    assert response.status_code == 200
    assert refused.status_code == 401


def test_a_project_that_wants_logins_everywhere_does_not_stop_us(secret, asked, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    response = post(Client(headers={"X-API-KEY": secret}), MANY, ENDPOINTS[MANY])

    assert response.status_code == 200


def test_no_transaction_is_opened(shop, asked, settings, django_assert_num_queries):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    post(shop, MANY, ENDPOINTS[MANY])

    with django_assert_num_queries(0):
        post(shop, MANY, ENDPOINTS[MANY])
    assert views.RecommendForProductsView.as_view()._non_atomic_requests == {"default"}


def test_an_error_that_nobody_foresaw_reaches_the_project(shop, monkeypatch):
    def broken(question, **known):
        raise ZeroDivisionError

    monkeypatch.setattr(views, "recommend", broken)

    with pytest.raises(ZeroDivisionError):
        post(shop, MANY, ENDPOINTS[MANY])


def test_the_stream_is_read_no_further_than_needed(shop, asked, settings):
    """A body that says it is longer than what comes is read to what there is."""
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "MAX_BODY_BYTES": 1000}
    raw = json.dumps(ENDPOINTS[MANY]).encode()

    response = shop.post(
        MANY,
        raw,
        content_type="text/plain",
        **{"wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": 999},
    )

    assert response.status_code == 200


def test_a_chunked_body_is_read_where_the_server_marks_its_end(shop, asked):
    raw = json.dumps(ENDPOINTS[MANY]).encode()
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "CONTENT_TYPE": "x"}

    for terminated, status in [(True, 200), (False, 422)]:
        response = shop.post(
            MANY,
            **{"wsgi.input": io.BytesIO(raw), "wsgi.input_terminated": terminated, **chunked},
        )
        assert response.status_code == status


def test_head_sends_the_length_but_no_body(secret, acme):
    """Some servers complain of a body, and the test client takes it away by itself."""
    request = RequestFactory().head("/v3/markets?merchant=acme", headers={"X-API-KEY": secret})

    response = views.MarketsView.as_view()(request)

    assert response.content == b""
    assert response.headers["Content-Length"] == "25"
