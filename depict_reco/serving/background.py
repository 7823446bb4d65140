"""Work that is done beside the requests, in threads of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from django.db import connections

Item = TypeVar("Item")

_WORK_SECONDS = 0.001
_REST_SECONDS = 0.001


def unhurried(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items, with a rest after each millisecond that was worked on them.

    A thread that computes hands the interpreter over every 5 ms, and a request waits for it as
    often as it has waited for a socket: a few ten times longer than it would take alone.
    """
    begun = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - begun > _WORK_SECONDS:
            time.sleep(_REST_SECONDS)
            begun = time.perf_counter()


class Background:
    """One thread for each name at a time."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def is_doing(self, name: str) -> bool:
        """Whether the work of this name is being done just now."""
        # one that a fork left behind is dead: it is begun again
        return (thread := self._threads.get(name)) is not None and thread.is_alive()

    def begin(self, name: str, act: Callable[[], None]) -> None:
        """Do something in a thread, unless the work of this name is being done."""
        with self._lock:
            if not self.is_doing(name):
                self._threads[name] = threading.Thread(
                    target=_do, args=(act,), name=f"depict_reco {name}", daemon=True
                )
                self._threads[name].start()


def _do(act: Callable[[], None]) -> None:
    try:
        act()
    finally:
        connections.close_all()  # those of this thread, which ends
