"""Files that this machine keeps for all of its processes: each is made once, by one of them.

Nothing depends on them: what is missing is made again, and where none can be written, processes
do without.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files import locks
from django.core.files.storage import Storage

from depict_reco.conf import settings
from depict_reco.exceptions import ArtifactBrokenError

logger = logging.getLogger(__name__)

UNFINISHED = ".new-"
"""What the names of files begin with that are being written."""
LOCK = "lock"
_UNUSED_SECONDS = 7 * 86_400.0
_CHUNK = 1 << 20


def cache_dir() -> Path:
    """Return the folder of all of them."""
    if settings.ARTIFACT_CACHE_DIR:
        return Path(settings.ARTIFACT_CACHE_DIR)
    user = os.getuid() if hasattr(os, "getuid") else "all"  # one user cannot write another's
    return Path(tempfile.gettempdir()) / f"depict_reco_artifacts-{user}"


@contextmanager
def making(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of those who make files below a folder; yields whether it is held.

    The lock ends with the process that holds it, however that ends; what killed processes left
    unfinished is cleared away.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError:
        yield True  # each for itself, then
        return
    with file:
        held = locks.lock(file, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
        if held:
            for left_over in folder.rglob(f"{UNFINISHED}*"):
                left_over.unlink(missing_ok=True)
        yield held


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name and rename it, so that it is there whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=UNFINISHED, delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file  # type: ignore[misc]
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    temporary.replace(path)


def copy_of(target: Storage, path: str, name: str, facts: Mapping[str, Any]) -> Path:
    """Return a verified copy of a stored file; without room for one, the file itself."""
    local = cache_dir() / path / name
    if _is_copied(local, facts):
        return local
    with making(local.parent.parent, wait=True):
        if _is_copied(local, facts):  # by another process, for which this one waited
            return local
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            _copy(target, path, name, facts)
        except OSError as error:
            own = own_file(target, f"{path}/{name}")
            if own is None:
                raise
            insist(own, path, name, facts)
            logger.warning("Using %s/%s without a copy: none can be made: %s", path, name, error)
            return own
    return local


def _is_copied(local: Path, facts: Mapping[str, Any]) -> bool:
    return local.exists() and is_whole(local, facts)


def _copy(target: Storage, path: str, name: str, facts: Mapping[str, Any]) -> None:
    """Copy a stored file, unless it is not what was written."""
    digest, size = hashlib.sha256(), 0
    local = cache_dir() / path / name
    with target.open(f"{path}/{name}") as original, new_file(local) as file:
        for chunk in original.chunks(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        if size != facts["bytes"] or digest.hexdigest() != facts["sha256"]:
            raise _altered(path, name, facts, size=size)


def own_file(target: Storage, name: str) -> Path | None:
    """Return the file of a storage that keeps files on this machine."""
    try:
        local = Path(target.path(name))
    except NotImplementedError:
        return None
    return local if local.exists() else None  # Django's storage in memory has paths, but no files


def insist(file: Path, path: str, name: str, facts: Mapping[str, Any]) -> None:
    """Raise ArtifactBrokenError unless a file is what was written."""
    if not is_whole(file, facts):
        raise _altered(path, name, facts, size=file.stat().st_size)


def _altered(path: str, name: str, facts: Mapping[str, Any], *, size: int) -> ArtifactBrokenError:
    return ArtifactBrokenError(
        f"{path}/{name} is not what was written ({size} of {facts['bytes']} bytes)."
    )


def is_whole(file: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a file has the size and the SHA-256 that a manifest tells of it."""
    if file.stat().st_size != facts["bytes"]:
        return False
    with file.open("rb") as content:
        return digest_of(content) == facts["sha256"]


def digest_of(file: Any) -> str:
    """Return the SHA-256 of an open file."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def forget_versions(folder: str, *, keep: set[str]) -> None:
    """Remove copies from under a market's folder, all but those of some paths."""
    copies = cache_dir() / folder
    if not copies.is_dir():
        return
    with making(copies, wait=False) as held:
        for copy in copies.iterdir() if held else ():
            if copy.is_dir() and f"{folder}/{copy.name}" not in keep:
                shutil.rmtree(copy, ignore_errors=True)


def forget_markets(folders: Iterable[Path], *, keep: set[Path]) -> None:
    """Remove folders of markets that are no more, and in which nothing was made for a week.

    Another database may share the place: its processes make again what they then miss.
    """
    for folder in folders:
        try:
            unused = time.time() - folder.stat().st_mtime
        except OSError:
            continue
        if folder not in keep and unused > _UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
