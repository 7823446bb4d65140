from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.tenants.origins import normalize_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        (" HTTPS://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("https://smörgås.example", "https://xn--smrgs-pra0j.example"),
        ("https://my_shop.example.", "https://my_shop.example."),
    ],
)
def test_the_form_that_browsers_send(text, origin):
    assert normalize_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "*", "shop.example", "//shop.example", "https://", "https://:443", "ftp://a.b",
        "https://shop.example/path", "https://shop.example?a=b", "https://shop.example#a",
        "https://me@shop.example", "https://shop.example:port", "https://shop.example:99999",
        "https://*.example", "https://sh op.example", "https://a..b", "https://[::1", "https://[x]",
        "https://[fe80::1%eth0]", "https://" + "a" * 64 + ".example", "https://a,b", None, 7, [],
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_advice(text):
    with pytest.raises(ValueError, match=r"write it like https://shop\.example"):
        normalize_origin(text)


@given(st.one_of(st.text(), st.text().map("https://".__add__)))
def test_any_text_is_refused_or_comes_out_stable(text):
    try:
        origin = normalize_origin(text)
    except ValueError:
        return
    assert normalize_origin(origin) == origin
    assert origin.isascii()
