"""The way of events from all sockets of a process into the database.

One thread stores what has come in meanwhile, with one statement per market, so that a slow
database holds up neither sockets nor acknowledgements, and many sockets share one connection.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

from depict_reco.conf import settings
from depict_reco.contrib.channels.frames import Frame, Status
from depict_reco.contrib.channels.storing import store_frames
from depict_reco.tenants.outages import outages

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 500
_MOST_TRIES = 5
"""How often a frame that no others are to blame for may fail before it is given up."""


class Intake:
    """Frames that are not stored yet, each of them once.

    They are at most ``SOCKET_EVENTS_HELD``, and have at most ``SOCKET_BYTES_HELD`` bytes.
    """

    def __init__(self) -> None:
        self._held: dict[bytes, Frame] = {}
        """Those that wait and those in hand; pages send again what is not answered."""
        self._bytes = 0
        self._waiting: deque[Frame] = deque()
        self._failing = False
        self._tries = 0
        """How often the first in line has failed alone, with an error that nobody expected."""
        self._at_once = _MOST_AT_ONCE
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="depict-reco-events")
        self._writer: asyncio.Task[None] | None = None

    def offer(self, frame: Frame) -> asyncio.Future[Status] | None:
        """Take a frame to be stored; return where its outcome will be. None if too much waits."""
        held = self._held.get(frame.key)
        if held is not None:
            return held.outcome
        size = self._bytes + len(frame.content)
        if len(self._held) >= settings.SOCKET_EVENTS_HELD or size > settings.SOCKET_BYTES_HELD:
            return None
        self._bytes = size
        self._held[frame.key] = frame
        self._waiting.append(frame)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())
        return frame.outcome

    @property
    def promises(self) -> bool:
        """Whether what is held may be expected to be stored soon: the database takes events."""
        return not self._failing and not outages().database.lasts

    async def _write(self) -> None:
        """Store until nothing waits; what the database does not take stays first in line."""
        while self._waiting:
            size = min(self._at_once, len(self._waiting))
            frames = [self._waiting.popleft() for _ in range(size)]
            outcomes = await self._stored(frames)
            left = []
            for frame, outcome in zip(frames, outcomes, strict=True):
                if outcome is None:
                    left.append(frame)
                else:
                    del self._held[frame.key]
                    self._bytes -= len(frame.content)
                    frame.outcome.set_result(outcome)
            self._waiting.extendleft(reversed(left))
            self._failing = bool(left)
            # fewer after a failure: a slow database may take these within its patience
            self._at_once = max(1, size // 2) if left else min(2 * self._at_once, _MOST_AT_ONCE)
            if left:
                await asyncio.sleep(settings.RETRY_SECONDS)

    async def _stored(self, frames: list[Frame]) -> list[Status | None]:
        """Return what became of some frames; none of them is lost to an error in another one."""
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(self._thread, store_frames, frames)
        except Exception:
            logger.exception("%d events from sockets could not be stored.", len(frames))
            if len(frames) > 1:  # fewer the next time, down to the one that is at fault
                return [None] * len(frames)
            self._tries += 1
            outcomes = [None if self._tries < _MOST_TRIES else Status.NOT_OK]
        if outcomes[0] is not None:
            self._tries = 0
        return outcomes


def intake() -> Intake:
    """Return the intake of the running event loop; a server process has one."""
    loop = asyncio.get_running_loop()
    found = _intakes().get(loop)
    if found is None:
        found = _intakes()[loop] = Intake()
    return found


@functools.cache
def _intakes() -> WeakKeyDictionary[asyncio.AbstractEventLoop, Intake]:
    return WeakKeyDictionary()
