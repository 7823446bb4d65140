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
from contextlib import contextmanager
from pathlib import Path

from django.core.files import locks

from depict_reco.artifacts.store import cache_dir
from depict_reco.serving import mapped
from depict_reco.serving.images import CatalogueImage
from depict_reco.tenants.directory import MarketEntry
from depict_reco.tenants.models import Market

logger = logging.getLogger(__name__)

FORMAT = 1
_SUFFIX = f".catalogue{FORMAT}"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def newest(market: MarketEntry) -> CatalogueImage | None:
    """Map the newest image of a market that is whole; broken ones are removed."""
    found = sorted(_images(_folder(market)), reverse=True)
    latest = market.catalog_revision
    own = _own_images().get(market.catalog_id)
    if own is not None and own.revision <= latest:
        found = [one for one in found if one[0] > own.revision]
    if found and found[0][0] > latest:  # just made by a process that knew more, or
        latest = Market.objects.values_list("catalog_revision", flat=True).get(pk=market.pk)
    for revision, path in found:
        if revision > latest:  # of a database that was since turned back
            continue
        try:
            return CatalogueImage.of(mapped.read(path))
        except FileNotFoundError:  # another process has a newer one
            continue
        except (OSError, ValueError, KeyError) as error:
            logger.warning("%s is made anew: %s", path, error)
            path.unlink(missing_ok=True)
    return own if own is not None and own.revision <= latest else None


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


@contextmanager
def making(market: MarketEntry, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of those who make a market's image; yields whether it is held.

    The lock ends with the process that holds it, however that ends.
    """
    try:
        file = (_folder(market) / "lock").open("ab")
    except OSError:
        yield True  # each for itself, then
        return
    with file:
        held = locks.lock(file, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
        if held:
            for left_over in _folder(market).glob(f"{mapped.UNFINISHED}*"):  # of killed processes
                left_over.unlink(missing_ok=True)
        yield held


@functools.cache
def _own_images() -> dict[str, CatalogueImage]:
    """Return the images of this process that have no file, by the id of the catalogue."""
    return {}


def _folder(market: MarketEntry) -> Path:
    """Return the folder of a market's images, which only its owner can look into."""
    top = cache_dir() / f"catalogues-{_owner()}"
    folder = top / market.catalog_id
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
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
