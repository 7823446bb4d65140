"""Import the tree of categories: id, parent, name and page of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from depict_reco.catalog.category_upsert import upsert_categories
from depict_reco.catalog.outcomes import RowStatus
from depict_reco.catalog.records import KEEP, CategoryRecord, Keep, Problem
from depict_reco.catalog.upsert import batch_size
from depict_reco.exceptions import FeedError
from depict_reco.feeds import parsing
from depict_reco.feeds.aliases import CATEGORY_FIELDS, normalize
from depict_reco.feeds.importer import batches
from depict_reco.feeds.mapping import RowError, check_mapping
from depict_reco.feeds.models import FeedFormat, FeedRun
from depict_reco.feeds.readers.formats import read_rows
from depict_reco.feeds.readers.rows import Row
from depict_reco.feeds.results import ImportProgress, ImportResult, ReportProgress
from depict_reco.feeds.runs import INTERRUPTED, Place, Rejected, Run
from depict_reco.feeds.sources import OpenedSource, open_source
from depict_reco.tenants.models import Market

_DUPLICATE = Problem(field="category_id", reason="occurs twice; the first one counts")


def import_categories(
    market: Market,
    source: str,
    *,
    feed_format: str = FeedFormat.AUTO,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    report: ReportProgress | None = None,
) -> ImportResult:
    """Import the categories of a feed; those that it does not have stay as they are.

    There is no FeedRun of it: those are imports of products.
    """
    run = Run(market, source, dry_run=dry_run, kept=False)
    try:
        check_mapping(mapping or {}, CATEGORY_FIELDS)
        with open_source(source) as opened:
            _take_all(run, opened, feed_format, mapping or {}, report)
    except FeedError as error:
        return run.finish(FeedRun.Status.FAILED, message=str(error), error=error)
    except BaseException as error:
        known = isinstance(error, Exception)
        message = f"{type(error).__name__}: {error}" if known else INTERRUPTED
        run.finish(FeedRun.Status.FAILED, message=message)
        raise
    return run.finish(FeedRun.Status.SUCCEEDED)


def _take_all(
    run: Run,
    opened: OpenedSource,
    feed_format: str,
    mapping: Mapping[str, str],
    report: ReportProgress | None,
) -> None:
    if opened.stream is None:
        return
    rows = read_rows(opened.stream, feed_format=feed_format, categories=True)
    taken: set[str] = set()
    for batch in batches(rows, batch_size()):
        _take_batch(run, batch, mapping, taken)
        if report is not None:
            report(
                ImportProgress(rows=run.rows, bytes_read=opened.position(), bytes_total=opened.size)
            )
    if run.rows and not taken:
        raise FeedError(f"Not one of {run.rows:,} rows is a category.")


def _take_batch(run: Run, rows: list[Row], mapping: Mapping[str, str], taken: set[str]) -> None:
    records: list[CategoryRecord] = []
    places: list[Place] = []
    rejected: list[Rejected] = []
    for row in rows:
        run.rows += 1
        place = Place(run.rows, row.line)
        try:
            record = _record(row, mapping, run.market.default_locale)
        except RowError as error:
            rejected.append((place, error.product_id, error.problems))
            continue
        if record.category_id in taken:
            rejected.append((place, record.category_id, [_DUPLICATE]))
            continue
        records.append(record)
        places.append(place)
    result = upsert_categories(run.market, records, dry_run=run.dry_run)
    for place, outcome in zip(places, result.outcomes, strict=True):
        if outcome.status is RowStatus.REJECTED:
            rejected.append((place, outcome.product_id, outcome.problems))
        else:
            taken.add(outcome.product_id)
    run.count(result.outcomes)
    run.reject(rejected)


def _record(row: Row, mapping: Mapping[str, str], locale: str) -> CategoryRecord:
    if row.reason:
        raise RowError("", [Problem(field="", reason=row.reason)])
    values = _flatten(row.values, locale)
    names = {normalize(column): column for column in reversed(list(values))}
    given: dict[str, str | Keep] = {}
    for name, aliases in CATEGORY_FIELDS.items():
        wanted = [mapping[name]] if name in mapping else aliases
        columns = [names[x] for alias in wanted if (x := normalize(alias)) in names]
        if name in mapping and row.table and not columns:
            raise FeedError(
                f"The feed has no column {mapping[name]!r}; it has: {', '.join(values)}."
            )
        given[name] = parsing.as_text(values[columns[0]]) if columns else KEEP
    category_id = given.pop("category_id")
    if category_id is KEEP:
        raise RowError("", [Problem(field="category_id", reason="is not in the feed")])
    return CategoryRecord(category_id=str(category_id), **given)


def _flatten(values: Mapping[str, Any], locale: str) -> Mapping[str, Any]:
    """Lay Depict's ``locale_attributes`` flat: the market's own locale, else the first."""
    entries = values.get("locale_attributes")
    if not isinstance(entries, list):
        return values
    known = [entry for entry in entries if isinstance(entry, Mapping)]
    chosen = next((x for x in known if x.get("locale_id") == locale), known[0] if known else {})
    own = {name: value for name, value in values.items() if name != "locale_attributes"}
    return {**own, **chosen}
