"""Word of changes through a cache, so that processes need not wait to learn of them.

The database alone decides what is in force, and is asked anyway in a while; a cache that is away,
or forgets, costs nothing but that time.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from django.core.cache import caches
from django.db import transaction

from depict_reco.conf import settings

if TYPE_CHECKING:
    from depict_reco.tenants.outages import Outage

KEY = "depict_reco:changes"
LOOK_SECONDS = 0.05


def announce(using: str) -> None:
    """Tell all processes of a change once the transaction is over, if a cache is named for it."""
    if settings.CHANGES_CACHE:
        transaction.on_commit(_tell, using=using, robust=True)


def _tell() -> None:
    outage = _outage()
    if outage.lasts:
        return
    try:
        # at random, not counted: a cache that was emptied could come to the same number again
        caches[settings.CHANGES_CACHE].set(KEY, secrets.token_hex(8), timeout=None)
    except Exception:  # each backend raises errors of its own
        outage.begin()


class News:
    """Whether this process has word of changes that it has not read."""

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._known: str | None = None
        self.latest: str | None = None
        """The last word; to be given to ``settle`` once what was there before has been read."""

    def is_waiting(self) -> bool:
        """Whether there is something to read; looks into the cache every ``LOOK_SECONDS``."""
        if not settings.CHANGES_CACHE:
            return False
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._look()
        return self.latest != self._known

    def settle(self, word: str | None) -> None:
        """Note that everything up to a word has been read."""
        self._known = word

    def _look(self) -> None:
        outage = _outage()
        if outage.lasts:
            return
        try:
            self.latest = caches[settings.CHANGES_CACHE].get(KEY)
        except Exception:  # each backend raises errors of its own
            outage.begin()


def _outage() -> Outage:
    from depict_reco.tenants.outages import outages  # which imports the models that announce

    return outages().cache(settings.CHANGES_CACHE)
