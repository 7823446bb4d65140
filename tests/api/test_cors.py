from __future__ import annotations

import json

import pytest

from depict_reco.models import ApiKey

PATHS = [
    "/v2/recommend/products/general",
    "/v2/recommend/products/product",
    "/v2/recommend/products/category",
    "/v2/recommend/products/products",
    "/v2/recommend/surfaces",
    "/v3/recommend/products",
    "/v3/get-displays",
    "/v3/markets",
    "/v3/locales",
]
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type",
}


def cross_origin_headers(response):
    return {name: value for name, value in response.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", ["https://acme.example", "https://bazaar.example"])
def test_a_preflight_is_answered_without_a_key(client, acme, bazaar, path, origin):
    response = client.options(path, headers={"Origin": origin, **PREFLIGHT})

    assert response.status_code == 200
    assert response.content == b""
    assert cross_origin_headers(response) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After, X-Request-ID, X-Degraded",
        "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
        "Access-Control-Allow-Headers": "content-type, x-api-key, x-debug, force-new-displays",
        "Access-Control-Max-Age": "600",
    }
    assert response.headers["Vary"] == "Origin"


def test_a_preflight_from_elsewhere_is_not_let_through(client, acme):
    response = client.options(PATHS[0], headers={"Origin": "https://evil.example", **PREFLIGHT})

    assert response.status_code == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["Vary"] == "Origin"


def test_a_preflight_is_answered_even_with_a_bad_key(client, acme):
    response = client.options(PATHS[0] + "?api_key=bad", headers={"Origin": "https://acme.example"})

    assert response.status_code == 200


def test_options_of_a_server_tells_the_methods(client, db):
    response = client.options("/v3/markets")

    assert response.status_code == 200
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert cross_origin_headers(response) == {}


def ask(client, tenant, **headers):
    body = {"tenant": tenant, "market": "se", "type": "checkout"}
    return client.post(PATHS[0], json.dumps(body), content_type="text/plain", headers=headers)


def test_the_origin_is_echoed_to_the_pages_of_the_shop(client, acme, secret, bazaar, asked):
    keyed = ask(client, "acme", **{"Origin": "https://acme.example", "X-API-KEY": secret})
    keyless = ask(client, "bazaar", Origin="https://bazaar.example")

    for response, origin in [
        (keyed, "https://acme.example"),
        (keyless, "https://bazaar.example"),
    ]:
        assert response.status_code == 200
        assert cross_origin_headers(response) == {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After, X-Request-ID, X-Degraded",
        }
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://bazaar.example", "null"])
def test_pages_of_others_may_not_read_an_answer(client, acme, secret, bazaar, asked, origin):
    response = ask(client, "acme", **{"Origin": origin, "X-API-KEY": secret})

    assert response.status_code == 200
    assert cross_origin_headers(response) == {}
    assert response.headers["Vary"] == "Origin"


def test_a_server_gets_no_cross_origin_headers(client, secret, asked):
    response = ask(client, "acme", **{"X-API-KEY": secret})

    assert cross_origin_headers(response) == {}
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("status", [401, 403, 405, 413, 422])
def test_pages_of_a_shop_may_read_refusals(client, acme, secret, bazaar, status, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "MAX_BODY_BYTES": 100}
    headers = {"Origin": "https://acme.example"}
    if status != 401:
        scopes = ["events" if status == 403 else "recommend"]
        headers["X-API-KEY"] = ApiKey.objects.issue(acme, name="k", scopes=scopes)[1]
    body = "x" * (101 if status == 413 else 1)

    if status == 405:
        response = client.put(PATHS[0], headers=headers)
    else:
        response = client.post(PATHS[0], body, content_type="text/plain", headers=headers)

    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "https://acme.example"
    assert response.headers["Access-Control-Expose-Headers"] == (
        "Retry-After, X-Request-ID, X-Degraded"
    )
    assert response.headers["Vary"] == "Origin"
