"""Keys that are none, remembered for a moment, so that asking again with one costs no query."""

from __future__ import annotations

import time

from depict_reco.conf import settings


class UnknownKeys:
    """Digests that no live key had, at most ``REFRESH_SECONDS`` ago; once too many, none."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._looked_at: dict[str, float] = {}

    def __contains__(self, digest: str) -> bool:
        looked_at = self._looked_at.get(digest, float("-inf"))
        return time.monotonic() - looked_at < settings.REFRESH_SECONDS

    def __len__(self) -> int:
        return len(self._looked_at)

    def note(self, digest: str, *, looked_at: float) -> None:
        """Remember that there was no such key when the database was asked."""
        if len(self._looked_at) >= self._capacity:
            self._looked_at.clear()
        self._looked_at[digest] = looked_at

    def clear(self) -> None:
        """Forget them all, for there may be new keys."""
        self._looked_at.clear()
