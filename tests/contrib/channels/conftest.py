from __future__ import annotations

import asyncio
import json

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from depict_reco.contrib.channels.urls import websocket_urlpatterns
from depict_reco.models import ApiKey
from tests import shop as shops

ORIGIN = "https://shop.example"
APPLICATION = URLRouter(websocket_urlpatterns)


class Client:
    """A page of the shop, as Depict's client speaks; ``async with`` opens its socket."""

    def __init__(self, *, origin=ORIGIN, query="", cookie="", address="192.0.2.1"):
        headers = [(b"host", b"ws.example")]
        headers += [(b"origin", origin.encode())] if origin else []
        headers += [(b"cookie", cookie.encode())] if cookie else []
        path = "/ws/create-events" + (f"?{query}" if query else "")
        self._socket = WebsocketCommunicator(APPLICATION, path, headers=headers)
        self._socket.scope["client"] = [address, 50_000]

    async def __aenter__(self):
        connected, _ = await self._socket.connect(timeout=10)
        assert connected
        return self

    async def __aexit__(self, *_):
        await self._socket.disconnect(timeout=10)

    async def send(self, frame_id, **event):
        event = {"tenant": "acme", "market": "se", "type": "page_view", "dsid": "s1", **event}
        await self.send_text(json.dumps({"id": frame_id, "event": event}))

    async def send_text(self, text):
        await self._socket.send_to(text_data=text)

    async def send_bytes(self, data):
        await self._socket.send_to(bytes_data=data)

    async def answers(self, count):
        """Return the next answers as (id, status)."""
        frames = [json.loads(await self._socket.receive_from(timeout=10)) for _ in range(count)]
        return [(frame["id"], frame["status"]) for frame in frames]

    async def is_silent(self, *, seconds=0.1):
        return await self._socket.receive_nothing(timeout=seconds, interval=0.02)

    async def close_code(self):
        message = await self._socket.receive_output(timeout=10)
        assert message["type"] == "websocket.close", message
        return message["code"]


@pytest.fixture
def market(transactional_db):
    """The market of a shop whose pages at ORIGIN need no key."""
    market = shops.make_shop()
    market.tenant.storefront_access = "origins"
    market.tenant.origins = [ORIGIN]
    market.tenant.save()
    return market


@pytest.fixture
def secret(market):
    return ApiKey.objects.issue(market.tenant, name="page", scopes=["events"])[1]


def run(coroutine):
    """Run a test's coroutine in an event loop of its own."""
    return asyncio.run(asyncio.wait_for(coroutine, 30))
