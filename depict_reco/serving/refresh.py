"""Bringing a catalogue up to date, from the image of this machine and from the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from depict_reco.catalog.models import Product
from depict_reco.serving import image_files
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
"""Above so many changes, and this share of all products, a new image is made of them."""


def opened(market: MarketEntry) -> Columns:
    """Return the catalogue of a market as it is now; makes the machine's image if there is none."""
    image = image_files.newest(market)
    if image is None:
        with image_files.making(market, wait=True):
            image = image_files.newest(market) or _read(market)
    columns = Columns.of(image)
    if market.catalog_revision <= image.revision:
        return columns
    changed = read_changes(
        columns, market, since=image.revision, deletions_since=image.deletion_revision
    )
    if not changed.whole:
        return laid_out(changed.columns, market)
    lay_out_soon(changed.columns, market)
    return changed.columns


def read_changes(
    columns: Columns, market: MarketEntry, *, since: int, deletions_since: int
) -> Changed:
    """Return a catalogue with what the database says has changed since a revision."""
    return with_changes(
        columns,
        list(read_rows(market.pk, since=since)),
        tree=CategoryTree.read(market.pk),
        present=_all_pks(market.pk) if deletions_since != market.deletion_revision else None,
    )


def laid_out(columns: Columns, market: MarketEntry) -> Columns:
    """Return the same catalogue in an image of its own, which others can map as well."""
    with image_files.making(market, wait=True):
        return Columns.of(_lay_out(columns, market))


def lay_out_soon(columns: Columns, market: MarketEntry) -> None:
    """Have an image made in the background if much has changed since the last one."""
    limit = max(FEWEST_CHANGES, CHANGED_SHARE * columns.image.n_rows)
    if columns.n_changes > limit:
        name = f"catalogue-{market.pk}"
        if not any(thread.name == name for thread in threading.enumerate()):
            threading.Thread(
                target=_lay_out_unless_made, args=(columns, market), name=name, daemon=True
            ).start()


def _lay_out_unless_made(columns: Columns, market: MarketEntry) -> None:
    with image_files.making(market, wait=False) as ours:
        if ours and image_files.newest_revision(market) <= columns.image.revision:
            _lay_out(columns, market)


def _lay_out(columns: Columns, market: MarketEntry) -> CatalogueImage:
    rendering = rendering_of(market)

    def render(row: ProductRow) -> bytes:
        return render_flat(row, market, market.default_locale)

    return _keep(columns.entries(render, rendering), market, tree=columns.tree)


def _read(market: MarketEntry) -> CatalogueImage:
    """Make an image of what the database holds."""

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
