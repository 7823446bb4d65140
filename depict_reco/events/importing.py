"""Import a file of events: read, clean and store them, batch by batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.events.admitting import admit
from depict_reco.events.cleaning import Cleaner, RejectedError, Skip
from depict_reco.events.ingest import Ingested, ProductNames, ingest
from depict_reco.events.layouts import DocumentLayout, TableLayout, Values
from depict_reco.events.models import Event, EventType, RefusalReason
from depict_reco.events.names import FIELDS, plain
from depict_reco.events.readers import READING_ERRORS, Rows, Unreadable, open_rows
from depict_reco.events.records import NewEvent, derived_deduplication_id
from depict_reco.events.refusals import note_refusal
from depict_reco.events.results import (
    MAX_REJECTIONS,
    EventImportCutShortError,
    EventImportOptions,
    EventImportResult,
    Rejection,
)
from depict_reco.exceptions import EventImportError
from depict_reco.tenants.models import Market

_ORDERED_SPAN = timedelta(days=1)

EventProgress = Callable[[int, int | None], None]
"""Called now and then with how much of the file is done, and with how much there is."""


def import_events(
    market: Market,
    path: str | os.PathLike[str],
    *,
    options: EventImportOptions | None = None,
    dry_run: bool = False,
    progress: EventProgress = lambda done, size: None,
) -> EventImportResult:
    """Import a file (``-`` for standard input) into a market.

    May be killed at any moment and run again, as often as one likes: events that are stored are
    found again by their deduplication id. Raises EventImportError when the file cannot be read
    at all, and EventImportCutShortError when it breaks off in the middle.
    """
    options = options or EventImportOptions()
    with open_rows(path, file_format=options.file_format) as rows:
        importer = _Importer(market, rows, options, dry_run=dry_run)
        try:
            for batch in importer.batches():
                importer.store(batch)
                progress(rows.position(), rows.size)
        except READING_ERRORS as error:
            raise EventImportCutShortError(
                f"The file breaks off or is damaged: {error}", result=importer.result()
            ) from error
        except EventImportError as error:
            if not importer.counts["rows"]:
                raise
            raise EventImportCutShortError(str(error), result=importer.result()) from error
        if (clamped := importer.counts["clamped"]) and not dry_run:
            note_refusal(
                RefusalReason.CLOCK, tenant_pk=market.tenant_id, market=market.slug,
                detail="imported file", times=clamped,
            )  # fmt: skip
        return importer.result()


class _Importer:
    """One run of an import: what it counts and has decided so far."""

    def __init__(
        self, market: Market, rows: Rows, options: EventImportOptions, *, dry_run: bool
    ) -> None:
        self._market, self._rows, self._options, self._dry_run = market, rows, options, dry_run
        self._layout: TableLayout | DocumentLayout
        if rows.header is not None:
            self._layout = TableLayout(rows.header, mapping=options.mapping or {})
        else:
            self._layout = DocumentLayout(mapping=options.mapping or {})
        self._products = ProductNames(market.pk)
        self.counts: Counter[str] = Counter()
        self._rejections: list[Rejection] = []
        self._notes: list[str] = []

    def result(self) -> EventImportResult:
        return EventImportResult(
            **self.counts,
            rejections=tuple(self._rejections),
            notes=tuple(self._notes),
            dry_run=self._dry_run,
        )

    def batches(self) -> Iterator[list[NewEvent]]:
        """Read and clean the rows; yield the events in batches, the last even if it is empty."""
        batch: list[NewEvent] = []
        size = settings.IMPORT_BATCH_SIZE
        events = self._events()
        while True:
            try:
                for event in islice(events, size):
                    batch.append(event)
            except (*READING_ERRORS, EventImportError):
                yield batch
                raise
            yield batch
            if len(batch) < size:
                return
            batch = []

    def store(self, batch: list[NewEvent]) -> None:
        """Store a batch, or look what would become of it."""
        products = self._products
        products.look_up(batch)
        self.counts["unknown_products"] += sum(not products.know(event) for event in batch)
        self.counts["returns"] += sum(event.type == EventType.RETURN for event in batch)
        if self._dry_run:
            done = self._look(batch)
        else:
            done = ingest(
                batch,
                tenant_pk=self._market.tenant_id,
                market_pk=self._market.pk,
                products=products,
                consent=self._options.consent,
            )
        self.counts.update(asdict(done))

    def _look(self, batch: list[NewEvent]) -> Ingested:
        """Say what would become of a batch."""
        tenant_pk, consent = self._market.tenant_id, self._options.consent
        admitted = admit(batch, tenant_pk=tenant_pk, consent=consent)
        events = admitted.events
        ids = {event.deduplication_id or derived_deduplication_id(event) for event in events}
        known = Event.objects.filter(market=self._market, deduplication_id__in=ids).count()
        stored = len(ids) - known
        return Ingested(
            stored=stored,
            duplicates=len(events) - stored,
            erased=admitted.erased,
            anonymous=admitted.anonymous,
        )

    def _events(self) -> Iterator[NewEvent]:
        counts = self.counts
        cleaner: Cleaner | None = None
        begun = False
        for line, part, values in self._records():
            counts["rows"] += 1
            cleaner = cleaner or self._cleaner(values)
            try:
                event = cleaner.clean(values, line=line, part=part)
            except RejectedError as error:
                self._reject(line, error.field, error.reason)
                continue
            if isinstance(event, Skip):
                counts[event.value] += 1
                continue
            if cleaner.ordered_from is not None and not begun:
                shift = self._time_of_last_run(event) - event.time
                cleaner = replace(cleaner, ordered_from=cleaner.ordered_from + shift)
                event = replace(event, time=event.time + shift)
            begun = True
            yield event

    def _records(self) -> Iterator[tuple[int, int, Values]]:
        """Yield line, part of it and values of what the filters let through."""
        filters: dict[str, set[str]] = {}
        for name, value in self._options.filters:
            filters.setdefault(plain(name), set()).add(value.strip())
        read = self._layout.reader(filters)
        for line, row in self._rows.rows:
            if isinstance(row, Unreadable):
                self.counts["rows"] += 1
                self._reject(line, "", row.reason)
                continue
            for part, values in enumerate(read(row)):
                if values is None:
                    self.counts["rows"] += 1
                    self.counts["filtered"] += 1
                else:
                    yield line, part, values

    def _cleaner(self, values: Values) -> Cleaner:
        """Decide, by the header or the first event, how events without type and time are read."""
        present = {name for name, value in zip(FIELDS, values, strict=True) if value is not None}
        if isinstance(self._layout, TableLayout):
            present = set(self._layout.columns)
        options = self._options
        default_type = EventType.PAGE_VIEW
        if present & {"transaction_id", "quantity", "price"}:
            default_type = EventType.PURCHASE
        if not options.event_type and "type" not in present:
            self._notes.append(
                f"The file names no types of events: each is taken to be a {default_type.value}. "
                "--type says otherwise."
            )
        ordered_from = None
        if "timestamp" not in present:
            ordered_from = timezone.now() - _ORDERED_SPAN
            self._notes.append(
                "The file names no times: its rows are taken to be in the order of time, and get "
                "times of yesterday, a millisecond apart."
            )
        return Cleaner(
            default_type=default_type.value,
            forced_type=options.event_type,
            zone=options.zone,
            time_format=options.time_format,
            marks_cancelled=getattr(self._layout, "marks_cancelled", False),
            ordered_from=ordered_from,
            counts=self.counts,
        )

    def _time_of_last_run(self, first: NewEvent) -> datetime:
        """Return the time that an earlier import of this file gave to its first event."""
        stored = Event.objects.filter(
            market=self._market, deduplication_id=first.deduplication_id
        ).values_list("time", flat=True)
        return stored.first() or first.time

    def _reject(self, line: int, field: str, reason: str) -> None:
        self.counts["rejected"] += 1
        if len(self._rejections) < MAX_REJECTIONS:
            self._rejections.append(Rejection(line=line, field=field, reason=reason))
