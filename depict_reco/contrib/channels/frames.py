"""Frames: what a client sends, and what it is answered."""

from __future__ import annotations

import json
from asyncio import Future
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Any

MAX_FRAME_BYTES = 65_536
"""A frame holds one event; none that a page sends is nearly as long."""
_LONGEST_ID = 255
_CHANGES_WITH_EACH_SOCKET = b"sec-websocket-key"


class Status(StrEnum):
    """What a client may be answered; it compares these words."""

    ACK = "ack"
    """Taken: the client does not send it again, not even over a new socket."""
    OK = "ok"
    """Stored."""
    NOT_OK = "not-ok"
    """Will never be stored."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One event that a socket has received, as it came: what is read of it takes far more room."""

    id: str
    content: bytes
    scope: dict[str, Any]
    """The handshake of its socket."""
    received_at: datetime
    outcome: Future[Status]

    @cached_property
    def key(self) -> bytes:
        """Equal for a frame that comes again, from the same page over whichever socket."""
        return blake2b(self.content + repr(_sender(self.scope)).encode(), digest_size=16).digest()

    def event(self) -> dict[str, Any]:
        """Return the event in it."""
        event: dict[str, Any] = json.loads(self.content)["event"]
        return event


def read_frame(message: dict[str, Any]) -> tuple[str, bytes] | None:
    """Return the id and the content of a message, or None for what is no frame."""
    content = (message.get("text") or "").encode(errors="replace")
    if not 0 < len(content) <= MAX_FRAME_BYTES:
        return None
    try:
        frame = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("event"), dict):
        return None
    frame_id = frame.get("id")
    if not isinstance(frame_id, str) or not 0 < len(frame_id) <= _LONGEST_ID:
        return None
    return frame_id, content


def _sender(scope: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a page says of itself when it opens a socket, each time the same."""
    headers = [tuple(pair) for pair in scope["headers"] if pair[0] != _CHANGES_WITH_EACH_SOCKET]
    return scope.get("query_string", b""), headers


def answer(frame_id: str, status: Status) -> dict[str, str]:
    """Return the message that answers a frame."""
    return {"type": "websocket.send", "text": json.dumps({"id": frame_id, "status": status})}
