"""What this process knows of the servers that it leans on: whether database and cache answer.

Once one of them has failed, no request waits for it any more: a thread asks for it every
``RETRY_SECONDS`` and ends the outage when it is back.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable

from django.core.cache import caches
from django.db import InterfaceError, OperationalError, connections, router

from depict_reco.conf import settings
from depict_reco.tenants.models import Tenant

logger = logging.getLogger(__name__)

CONNECTION_FAILURES = (OperationalError, InterfaceError)
"""What a database that is away raises; any other error of it is a fault of ours."""


class Outage:
    """Whether one server is away."""

    def __init__(self, name: str, probe: Callable[[], None], on_change: Callable[[], None]) -> None:
        self.name = name
        self._probe = probe
        self._on_change = on_change
        self._lock = threading.Lock()
        self._since: float | None = None
        self._prober: threading.Thread | None = None

    @property
    def lasts(self) -> bool:
        """Whether the server is known to be away."""
        if self._since is None:
            return False
        prober = self._prober
        if prober is not None and not prober.is_alive():
            self._ask_again()  # this process was forked, and threads do not come along
        return True

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 while there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def begin(self) -> None:
        """Note that the server has failed just now."""
        with self._lock:
            if self._since is not None:
                return
            self._since = time.monotonic()
        logger.error("The %s does not answer; going on without it.", self.name)
        self._on_change()
        self._ask_again()

    def _ask_again(self) -> None:
        with self._lock:
            if self._since is None or (self._prober is not None and self._prober.is_alive()):
                return
            self._prober = threading.Thread(
                target=self._wait, name=f"depict_reco {self.name} probe", daemon=True
            )
            self._prober.start()

    def _wait(self) -> None:
        # at once the first time: a broken connection is often all that there is to it
        while not self._answers():
            time.sleep(settings.RETRY_SECONDS)
        with self._lock:
            seconds, self._since, self._prober = self.seconds, None, None
        self._on_change()
        logger.warning("The %s answers again after %.1f s.", self.name, seconds)

    def _answers(self) -> bool:
        try:
            self._probe()
        except Exception as error:  # whatever a driver raises, it is still away
            logger.debug("The %s does not answer: %s", self.name, error)
            return False
        return True


class Outages:
    """The outages of this process."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        """What is away just now."""
        self.database = Outage("database", _ask_database, self._note)
        self._caches: dict[str, Outage] = {}

    def cache(self, alias: str) -> Outage:
        """Return the outage of one of Django's caches."""
        found = self._caches.get(alias)
        if found is None:
            probe = functools.partial(_ask_cache, alias)
            found = self._caches.setdefault(alias, Outage("cache", probe, self._note))
        return found

    def _note(self) -> None:
        known = (self.database, *self._caches.values())
        self.names = tuple(dict.fromkeys(one.name for one in known if one.seconds))


@functools.cache
def outages() -> Outages:
    """Return the outages of this process."""
    return Outages()


def _ask_database() -> None:
    """Open a connection of this thread and use it; raises where that does not work."""
    connection = connections[router.db_for_read(Tenant)]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _ask_cache(alias: str) -> None:
    try:
        caches[alias].get("depict_reco:probe")
    finally:
        caches[alias].close()
