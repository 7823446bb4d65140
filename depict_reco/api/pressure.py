"""How much a process takes on at once: what is refused is sent again, what is lost is not."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import APIException

from depict_reco.conf import settings


class OverloadedError(APIException):
    """The process works on as many requests with events as it may: 503."""

    status_code = 503
    default_detail = "Too many events are coming in at the moment; send these again."
    default_code = "overloaded"
    wait = 1


class Gate:
    """Counts who is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = 0

    @contextmanager
    def entered(self, *, limit: int) -> Iterator[None]:
        """Be inside; raise OverloadedError if ``limit`` others are."""
        with self._lock:
            if self.inside >= limit:
                raise OverloadedError
            self.inside += 1
        try:
            yield
        finally:
            with self._lock:
                self.inside -= 1


@functools.cache
def event_gate() -> Gate:
    """Return the gate of this process that requests with events go through."""
    return Gate()


@contextmanager
def taking_events() -> Iterator[None]:
    """Take a request with events on, if that is not one too many."""
    with event_gate().entered(limit=settings.MAX_EVENT_REQUESTS):
        yield
