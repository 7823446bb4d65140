"""Many open pages at little cost: WebSockets that answer pings, and send events when told to."""

from __future__ import annotations

import asyncio
import json
import os
import time

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80
_REQUEST = (
    "GET /ws/create-events HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nOrigin: {origin}\r\n\r\n"
)


class Page(asyncio.Protocol):
    """One socket, with no more state than it needs."""

    __slots__ = ("_answers", "_data", "_opened", "_transport", "pings")

    def __init__(self, request: bytes) -> None:
        self._data = request
        self._opened: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self._answers: dict[str, asyncio.Future[float]] = {}
        self._transport: asyncio.Transport | None = None
        self.pings = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        transport.write(self._data)  # type: ignore[attr-defined]
        self._data = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(ConnectionError("The server did not open a socket."))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("The server closed a socket."))

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def opened(self) -> None:
        assert self._opened is not None
        await self._opened
        self._opened = None

    async def tell(self, frame_id: str, event: dict[str, object]) -> float:
        """Send an event; return the seconds until it was stored."""
        answer = self._answers[frame_id] = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        self._write(_TEXT, json.dumps({"id": frame_id, "event": event}).encode())
        return await answer - start

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        if self._opened is not None and not self._opened.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._data = head
                return
            if b" 101 " not in head:
                self._opened.set_exception(ConnectionError(head.decode()))
                return
            self._opened.set_result(None)
        while len(data) >= 2:  # what this server sends is short
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            if len(data) < start + length:
                break
            self._take(data[0] & 15, data[start : start + length])
            data = data[start + length :]
        self._data = data

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == _PING:
            self.pings += 1
            self._write(_PONG, payload)
        elif kind == _CLOSE and self._transport is not None:
            self._transport.close()
        elif kind == _TEXT:
            answer = json.loads(payload)
            if answer["status"] != "ack":
                self._answers.pop(answer["id"]).set_result(time.perf_counter())

    def _write(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([_MASKED | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        assert self._transport is not None
        self._transport.write(bytes([_FINAL | kind]) + length + mask + masked)


async def open_page(host: str, port: int, *, origin: str) -> Page:
    """Open a socket from a page of an origin."""
    request = _REQUEST.format(host=f"{host}:{port}", origin=origin).encode()
    _, page = await asyncio.get_running_loop().create_connection(lambda: Page(request), host, port)
    await page.opened()
    return page
