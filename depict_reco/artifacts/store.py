"""Artifacts as files: one ``.npy`` per array and a JSON manifest, in a Django storage.

The manifest is written last and names size and SHA-256 of every file and of itself, so that an
artifact that was cut short or altered is recognised and refused. Arrays are mapped, not read:
the processes of a machine share one copy in memory. What is mapped is a copy of each file in a
folder of its own: whatever happens to the storage later, a file that is mapped must never be
cut short, since that kills the process that reads it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from numpy.typing import NDArray

from depict_reco.artifacts.copies import (
    cache_dir,
    copy_of,
    digest_of,
    insist,
    making,
    new_file,
    own_file,
)
from depict_reco.conf import artifact_dir, settings
from depict_reco.exceptions import ArtifactBrokenError

logger = logging.getLogger(__name__)

FORMAT = 3
MANIFEST = "manifest.json"
SEAL = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """What lies in the storage under one path."""

    arrays: dict[str, NDArray[Any]]
    """Memory-mapped, read-only."""
    manifest: dict[str, Any]


def storage() -> Storage:
    """Return the storage that the settings name, or the local folder."""
    if settings.ARTIFACT_STORAGE:
        return storages[settings.ARTIFACT_STORAGE]
    return FileSystemStorage(location=artifact_dir(), base_url=None)


def write(
    path: str, arrays: Mapping[str, NDArray[Any]], manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Store arrays and manifest under a new path; return the manifest with its list of files.

    What was already written is removed again when anything goes wrong, a full disk for instance.
    """
    target = storage()
    files: dict[str, Any] = {}
    try:
        for name, array in arrays.items():
            with tempfile.TemporaryFile() as file:
                np.save(file, array, allow_pickle=False)
                size = file.tell()
                digest = digest_of(file)
                file.seek(0)
                target.save(f"{path}/{name}.npy", File(file, name=f"{name}.npy"))
            files[name] = {"bytes": size, "sha256": digest}
        complete = _sealed({**manifest, "format": FORMAT, "files": files})
        text = json.dumps(complete, ensure_ascii=False, indent=1)
        target.save(f"{path}/{MANIFEST}", ContentFile(text.encode()))
    except BaseException:
        delete(path)
        raise
    return complete


def read(path: str) -> StoredArtifact:
    """Verify and map the artifact under a path.

    Raises ArtifactBrokenError, with the file and what is wrong with it.
    """
    manifest = _manifest(path)
    arrays = {}
    for name, facts in manifest["files"].items():
        try:
            arrays[name] = _mapped(copy_of(storage(), path, f"{name}.npy", facts))
        except ArtifactBrokenError:
            raise
        except Exception as error:  # remote storages raise errors of their own
            raise ArtifactBrokenError(f"{path}/{name}.npy cannot be read: {error}") from error
    _keep_manifest(path, manifest)
    return StoredArtifact(arrays=arrays, manifest=manifest)


def verify(path: str) -> None:
    """Raise ArtifactBrokenError unless every file in the storage is there and unaltered."""
    for name, facts in _stored_manifest(path)["files"].items():
        try:
            own = own_file(storage(), f"{path}/{name}.npy")
            if own is None and not storage().exists(f"{path}/{name}.npy"):
                raise ArtifactBrokenError(f"{path}/{name}.npy cannot be read: it is gone.")
            if own is None:
                _mapped(copy_of(storage(), path, f"{name}.npy", facts))
            else:
                insist(own, path, f"{name}.npy", facts)
        except ArtifactBrokenError:
            raise
        except Exception as error:  # remote storages raise errors of their own
            raise ArtifactBrokenError(f"{path}/{name}.npy cannot be read: {error}") from error


def delete(path: str) -> None:
    """Remove all files under a path; what is not there is no error."""
    target = storage()
    try:
        _, names = target.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    # The manifest goes first: without it nothing here can be taken for an artifact.
    for name in sorted(names, key=lambda name: name != MANIFEST):
        target.delete(f"{path}/{name}")
    target.delete(path)


def fingerprints(path: str) -> dict[str, tuple[int, ...]] | None:
    """Return what tells whether the stored files have changed; None where it costs too much.

    For each name in the manifest's list: size, time of change and inode, or nothing if the file
    is gone.
    """
    target = storage()
    try:
        folder = Path(target.path(path))
        names = [MANIFEST, *(f"{name}.npy" for name in _manifest(path)["files"])]
    except (NotImplementedError, ArtifactBrokenError):
        return None
    if isinstance(target, FileSystemStorage):
        return {name: _fingerprint(folder / name) for name in names}
    return None


def _fingerprint(file: Path) -> tuple[int, ...]:
    try:
        facts = file.stat()
    except OSError:
        return ()
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def paths_under(folder: str) -> list[str]:
    """Return the paths of everything stored under a market's folder, complete or not."""
    try:
        folders, _ = storage().listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" for name in sorted(folders)]


def _manifest(path: str) -> dict[str, Any]:
    """Return the manifest of an artifact, from this machine's copy where the storage has none."""
    try:
        return _stored_manifest(path)
    except ArtifactBrokenError:
        try:
            copy = cache_dir() / path / MANIFEST
            copied: dict[str, Any] = json.loads(copy.read_bytes())
        except (OSError, ValueError):
            copied = {}
        if copied.get("format") != FORMAT or copied != _sealed(copied):
            raise
        logger.exception("Going on with the copy of %s on this machine.", path)
        return copied


def _keep_manifest(path: str, manifest: Mapping[str, Any]) -> None:
    """Put the manifest beside the copies of its files, which are complete."""
    copy = cache_dir() / path / MANIFEST
    try:
        if not copy.exists():
            with making(copy.parent.parent, wait=True), new_file(copy) as file:
                file.write(json.dumps(manifest).encode())
    except OSError as error:
        logger.warning("No copy of %s/%s can be made: %s", path, MANIFEST, error)


def _stored_manifest(path: str) -> dict[str, Any]:
    try:
        with storage().open(f"{path}/{MANIFEST}") as file:
            manifest: dict[str, Any] = json.loads(file.read())
    except Exception as error:  # no file, no JSON, or whatever a remote storage raises
        raise ArtifactBrokenError(f"{path}/{MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtifactBrokenError(
            f"{path} has format {found!r}, this version reads {FORMAT}: train the market again."
        )
    if manifest != _sealed(manifest):
        raise ArtifactBrokenError(f"{path}/{MANIFEST} is not what was written.")
    return manifest


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest as JSON gives it back, with the SHA-256 of all of it."""
    plain: dict[str, Any] = json.loads(json.dumps(manifest))
    plain.pop(SEAL, None)
    text = json.dumps(plain, sort_keys=True)
    return plain | {SEAL: hashlib.sha256(text.encode()).hexdigest()}


def _mapped(file: Path) -> NDArray[Any]:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an array without elements leaves no data to map
        array = np.load(file, allow_pickle=False)
    # a plain view of the mapped memory: slicing numpy's memmap class costs much more
    return array.view(np.ndarray)
