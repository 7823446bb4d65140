"""No IP address is stored: in no table, no file and no log of ours, whatever comes in."""

from __future__ import annotations

import json
import logging

import pytest
from django.apps import apps
from django.core.cache import caches
from django.db import models
from django.test import Client

from depict_reco.models import ApiKey, Event, Refusal
from tests import shop as shops
from tests.contrib.channels import conftest as sockets

ADDRESSES = ("203.0.113.77", "198.51.100.99", "2001:db8::77:99")
NETWORK = "2001:db8::"
VIEW = {"tenant": "acme", "market": "se", "type": "page_view", "product_id": "teapot-1"}
ASK = {"tenant": "acme", "market": "se", "type": "for_you", "session_id": "s1"}


def ours():
    return list(apps.get_app_config("depict_reco").get_models())


def test_no_column_is_made_for_addresses():
    for model in ours():
        for field in model._meta.concrete_fields:
            assert not isinstance(field, models.GenericIPAddressField), field
            words = set(field.name.split("_"))
            assert not words & {"ip", "ips", "address", "addr", "remote", "forwarded"}, field


@pytest.mark.parametrize("trusted", [0, 1])
def test_nothing_that_is_left_after_a_visit_holds_an_address(
    trained_shop, settings, caplog, trusted
):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "RATE_LIMIT_PER_ADDRESS": "1000/minute",
        "TRUSTED_PROXIES": trusted,
    }
    tenant = trained_shop.tenant
    tenant.origins, tenant.storefront_access = ["https://shop.example"], "origins"
    tenant.save()
    key = ApiKey.objects.issue(tenant, name="shop", scopes=["recommend", "events"])[1]
    caplog.set_level(logging.DEBUG)
    caches["default"].clear()
    headers = {
        "X-Forwarded-For": f"{ADDRESSES[2]}, {ADDRESSES[1]}",
        "X-Real-IP": ADDRESSES[1],
        "Forwarded": f"for={ADDRESSES[1]}",
        "Origin": "https://shop.example",
    }
    known = {**headers, "X-API-KEY": key}
    client = Client(REMOTE_ADDR=ADDRESSES[0])

    def post(path, body, **kwargs):
        return client.post(path, json.dumps(body), content_type="text/plain", **kwargs).status_code

    for given in (headers, known):
        assert post("/v2/recommend/products/general", ASK, headers=given) == 200
        assert post("/create-events", [{**VIEW, "session_id": "s1"}], headers=given) == 200
        assert post("/create-events", [{**VIEW, "type": "jump"}], headers=given) == 422
        assert post("/create-events", [{**VIEW, "tenant": "no"}], headers=given) in (401, 403)
    assert post("/v2/recommend/products/general", ASK) == 401

    assert Event.objects.filter(session_id="s1").count() == 2
    assert_nowhere(caplog)


def test_nothing_that_is_left_of_a_socket_holds_an_address(transactional_db, settings, caplog):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "EVENT_RATE_LIMIT_PER_ADDRESS": "1000/minute",
        "SOCKET_MALFORMED_FRAMES": 1,
    }
    tenant = shops.make_shop().tenant
    tenant.origins, tenant.storefront_access = ["https://shop.example"], "origins"
    tenant.save()
    caplog.set_level(logging.DEBUG)
    caches["default"].clear()
    forwarded = [
        (b"x-forwarded-for", f"{ADDRESSES[2]}, {ADDRESSES[1]}".encode()),
        (b"x-real-ip", ADDRESSES[1].encode()),
        (b"forwarded", f"for={ADDRESSES[1]}".encode()),
    ]

    def page(**kwargs):
        opened = sockets.Client(address=ADDRESSES[0], **kwargs)
        opened._socket.scope["headers"] += forwarded
        return opened

    async def visit():
        async with page() as one:
            await one.send("1", product_id="teapot-1", dsid="s1")
            await one.send("2", type="jump")
            await one.send("3", tenant="no")
            answers = await one.answers(6)
            for _ in range(2):
                await one.send_text("noise")
            codes = [await one.close_code()]
        async with page(origin="https://other.example") as stranger:
            codes.append(await stranger.close_code())
        return sorted(status for _, status in answers), codes

    assert sockets.run(visit()) == (["ack", "ack", "ack", "not-ok", "not-ok", "ok"], [4100, 4100])
    assert Event.objects.filter(session_id="s1").count() == 1
    assert Refusal.objects.count() == 3
    assert_nowhere(caplog, kind="event-address")


def assert_nowhere(caplog, *, kind="address"):
    """No address stands in tables, logs or the cache, in which something was counted by it."""
    rows = "".join(str(list(model._base_manager.values())) for model in ours())
    written = "\n".join(f"{record.getMessage()} {vars(record)}" for record in _ours(caplog))
    counted = str(getattr(caches["default"], "_cache", {}).keys())
    assert f"depict_reco:rate:{kind}" in counted
    for place, text in (("tables", rows), ("logs", written), ("cache", counted)):
        for address in (*ADDRESSES, NETWORK):
            assert address not in text, f"{address} stands in the {place}"


def _ours(caplog):
    """Records of our loggers; the request that Django's own records carry along is not written."""
    return [record for record in caplog.records if record.name.startswith("depict_reco")]
