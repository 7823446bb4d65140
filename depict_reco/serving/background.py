"""Work that is done beside the requests, in threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections


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
