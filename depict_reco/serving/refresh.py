"""Bringing a catalogue up to date, from the image of this machine and from the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from depict_reco.catalog.models import Product
from depict_reco.serving import image_files
from depict_reco.serving.background import Background, unhurried
from depict_reco.serving.categories import CategoryTree
from depict_reco.serving.changes import Changed, with_changes
from depict_reco.serving.columns import Columns
from depict_reco.serving.displays import render_flat, rendering_of
from depict_reco.serving.images import CatalogueImage, Entry
from depict_reco.serving.rows import ProductRow, read_rows
from depict_reco.tenants.directory import MarketEntry

logger = logging.getLogger(__name__)

FEWEST_CHANGES = 1000
CHANGED_SHARE = 0.05
"""Above so many changes, and this share of all products, a new image is made of them …"""
CALM_SECONDS = 3.0
MOST_ASIDE_SHARE = 0.2
"""… once nothing has changed for so long, or so many have: a feed changes all, batch by batch."""
MOST_READ = 5000
MOST_READ_SHARE = 0.2
"""Above so many, and this share, changes are not kept aside: a new image is read instead."""


def opened(market: MarketEntry) -> Columns:
    """Return the catalogue of a market as it is now; makes the machine's image if there is none."""
    image = image_files.newest(market)
    if image is None or _many_changed(market, image.n_rows, since=image.revision):
        image = _made(market, known=image)
    return _caught_up(image, market)


def needs_image(columns: Columns, market: MarketEntry, *, since: int) -> bool:
    """Whether so much has changed since a revision that an image must be made of it."""
    newest = image_files.newest_revision(market)
    if newest > columns.image.revision:
        since = newest
    return _many_changed(market, columns.n_rows, since=since)


def opened_anew(columns: Columns, market: MarketEntry) -> Columns:
    """Return the catalogue from a newer image, which one process of a machine makes."""
    return _caught_up(_made(market, known=columns.image), market)


def _many_changed(market: MarketEntry, n_rows: int, *, since: int) -> bool:
    if since >= market.catalog_revision:
        return False
    limit = int(max(MOST_READ, MOST_READ_SHARE * n_rows))
    changed = Product.objects.filter(market=market.pk).changed_since(since).order_by()
    return changed[: limit + 1].count() > limit


def _made(market: MarketEntry, *, known: CatalogueImage | None) -> CatalogueImage:
    """Make an image, unless another process has made one while this one waited for the lock."""
    with image_files.making(market, wait=True):
        found = None
        if known is None or image_files.newest_revision(market) > known.revision:
            found = image_files.newest(market)
        return found or _read(market)


def _caught_up(image: CatalogueImage, market: MarketEntry) -> Columns:
    columns = Columns.of(image)
    if market.catalog_revision <= image.revision:
        return columns
    changed = read_changes(
        columns, market, since=image.revision, deletions_since=image.deletion_revision
    )
    lay_out_soon(changed.columns, market)
    return changed.columns


def read_changes(
    columns: Columns, market: MarketEntry, *, since: int, deletions_since: int
) -> Changed:
    """Return a catalogue with what the database says has changed since a revision."""
    return with_changes(
        columns,
        unhurried(list(unhurried(read_rows(market.pk, since=since)))),
        tree=CategoryTree.read(market.pk),
        present=_all_pks(market.pk) if deletions_since != market.deletion_revision else None,
    )


def lay_out_soon(columns: Columns, market: MarketEntry) -> None:
    """Have an image made in the background if much has changed since the last one."""
    limit = max(FEWEST_CHANGES, CHANGED_SHARE * columns.image.n_rows)
    if columns.n_changes > limit:
        _waiting[market.pk] = _Waiting(columns, market, time.monotonic())
        act = partial(_lay_out_when_calm, market.pk)
        _background.begin(f"catalogue-{market.pk}", act, again=True)


class _Waiting(NamedTuple):
    """A catalogue that an image is to be made of."""

    columns: Columns
    market: MarketEntry
    since: float


_waiting: dict[int, _Waiting] = {}
"""The newest of each market."""
_background = Background()


def _lay_out_when_calm(market_pk: int) -> None:
    while market_pk in _waiting:
        columns, market, since = _waiting[market_pk]
        left = since + CALM_SECONDS - time.monotonic()
        if left > 0 and columns.n_changes <= MOST_ASIDE_SHARE * columns.image.n_rows:
            time.sleep(min(left, 0.1))
            continue
        del _waiting[market_pk]
        _lay_out_unless_made(columns, market)


def _lay_out_unless_made(columns: Columns, market: MarketEntry) -> None:
    with image_files.making(market, wait=False) as ours:
        if ours and image_files.newest_revision(market) <= columns.image.revision:
            _lay_out(columns, market)


def _lay_out(columns: Columns, market: MarketEntry) -> CatalogueImage:
    rendering = rendering_of(market)

    def render(row: ProductRow) -> bytes:
        return render_flat(row, market, market.default_locale)

    entries = unhurried(columns.entries(render, rendering))
    return _keep(entries, market, tree=columns.tree)


def _read(market: MarketEntry) -> CatalogueImage:
    """Make an image of what the database holds."""
    image_files.forget_markets()

    def entries() -> Iterator[Entry]:
        for row in read_rows(market.pk):
            yield row, row.to_record(), render_flat(row, market, market.default_locale)

    return _keep(entries(), market, tree=CategoryTree.read(market.pk))


def _keep(entries: Iterator[Entry], market: MarketEntry, *, tree: CategoryTree) -> CatalogueImage:
    pieces = CatalogueImage.lay_out(
        entries,
        revision=market.catalog_revision,
        deletion_revision=market.deletion_revision,
        rendering=rendering_of(market),
        tree=tree,
    )
    return image_files.keep(market, market.catalog_revision, pieces)


def _all_pks(market_pk: int) -> NDArray[np.int64]:
    pks = Product.objects.filter(market=market_pk).values_list("pk", flat=True)
    return np.fromiter(pks.iterator(chunk_size=20_000), dtype=np.int64)
