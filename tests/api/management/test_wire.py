"""Bodies and answers of the management API, odd ones above all."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.api.management.conftest import ROOT

URL = f"{ROOT}/products/bulk"
JSON = "application/json"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nul", b"\xff", b'{"market": "\\ud800"}', b'{"market": NaN}',
        b'{"market": 1e999}', b"[" * 10_000, b'{"a":' * 10_000, b"[]", b'"x"', b"7", b"null",
        b'{"market": "se", "products": [' + b"[" * 10_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_request(acme, api, body):
    answer = api.generic("POST", URL, body, content_type=JSON)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_other_content_types_are_refused(acme, api, content_type):
    answer = api.generic("POST", URL, b"{}", content_type=content_type)

    assert (answer.status_code, answer.json().keys()) == (415, {"detail"})


def test_a_charset_in_the_content_type_is_fine(acme, api):
    answer = api.generic(
        "POST",
        URL,
        '{"market": "se", "products": [{"product_id": "å", "title": "Å"}]}'.encode(),
        content_type="Application/JSON; charset=utf-8",
    )

    assert answer.json()["created"] == 1


def test_a_body_that_is_too_large(acme, api):
    with override_settings(DEPICT_RECO={"MANAGEMENT_MAX_BODY_BYTES": 100, "REFRESH_SECONDS": 0.0}):
        fits = api.generic("POST", URL, b" " * 98 + b"{}", content_type=JSON)
        too_large = api.generic("POST", URL, b" " * 99 + b"{}", content_type=JSON)

    assert (fits.status_code, too_large.status_code) == (400, 413)
    assert too_large.json().keys() == {"detail"}


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
def test_the_answer_is_json_whatever_is_preferred(acme, api, accept):
    for path in ("products", "products?format=html", "products/0"):
        answer = api.get(f"{ROOT}/{path}", HTTP_ACCEPT=accept)
        assert answer["Content-Type"] == "application/json"


def test_the_projects_own_rest_framework_settings_change_nothing(acme, api, settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 1,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
        "EXCEPTION_HANDLER": "tests.nowhere.handler",
        "COERCE_DECIMAL_TO_STRING": False,
    }
    page = api.get(f"{ROOT}/products").json()

    assert page.keys() == {"next", "previous", "results"}
    assert page["results"][0]["price"] == "99.5000"
    assert api.get(f"{ROOT}/products/0").status_code == 404
