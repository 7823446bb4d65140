"""One run of an import: what it counts, and the row that keeps the count."""

from __future__ import annotations

import time
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from depict_reco.catalog.records import Problem
from depict_reco.catalog.upsert import RowOutcome, RowStatus
from depict_reco.exceptions import FeedError
from depict_reco.feeds.addresses import without_password
from depict_reco.feeds.models import Feed, FeedRun
from depict_reco.feeds.results import REJECTIONS_KEPT, ImportResult, Rejection
from depict_reco.signals import feed_imported
from depict_reco.tenants.models import Market

INTERRUPTED = "Interrupted: the process ended before the import did."


class Place(NamedTuple):
    """Where a row is in its feed."""

    item: int
    line: int


Rejected = tuple[Place, str, Iterable[Problem]]
"""A row that was not taken: where it is, its id, and why."""


class Run:
    """An import at work; ``kept`` says whether there is to be a FeedRun of it."""

    def __init__(
        self,
        market: Market,
        source: str,
        *,
        full: bool = False,
        dry_run: bool = False,
        feed: Feed | None = None,
        kept: bool = True,
    ) -> None:
        self.market = market
        self.source = clean_text(without_password(source))
        self.full, self.dry_run = full, dry_run
        self.rows = 0
        self.rejected = 0
        self.deactivated = 0
        self._counts = dict.fromkeys(RowStatus, 0)
        self._rejections: list[Rejection] = []
        self._started = time.monotonic()
        self._row: FeedRun | None = None
        if kept and not dry_run:
            close_interrupted(market)
            self._row = FeedRun.objects.create(
                market=market, feed=feed, source=self.source, full=full
            )

    def count(self, outcomes: Iterable[RowOutcome]) -> None:
        """Count what became of rows; those that were rejected are counted by ``reject``."""
        for outcome in outcomes:
            self._counts[outcome.status] += 1

    def reject(self, rows: Iterable[Rejected]) -> None:
        """Count rejected rows, and keep why with the first ones."""
        for place, product_id, problems in sorted(rows, key=itemgetter(0)):
            self.rejected += 1
            for problem in problems:
                if len(self._rejections) < REJECTIONS_KEPT:
                    self._rejections.append(
                        Rejection(
                            line=place.line,
                            item=place.item,
                            product_id=clean_text(product_id[:255]),
                            field=problem.field,
                            reason=clean_text(problem.reason),
                        )
                    )

    def note(self) -> None:
        """Write down how far the run has come."""
        if self._row is not None:
            FeedRun.objects.filter(pk=self._row.pk).update(**self._totals())

    def finish(
        self, status: str, *, message: str = "", error: FeedError | None = None
    ) -> ImportResult:
        """Close the run and return what it did."""
        message = clean_text(message)
        row = self._row
        if row is not None:
            rejections = [
                {name: getattr(rejection, name) for name in Rejection.__slots__}
                for rejection in self._rejections
            ]
            row.finish(status, message=message, rejections=rejections, **self._totals())
            transaction.on_commit(lambda: feed_imported.send_robust(sender=FeedRun, run=row))
        return ImportResult(
            market=str(self.market),
            source=self.source,
            status=status,
            full=self.full,
            dry_run=self.dry_run,
            rejections=tuple(self._rejections),
            message=message,
            seconds=time.monotonic() - self._started,
            run_id=row.pk if row is not None else None,
            error=error,
            **self._totals(),
        )

    def _totals(self) -> dict[str, int]:
        return {
            "created": self._counts[RowStatus.CREATED],
            "updated": self._counts[RowStatus.UPDATED],
            "unchanged": self._counts[RowStatus.UNCHANGED],
            "rejected": self.rejected,
            "deactivated": self.deactivated,
        }


def close_interrupted(market: Market) -> int:
    """Mark runs of a market that never ended as failed; return how many there were.

    A run that is still at work after all puts this right when it finishes.
    """
    return FeedRun.objects.filter(market=market, status=FeedRun.Status.RUNNING).update(
        status=FeedRun.Status.FAILED, message=INTERRUPTED, finished_at=timezone.now()
    )


def clean_text(text: str) -> str:
    """Return a text that every database can keep."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
