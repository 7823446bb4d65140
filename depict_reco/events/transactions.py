"""Transactions that store events: how long they may take, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.db import connections, transaction


@contextmanager
def patient(*, using: str, seconds: float | None) -> Iterator[None]:
    """Open a transaction in which PostgreSQL may take ``seconds`` for each statement.

    Within a transaction of the caller's, how long things may take is up to the caller.
    """
    connection = connections[using]
    limited = bool(seconds) and connection.vendor == "postgresql" and not connection.in_atomic_block
    with transaction.atomic(using=using):
        if limited and seconds:
            # a statement of its own: with server-side binding there cannot be two in one
            with connection.cursor() as cursor:
                limit = f"{seconds * 1000:.0f}"
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
        yield


def take_turns(names: Iterable[str], *, market_pk: int, using: str) -> None:
    """Let nobody else be at work on one of these names until the transaction ends.

    Whoever comes second then sees what the first one has stored. SQLite has one writer anyway.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    keys = sorted({_key(name, market_pk) for name in names})  # in one order: no deadlock
    if keys:
        with connection.cursor() as cursor:
            # not as a list: its type would be guessed from the size of the numbers
            text = ",".join(map(str, keys))
            cursor.execute(
                "SELECT pg_advisory_xact_lock(key) FROM "
                "unnest(string_to_array(%s, ',')::bigint[]) AS key",
                [text],
            )


def _key(name: str, market_pk: int) -> int:
    digest = blake2b(f"{market_pk}\0{name}".encode(), digest_size=8, person=b"reco_turns").digest()
    return int.from_bytes(digest, signed=True)
