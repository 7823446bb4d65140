"""When to look again at a published model that could not be read."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """When the next attempt is due, by the monotonic clock, and how long the wait for it was."""

    due_at: float
    waited: float


class Repairs:
    """The markets whose published model is broken: looked at again after 1, 2, 4 … 60 seconds."""

    def __init__(self) -> None:
        self._attempts: dict[int, Attempt] = {}

    def is_due(self, market_pk: int) -> bool:
        """Whether a market's model is broken and it is time to try it again."""
        if not self._attempts:  # nearly always, and asked with every request
            return False
        attempt = self._attempts.get(market_pk)
        return attempt is not None and attempt.due_at <= time.monotonic()

    def failed(self, market_pk: int) -> None:
        """Note that a market's model could not be read just now."""
        last = self._attempts.get(market_pk)
        seconds = FIRST_SECONDS if last is None else min(last.waited * 2, LONGEST_SECONDS)
        self._attempts[market_pk] = Attempt(time.monotonic() + seconds, seconds)

    def mended(self, market_pk: int) -> None:
        """Note that there is nothing to try again."""
        self._attempts.pop(market_pk, None)


@functools.cache
def repairs() -> Repairs:
    """Return what this process has to try again."""
    return Repairs()
