"""Where the images of catalogues lie on this machine, and who makes them.

One file per market and revision, in a folder that only its owner may look into. Whoever needs
one that is not there makes it, under a lock; all others map it. Nothing depends on a file: where
none can be written, a process keeps an image of its own.
"""

from __future__ import annotations

import functools
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from django.db import router

from depict_reco.artifacts import copies
from depict_reco.serving import mapped
from depict_reco.serving.images import CatalogueImage
from depict_reco.tenants.directory import MarketEntry
from depict_reco.tenants.models import Market

logger = logging.getLogger(__name__)

FORMAT = 2
_SUFFIX = f".catalogue{FORMAT}"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def newest(market: MarketEntry) -> CatalogueImage | None:
    """Map the newest image of a market that is whole; broken and foreign ones are removed."""
    found = sorted(_images(_folder(market)), reverse=True)
    own = _own_images().get(market.catalog_id)
    known = [own.revision] if own is not None else []
    if max([*known, *(revision for revision, _ in found)], default=0) > market.catalog_revision:
        found = _of_this_history(market, found)
        own = _own_images().get(market.catalog_id)
    if own is not None:
        found = [one for one in found if one[0] > own.revision]
    for _, path in found:
        try:
            return CatalogueImage.of(mapped.read(path))
        except FileNotFoundError:  # another process has a newer one
            continue
        except (OSError, ValueError, KeyError) as error:
            logger.warning("%s is made anew: %s", path, error)
            path.unlink(missing_ok=True)
    return own


def _of_this_history(market: MarketEntry, found: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """Return the images that the database can have led to; those of a later state are removed.

    A newer image than the directory knows may be right, made by a process that looked later. The
    database itself, asked after the images were seen, is at least as far as each of them, unless
    it was turned back: its counter will pass them again, and they must be gone by then.
    """
    database = router.db_for_write(Market)  # a replica may be behind those who made them
    revisions = Market.objects.using(database).values_list("catalog_revision", flat=True)
    latest = revisions.get(pk=market.pk)
    for revision, path in found:
        if revision > latest:
            logger.warning("%s is of a database that was since turned back; removed.", path)
            path.unlink(missing_ok=True)
    own = _own_images().get(market.catalog_id)
    if own is not None and own.revision > latest:
        _own_images().pop(market.catalog_id, None)
    return [one for one in found if one[0] <= latest]


def newest_revision(market: MarketEntry) -> int:
    """Return the revision of the newest image of a market; 0 where there is none."""
    found = [revision for revision, _ in _images(_folder(market))]
    if (own := _own_images().get(market.catalog_id)) is not None:
        found.append(own.revision)
    return max((one for one in found if one <= market.catalog_revision), default=0)


def keep(
    market: MarketEntry, revision: int, pieces: Iterator[bytes | memoryview]
) -> CatalogueImage:
    """Write an image and return it; older ones are removed, which those who map them survive."""
    folder = _folder(market)
    path = folder / f"{revision}{_SUFFIX}"
    content = list(pieces)
    try:
        mapped.write(path, iter(content))
        image = CatalogueImage.of(mapped.read(path))
    except OSError as error:
        logger.warning("%s cannot be written, this process keeps it to itself: %s", path, error)
        image = _own_images()[market.catalog_id] = CatalogueImage.in_memory(iter(content))
        return image
    _own_images().pop(market.catalog_id, None)
    for other, old in _images(folder):
        if other < revision:
            old.unlink(missing_ok=True)
    return image


def making(market: MarketEntry, *, wait: bool) -> AbstractContextManager[bool]:
    """Hold the lock of those who make a market's image; gives whether it is held."""
    return copies.making(_folder(market), wait=wait)


def forget_markets() -> None:
    """Remove images of markets that are no more."""
    top = copies.cache_dir() / f"catalogues-{_owner()}"
    kept = Market.objects.values_list("catalog_id", flat=True)
    copies.forget_markets(top.glob("*"), keep={top / catalog_id.hex for catalog_id in kept})


@functools.cache
def _own_images() -> dict[str, CatalogueImage]:
    """Return the images of this process that have no file, by the id of the catalogue."""
    return {}


def _folder(market: MarketEntry) -> Path:
    """Return the folder of a market's images, which only its owner can look into."""
    top = copies.cache_dir() / f"catalogues-{_owner()}"
    folder = top / market.catalog_id
    try:
        copies.cache_dir().mkdir(parents=True, exist_ok=True)
        top.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        logger.warning("%s cannot be made: %s", folder, error)
    return folder


def _owner() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _images(folder: Path) -> list[tuple[int, Path]]:
    """Return the images of a folder, with their revisions, unless others could have made them."""
    try:
        facts = folder.parent.stat()
        if hasattr(os, "getuid") and (facts.st_uid != os.getuid() or facts.st_mode & _OTHERS_WRITE):
            logger.warning("%s belongs to somebody else and is not used.", folder.parent)
            return []
        names = os.listdir(folder)
    except OSError:
        return []
    stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
    return [(int(stem), folder / f"{stem}{_SUFFIX}") for stem in stems if stem.isdigit()]
