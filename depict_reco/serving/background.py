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
        self._again: set[str] = set()
        """Work that is being done and is to be done once more."""
        self._lock = threading.Lock()

    def is_doing(self, name: str) -> bool:
        """Whether the work of this name is being done just now."""
        # one that a fork left behind is dead: it is begun again
        return (thread := self._threads.get(name)) is not None and thread.is_alive()

    def begin(self, name: str, act: Callable[[], None], *, again: bool = False) -> None:
        """Do something in a thread, unless the work of this name is being done.

        ``again`` has it done once more then: what there is to do may have come too late for it.
        """
        with self._lock:
            if self.is_doing(name):
                if again:
                    self._again.add(name)
                return
            self._again.discard(name)
            self._threads[name] = threading.Thread(
                target=self._do, args=(name, act), name=f"depict_reco {name}", daemon=True
            )
            self._threads[name].start()

    def _do(self, name: str, act: Callable[[], None]) -> None:
        while True:
            try:
                act()
            finally:
                connections.close_all()  # those of this thread
            with self._lock:
                if name not in self._again:
                    del self._threads[name]
                    return
                self._again.discard(name)
