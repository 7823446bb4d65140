"""About how many displays were sent: counted in memory, and written down a minute later.

Answering costs one addition. A thread writes the sums down now and then, so that no request waits
for it, and a process that ends in good order writes what it has left. What a process has not
written when it is killed is lost: the figures are estimates, and called so.
"""

from __future__ import annotations

import atexit
import functools
import logging
import threading
from collections import Counter
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connections, router, transaction
from django.db.models import F

from depict_reco.analytics.models import ServedCount
from depict_reco.analytics.reports import today
from depict_reco.conf import settings
from depict_reco.tenants.models import Market

logger = logging.getLogger(__name__)


class Sent(NamedTuple):
    """Answers of one kind: of how many displays, where, of which type."""

    market_pk: int
    type_pk: int
    type_name: str
    displays: int
    variant: int = 0


class ServedTally:
    """What this process has sent and not yet written down."""

    def __init__(self) -> None:
        self._answers: Counter[Sent] = Counter()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def note(self, sent: Sent, *, seconds: float) -> None:
        """Count an answer, to be written down in so many seconds at the latest."""
        with self._lock:
            self._answers[sent] += 1
            if self._timer is None:
                self._timer = threading.Timer(seconds, self._write_in_thread)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Add what was counted to the stored counts; keep it where the database refuses."""
        with self._lock:
            answers, self._answers, self._timer = self._answers, Counter(), None
        try:
            add_served(answers)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Cannot write down what was sent, will try again: %s", error)
            with self._lock:
                self._answers.update(answers)

    def _write_in_thread(self) -> None:
        try:
            self.write()
        finally:
            connections[router.db_for_write(ServedCount)].close()


def note_served(
    *, market_pk: int, type_pk: int, type_name: str, displays: int, variant: int = 0
) -> None:
    """Count an answer that is being sent, unless the setting says that nothing is counted."""
    seconds = settings.SERVED_WRITE_SECONDS
    if displays and seconds > 0:
        sent = Sent(market_pk, type_pk, type_name, displays, variant)
        served_tally().note(sent, seconds=seconds)


@functools.cache
def served_tally() -> ServedTally:
    """Return the tally of this process."""
    tally = ServedTally()
    atexit.register(tally.write)
    return tally


def add_served(answers: Counter[Sent]) -> None:
    """Add answers to the counts of today, one for each position that they had."""
    if not answers:
        return
    day = today()
    markets = set(
        Market.objects.filter(pk__in={sent.market_pk for sent in answers}).values_list(
            "pk", flat=True
        )
    )
    # places and rows are taken in one order, so that no two processes wait for each other
    known = sorted(item for item in answers.items() if item[0].market_pk in markets)
    with transaction.atomic(using=router.db_for_write(ServedCount)):
        for sent, count in known:
            place = {
                "market_id": sent.market_pk, "day": day, "type_pk": sent.type_pk,
                "variant": sent.variant,
            }  # fmt: skip
            ServedCount.objects.bulk_create(
                (
                    ServedCount(**place, type_name=sent.type_name, position=position)
                    for position in range(1, sent.displays + 1)
                ),
                ignore_conflicts=True,
            )
            rows = ServedCount.objects.filter(**place, position__lte=sent.displays)
            list(rows.select_for_update().order_by("pk").values_list("pk"))
            rows.update(served=F("served") + count)
