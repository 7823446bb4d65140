"""One socket: frames in, answers out."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from channels.consumer import AsyncConsumer
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.contrib.channels.entry import CloseCode, entry
from depict_reco.contrib.channels.frames import Frame, Status, answer, read_frame
from depict_reco.contrib.channels.intake import intake

_DRAIN_SECONDS = 10.0
"""How long the end of a socket, and so of a server, waits for events that are being stored."""
_ENTRY_SECONDS = 1.2
"""How long one look at who comes may take; a little more than ``tenants.directory.PATIENCE``."""
_PORTERS = 4


class EventSocket(AsyncConsumer):
    """A shopper's open page.

    A frame is answered ``ack`` and ``ok`` once its event is stored. Only where that takes
    ``SOCKET_ACK_SECONDS`` it is acknowledged before, since the client sends again, after five
    seconds, what has no answer; what is acknowledged it never sends again. So nothing is
    acknowledged before it is stored while the database is away.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Not AsyncConsumer's own loop: it costs two tasks more per idle socket, and a hop
        # through a thread per message, which a slow database would hold up.
        self._send = send
        self._open = True
        self._answers: set[asyncio.Task[None]] = set()
        self._minute, self._frames, self._malformed = 0, 0, 0
        await receive()
        code = await _decided(scope)
        try:
            await send({"type": "websocket.accept"})  # a refusal would not carry the code
        except (OSError, RuntimeError):  # it did not wait
            return
        while code is None:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                break
            code = self._take(message, scope)
        else:
            await send({"type": "websocket.close", "code": int(code)})
        self._open = False
        if self._answers:
            await asyncio.wait(self._answers, timeout=_DRAIN_SECONDS)

    def _take(self, message: dict[str, Any], scope: Any) -> CloseCode | None:
        """Begin with a message; return the code to close with, if that is too much."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._frames = minute, 0
        self._frames += 1
        found = read_frame(message)
        if found is None:
            self._malformed += 1
        if (
            self._frames > settings.SOCKET_EVENTS_PER_MINUTE
            or self._malformed > settings.SOCKET_MALFORMED_FRAMES
        ):
            return CloseCode.BANNED
        if found is not None:
            frame_id, content = found
            frame = Frame(
                id=frame_id,
                content=content,
                scope=scope,
                received_at=timezone.now(),
                outcome=asyncio.get_running_loop().create_future(),
            )
            outcome = intake().offer(frame)
            if outcome is not None:
                task = asyncio.create_task(self._answer(frame_id, outcome))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
        return None

    async def _answer(self, frame_id: str, outcome: asyncio.Future[Status]) -> None:
        await asyncio.wait({outcome}, timeout=settings.SOCKET_ACK_SECONDS)
        acknowledged = not outcome.done() and intake().promises
        if acknowledged:
            await self._tell(frame_id, Status.ACK)
        await asyncio.wait({outcome})  # to await it would cancel it for the others with this task
        if not acknowledged:
            await self._tell(frame_id, Status.ACK)
        await self._tell(frame_id, outcome.result())

    async def _tell(self, frame_id: str, status: Status) -> None:
        if not self._open:
            return
        try:
            await self._send(answer(frame_id, status))
        except (OSError, RuntimeError):  # it went away meanwhile; its servers say so differently
            self._open = False


async def _decided(scope: Any) -> CloseCode | None:
    """Return why a socket must be closed at once, or None; in time, whatever the database does.

    Where it hangs, the first one to ask hangs with it. Another one then finds that somebody is
    asking, and decides by what is known.
    """
    loop = asyncio.get_running_loop()
    for _ in range(2):
        decision = loop.run_in_executor(_porters(), entry, scope)
        done, _pending = await asyncio.wait({decision}, timeout=_ENTRY_SECONDS)
        if done:
            return decision.result()
        decision.cancel()
    return CloseCode.TRY_AGAIN_LATER


@cache
def _porters() -> ThreadPoolExecutor:
    """Return the threads that look at who comes, apart from the one that stores."""
    return ThreadPoolExecutor(_PORTERS, thread_name_prefix="depict-reco-sockets")
