"""How far the events can be read without missing one that a slower transaction commits later."""

from __future__ import annotations

import time

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max

from depict_reco.events.models import Event

PATIENCE_SECONDS = 10.0
"""How long running transactions are waited for; the next rollup finds what this one leaves."""
_PAUSE_SECONDS = 0.02


def settled_mark(using: str, *, patience: float = PATIENCE_SECONDS) -> int | None:
    """Return a primary key up to which no event can appear any more; None: not within patience.

    Primary keys are given out before the commit, so that a higher one can be visible before a
    lower one. On PostgreSQL whoever writes to a table holds a lock on it before the first key is
    drawn: once all those have ended who held one when the highest key was read, none below it is
    missing. SQLite has one writer at a time, so that keys are committed in their order.
    """
    connection = connections[using]
    mark: int = Event.objects.using(using).aggregate(highest=Max("id"))["highest"] or 0
    if connection.vendor != "postgresql" or not mark:
        return mark
    deadline = time.monotonic() + patience
    waited_for = _writers(connection)
    while waited_for:
        if time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE_SECONDS)
        waited_for &= _writers(connection)
    return mark


def _writers(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the other transactions that may have written events and have not ended yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND relation = to_regclass(%s) AND mode IN ('RowExclusiveLock',"
            " 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
            " AND granted AND pid IS DISTINCT FROM pg_backend_pid()",
            [connection.ops.quote_name(Event._meta.db_table)],
        )
        return {row[0] for row in cursor.fetchall()}
