"""Import products: read a feed row by row, write it batch by batch, say what came of each row."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np

from depict_reco.catalog.models import Product
from depict_reco.catalog.records import MAX_ID_LENGTH, Problem, ProductRecord, text_problem
from depict_reco.catalog.upsert import RowStatus, deactivate_products, upsert_products
from depict_reco.conf import settings
from depict_reco.exceptions import FeedError, FeedShrunkError
from depict_reco.feeds.mapping import Mapper, RowError
from depict_reco.feeds.models import Feed, FeedFormat, FeedRun
from depict_reco.feeds.readers.formats import read_rows
from depict_reco.feeds.readers.rows import Row
from depict_reco.feeds.results import ImportProgress, ImportResult, ReportProgress
from depict_reco.feeds.runs import INTERRUPTED, Place, Rejected, Run
from depict_reco.feeds.sources import OpenedSource, open_source
from depict_reco.tenants.models import Market

T = TypeVar("T")

_EVER = datetime.min.replace(tzinfo=UTC)
_DUPLICATE = Problem(field="product_id", reason="occurs twice; the first one counts")


def import_products(
    market: Market,
    source: str,
    *,
    feed_format: str = FeedFormat.AUTO,
    mapping: Mapping[str, str] | None = None,
    full: bool = False,
    dry_run: bool = False,
    report: ReportProgress | None = None,
) -> ImportResult:
    """Import the products of a file, of standard input (``-``) or of an http(s) address.

    Bad rows are rejected one by one. What goes wrong with the feed as a whole ends the import
    and is said in the result; the rows before that stay. With ``full``, products that the feed
    does not have become inactive.
    """
    run = Run(market, source, full=full, dry_run=dry_run)
    return _import(run, source, feed_format, mapping or {}, report=report)


def import_stored_feed(
    feed: Feed, *, dry_run: bool = False, report: ReportProgress | None = None
) -> ImportResult:
    """Import a stored feed, if it has changed at its address since the last import."""
    run = Run(feed.market, feed.source, full=feed.full, dry_run=dry_run, feed=feed)
    return _import(run, feed.source, feed.format, feed.mapping, feed=feed, report=report)


def _import(
    run: Run,
    source: str,
    feed_format: str,
    mapping: Mapping[str, str],
    *,
    feed: Feed | None = None,
    report: ReportProgress | None = None,
) -> ImportResult:
    try:
        known = _known_version(feed) if feed else {}
        mapper = Mapper(run.market, mapping=mapping, full=run.full)
        with open_source(source, **known) as opened:
            if opened.stream is None:
                return run.finish(FeedRun.Status.UNCHANGED)
            rows = read_rows(opened.stream, feed_format=feed_format)
            _Import(run, mapper).take_all(rows, opened, report)
    except FeedError as error:
        return run.finish(FeedRun.Status.FAILED, message=str(error), error=error)
    except Exception as error:
        run.finish(FeedRun.Status.FAILED, message=f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        run.finish(FeedRun.Status.FAILED, message=INTERRUPTED)
        raise
    if feed is not None and not run.dry_run:
        feed.remember(etag=opened.etag, last_modified=opened.last_modified)
    return run.finish(FeedRun.Status.SUCCEEDED)


def _known_version(feed: Feed) -> dict[str, str]:
    """Return what tells the version read last; nothing where it must be read once more.

    An event may have taken a product out since, which only a feed that is read puts back.
    """
    read = FeedRun.objects.filter(feed=feed, status=FeedRun.Status.SUCCEEDED).newest_first().first()
    since = read.started_at if read else _EVER
    out = Product.objects.filter(market=feed.market, active=False).withdrawn_since(since)
    return {} if out.exists() else {"etag": feed.etag, "last_modified": feed.last_modified}


class _Import:
    """The rows of one feed on their way into the catalogue."""

    def __init__(self, run: Run, mapper: Mapper) -> None:
        self._run = run
        self._mapper = mapper
        self._taken: set[int] = set()  # hashes of the ids that were taken: 8 bytes, not a text
        self._in_feed = array("q")
        self._active_before = Product.objects.filter(market=run.market, active=True).count()

    def take_all(
        self, rows: Iterator[Row], opened: OpenedSource, report: ReportProgress | None
    ) -> None:
        """Take every row; of a full feed that was read to its end, also what is missing in it."""
        size = max(1, settings.IMPORT_BATCH_SIZE)
        begun = time.monotonic()
        for batch in batches(rows, size):
            self._take_batch(batch)
            self._run.note()
            if report is not None:
                report(
                    ImportProgress(
                        rows=self._run.rows,
                        bytes_read=opened.position(),
                        bytes_total=opened.size,
                    )
                )
            time.sleep((time.monotonic() - begun) * (1 / settings.FEED_PACE - 1))
            begun = time.monotonic()
        if self._run.rows and not self._taken:
            raise FeedError(f"Not one of {self._run.rows:,} rows is a product.")
        if self._run.full:
            self._deactivate_missing()

    def _take_batch(self, rows: Iterable[Row]) -> None:
        records: list[ProductRecord] = []
        places: list[Place] = []
        rejected: list[Rejected] = []
        for row in rows:
            self._run.rows += 1
            place = Place(self._run.rows, row.line)
            try:
                record = self._mapper.record(row)
            except RowError as error:
                rejected.append((place, error.product_id, error.problems))
                continue
            if hash(record.product_id) in self._taken:
                rejected.append((place, record.product_id, [_DUPLICATE]))
                continue
            records.append(record)
            places.append(place)
        result = upsert_products(self._run.market, records, dry_run=self._run.dry_run)
        for place, outcome in zip(places, result.outcomes, strict=True):
            if outcome.status is RowStatus.REJECTED:
                rejected.append((place, outcome.product_id, outcome.problems))
                continue
            self._taken.add(hash(outcome.product_id))
            if outcome.pk is not None:
                self._in_feed.append(outcome.pk)
        self._run.count(result.outcomes)
        self._run.reject(rejected)
        if self._run.full:
            self._spare(product_id for _, product_id, _ in rejected)

    def _spare(self, product_ids: Iterable[str]) -> None:
        """Note products whose rows are bad as being in the feed all the same."""
        readable = {x for x in product_ids if 0 < len(x) <= MAX_ID_LENGTH and not text_problem(x)}
        if readable:
            stored = Product.objects.filter(market=self._run.market).with_ids(readable)
            self._in_feed.extend(stored.values_list("pk", flat=True))

    def _deactivate_missing(self) -> None:
        missing = self._missing()
        allowed = settings.FEED_MAX_DEACTIVATED_SHARE
        if missing and len(missing) > allowed * self._active_before:
            share = len(missing) / max(1, self._active_before)
            raise FeedShrunkError(
                f"The feed lacks {len(missing):,} of {self._active_before:,} active products "
                f"({share:.0%}); at most {allowed:.0%} may go at once "
                "(FEED_MAX_DEACTIVATED_SHARE). None was deactivated."
            )
        if self._run.dry_run:
            self._run.deactivated = len(missing)
        else:
            self._run.deactivated = deactivate_products(self._run.market, missing)

    def _missing(self) -> array[int]:
        """Return the keys of active products that were not in the feed."""
        seen = np.unique(np.array(self._in_feed, dtype=np.int64))
        active = Product.objects.filter(market=self._run.market, active=True).order_by("pk")
        missing = array("q")
        keys = active.values_list("pk", flat=True).iterator(chunk_size=10_000)
        for chunk in batches(keys, 10_000):
            keys_here = np.array(chunk, dtype=np.int64)
            missing.extend(keys_here[~np.isin(keys_here, seen, assume_unique=True)].tolist())
        return missing


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Cut a stream into lists; when it breaks, what came before is a list of its own."""
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
