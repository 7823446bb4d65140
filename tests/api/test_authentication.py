"""The key: where it may stand, and each refusal as the contract's readers expect it."""

from __future__ import annotations

import json
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connections
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.authentication import BasicAuthentication
from rest_framework.views import APIView

from depict_reco.api.authentication import (
    CookieKeyAuthentication,
    HeaderKeyAuthentication,
    QueryKeyAuthentication,
    configured_authenticators,
)
from depict_reco.api.permissions import HasKeyScope
from depict_reco.models import ApiKey, Tenant
from depict_reco.tenants import secrets
from depict_reco.tenants.directory import KeyEntry, directory

PATH = "/v2/recommend/products/products"
BODY = json.dumps({"tenant": "acme", "market": "se", "type": "checkout", "product_ids": []})
CHALLENGE = 'ApiKey realm="depict_reco"'


def post(client, body=BODY, path=PATH, *, query="", cookie=None, **headers):
    if cookie is not None:
        client.cookies["X-API-KEY"] = cookie
    return client.post(path + query, body, content_type="text/plain", headers=headers)


def issue(tenant, *scopes, **fields):
    return ApiKey.objects.issue(tenant, name="key", scopes=list(scopes), **fields)[1]


def test_the_key_may_stand_in_the_query(client, secret, asked):
    assert post(client, query=f"?api_key={secret}").status_code == 200
    assert len(asked) == 1


def test_the_key_may_stand_in_a_header(client, secret, asked):
    assert post(client, **{"X-API-KEY": secret}).status_code == 200
    assert post(client, **{"x-api-key": secret}).status_code == 200
    assert len(asked) == 2


def test_the_key_may_stand_in_a_cookie(client, secret, asked):
    assert post(client, cookie=secret).status_code == 200
    assert len(asked) == 1


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
@pytest.mark.parametrize("kind", ["wrong", "expired", "revoked", "deleted", "garbage"])
def test_a_bad_key_is_401_wherever_it_stands(client, acme, asked, place, kind):
    if kind == "expired":
        bad = issue(acme, "recommend", expires_at=timezone.now() - timedelta(seconds=1))
    elif kind in ("revoked", "deleted"):
        row, bad = ApiKey.objects.issue(acme, name="k", scopes=["recommend"])
        row.revoke() if kind == "revoked" else row.delete()
    else:
        bad = secrets.generate() if kind == "wrong" else "x"
    places = {"query": {"query": f"?api_key={bad}"}, "header": {"X-API-KEY": bad}}

    response = post(client, **places.get(place, {"cookie": bad}))

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"detail": "The API key is unknown, expired or revoked."}
    assert asked == []


def test_no_key_is_401(client, acme, asked):
    response = post(client)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert response.json() == {"detail": "An API key is needed."}


def test_no_key_is_401_before_the_body_is_looked_at(client, acme):
    assert post(client, "{").status_code == 401
    assert post(client, "x" * 2_000_000).status_code == 401


def test_the_first_place_counts_and_no_other_is_tried(client, secret, asked):
    good, bad = secret, secrets.generate()

    assert post(client, query=f"?api_key={bad}", **{"X-API-KEY": good}).status_code == 401
    assert post(client, cookie=good, **{"X-API-KEY": bad}).status_code == 401
    assert post(client, query=f"?api_key={good}", **{"X-API-KEY": bad}).status_code == 200
    assert post(client, cookie=bad, **{"X-API-KEY": good}).status_code == 200


def test_an_empty_place_is_no_place(client, secret, asked):
    response = post(client, query="?api_key=", cookie=secret, **{"X-API-KEY": ""})

    assert response.status_code == 200


def test_a_key_without_the_scope_is_403(client, acme, asked):
    response = post(client, "{", **{"X-API-KEY": issue(acme, "events", "catalog", "export")})

    assert response.status_code == 403
    assert response.json() == {"detail": "The API key lacks the scope that this needs."}
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize("slug", ["bazaar", "nobody", "Acme", "", "\0"])
def test_a_key_of_another_shop_is_403(client, secret, bazaar, asked, slug):
    body = {"tenant": slug, "market": "se", "type": "checkout", "product_ids": []}

    response = post(client, json.dumps(body), **{"X-API-KEY": secret})

    assert response.status_code == 403
    assert response.json() == {"detail": "The API key belongs to another shop."}
    assert asked == []


def test_an_open_shop_is_not_open_to_the_keys_of_others(client, secret, bazaar, asked):
    """A key says who asks, and its owner may not ask about another shop."""
    body = {"tenant": "bazaar", "market": "de", "type": "checkout", "product_ids": []}
    headers = {"X-API-KEY": secret, "Origin": "https://bazaar.example"}

    assert post(client, json.dumps(body), **headers).status_code == 403


def test_the_key_of_a_closed_shop_is_403(client, acme, secret, asked):
    Tenant.objects.filter(pk=acme.pk).update(active=False)

    response = post(client, **{"X-API-KEY": secret})

    assert response.status_code == 403
    assert response.json() == {"detail": "The shop of this API key is closed."}


def test_with_a_good_key_an_invalid_body_is_422_and_not_403(client, secret):
    body = json.dumps({"tenant": "nobody"})

    assert post(client, body, **{"X-API-KEY": secret}).status_code == 422


def test_two_keys_of_a_shop_work_at_once(client, acme, secret, asked):
    assert post(client, **{"X-API-KEY": secret}).status_code == 200
    assert post(client, **{"X-API-KEY": issue(acme, "recommend")}).status_code == 200


class TestKeyless:
    """Pages of a shop that is open to browsers send no key."""

    BODY = json.dumps({"tenant": "bazaar", "market": "de", "type": "checkout", "product_ids": []})

    def test_a_page_of_its_origin_is_answered(self, client, bazaar, asked):
        response = post(client, self.BODY, Origin="https://bazaar.example")

        assert response.status_code == 200
        assert len(asked) == 1

    @pytest.mark.parametrize(
        "origin",
        ["https://acme.example", "http://bazaar.example", "https://bazaar.example:8443", "null",
         "https://bazaar.example.evil.example", "https://BAZAAR.example", "*", "x" * 10_000],
    )  # fmt: skip
    def test_another_page_is_401_before_the_body_is_looked_at(
        self, client, acme, bazaar, asked, origin
    ):
        for body in (self.BODY, "{"):
            response = post(client, body, Origin=origin)

            assert response.status_code == 401
            assert response.json() == {"detail": "An API key is needed."}
        assert asked == []

    def test_a_server_that_sends_no_origin_is_401(self, client, bazaar, asked):
        assert post(client, self.BODY).status_code == 401

    @pytest.mark.parametrize(
        ("referer", "status"),
        [
            ("https://bazaar.example/teapots?x=1#y", 200),
            ("https://BAZAAR.example:443/", 200),
            ("https://bazaar.example", 200),
            ("https://evil.example/https://bazaar.example/", 401),
            ("https://bazaar.example@evil.example/", 401),
            ("https://[bad/", 401),
            ("android-app://bazaar.example", 401),
            ("bazaar.example", 401),
            ("", 401),
        ],
    )
    def test_the_referring_page_stands_in_for_the_origin(
        self, client, bazaar, asked, referer, status
    ):
        assert post(client, self.BODY, Referer=referer).status_code == status

    def test_the_origin_goes_before_the_referring_page(self, client, bazaar, asked):
        headers = {"Origin": "https://evil.example", "Referer": "https://bazaar.example/"}

        assert post(client, self.BODY, **headers).status_code == 401

    def test_a_page_of_an_open_shop_may_not_ask_about_another(self, client, acme, bazaar, asked):
        other = json.loads(self.BODY)
        for slug in ("acme", "nobody", ""):
            other["tenant"] = slug
            response = post(client, json.dumps(other), Origin="https://bazaar.example")

            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == CHALLENGE
        assert asked == []

    def test_two_open_shops_are_not_open_to_each_other(self, client, bazaar, asked):
        Tenant.objects.create(
            slug="corner",
            name="Corner",
            origins=["https://corner.example"],
            storefront_access=Tenant.StorefrontAccess.OPEN_TO_ORIGINS,
        )

        assert post(client, self.BODY, Origin="https://corner.example").status_code == 401

    def test_an_origin_that_two_shops_share_opens_only_the_open_one(
        self, client, acme, bazaar, asked
    ):
        acme.origins = ["https://bazaar.example"]
        acme.save()

        shut = post(client, BODY, Origin="https://bazaar.example")
        open_ = post(client, self.BODY, Origin="https://bazaar.example")

        assert (shut.status_code, open_.status_code) == (401, 200)

    def test_an_invalid_body_is_422(self, client, bazaar):
        assert post(client, "{}", Origin="https://bazaar.example").status_code == 422

    def test_a_bad_key_is_401_even_from_an_open_page(self, client, bazaar, asked):
        headers = {"Origin": "https://bazaar.example", "X-API-KEY": secrets.generate()}

        assert post(client, self.BODY, **headers).status_code == 401

    def test_closing_the_shop_ends_it(self, client, bazaar, asked):
        Tenant.objects.filter(pk=bazaar.pk).update(active=False)

        assert post(client, self.BODY, Origin="https://bazaar.example").status_code == 401

    def test_asking_for_a_key_again_ends_it(self, client, bazaar, asked):
        bazaar.storefront_access = Tenant.StorefrontAccess.KEY_REQUIRED
        bazaar.save()

        assert post(client, self.BODY, Origin="https://bazaar.example").status_code == 401


class TestWarmProcess:
    """Who asks costs no query once it is known."""

    @pytest.fixture(autouse=True)
    def hourly(self, settings):
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}

    def test_with_a_key(self, client, secret, asked, django_assert_num_queries):
        post(client, **{"X-API-KEY": secret})

        with django_assert_num_queries(0):
            assert post(client, **{"X-API-KEY": secret}).status_code == 200
            assert post(client, "{}", **{"X-API-KEY": secret}).status_code == 422
            assert post(client).status_code == 401

    def test_without_a_key(self, client, bazaar, asked, django_assert_num_queries):
        post(client, TestKeyless.BODY, Origin="https://bazaar.example")

        with django_assert_num_queries(0):
            response = post(client, TestKeyless.BODY, Origin="https://bazaar.example")
            assert response.status_code == 200
            assert post(client, Origin="https://evil.example").status_code == 401

    def test_the_database_may_go_away(self, client, secret, asked):
        post(client, **{"X-API-KEY": secret})
        directory()._read_at -= 3601

        with mock.patch.object(
            connections["default"], "cursor", side_effect=OperationalError("gone")
        ):
            assert post(client, **{"X-API-KEY": secret}).status_code == 200

    def test_an_unknown_key_without_a_database_is_503(self, client, secret, asked, caplog):
        with mock.patch.object(
            connections["default"], "cursor", side_effect=OperationalError("gone")
        ):
            response = post(client, Origin="https://acme.example", **{"X-API-KEY": secret})

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.json() == {"detail": "The service cannot answer this at the moment."}
        assert "The database does not answer" in caplog.text


class PriceList(APIView):
    """A view of the host project."""

    authentication_classes = [HeaderKeyAuthentication, BasicAuthentication]
    permission_classes = [HasKeyScope]
    key_scope = ApiKey.Scope.EXPORT

    def get(self, request):
        self.seen = request
        assert isinstance(request.user, AnonymousUser)
        assert isinstance(request.auth, KeyEntry)
        return HttpResponse(f"{request.auth.tenant_slug} {sorted(request.auth.scopes)}")


class TestViewsOfTheHostProject:
    def get(self, **headers):
        response = PriceList.as_view()(RequestFactory().get("/prices", headers=headers))
        if hasattr(response, "render"):
            response.render()
        return response

    def test_a_key_with_the_scope_is_let_in(self, acme):
        response = self.get(**{"X-API-KEY": issue(acme, "export")})

        assert (response.status_code, response.content) == (200, b"acme ['export']")

    def test_a_key_without_the_scope_is_not(self, acme):
        response = self.get(**{"X-API-KEY": issue(acme, "recommend")})

        assert response.status_code == 403
        assert response.data == {"detail": "The API key lacks the scope that this needs."}

    def test_no_key_and_a_bad_key_are_401(self, acme):
        for headers in ({}, {"X-API-KEY": "nonsense"}):
            response = self.get(**headers)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == CHALLENGE

    def test_the_key_of_a_closed_shop_is_403(self, acme):
        secret = issue(acme, "export")
        Tenant.objects.filter(pk=acme.pk).update(active=False)

        assert self.get(**{"X-API-KEY": secret}).status_code == 403

    def test_a_view_that_names_no_scope_lets_no_key_in(self, acme, monkeypatch):
        monkeypatch.delattr(PriceList, "key_scope")

        assert self.get(**{"X-API-KEY": issue(acme, "export")}).status_code == 403


def test_the_classes_and_their_order_are_a_setting(client, secret, asked, settings):
    assert [type(found) for found in configured_authenticators()] == [
        QueryKeyAuthentication,
        HeaderKeyAuthentication,
        CookieKeyAuthentication,
    ]

    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "API_AUTHENTICATION_CLASSES": ["depict_reco.api.authentication.HeaderKeyAuthentication"],
    }
    assert post(client, **{"X-API-KEY": secret}).status_code == 200
    assert post(client, query=f"?api_key={secret}").status_code == 401


def test_without_any_class_nobody_is_known_and_nobody_let_in(client, secret, asked, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "API_AUTHENTICATION_CLASSES": []}

    assert post(client, **{"X-API-KEY": secret}).status_code == 403
    assert asked == []
