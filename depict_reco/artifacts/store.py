"""Artifacts as files: one ``.npy`` per array and a JSON manifest, in a Django storage.

The manifest is written last and names size and SHA-256 of every file and of itself, so that an
artifact that was cut short or altered is recognised and refused. Arrays are mapped, not read:
the processes of a machine share one copy in memory.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from numpy.typing import NDArray

from depict_reco.conf import artifact_dir, settings
from depict_reco.exceptions import ArtifactBrokenError

FORMAT = 2
MANIFEST = "manifest.json"
SEAL = "sha256"
_CHUNK = 1 << 20


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
                digest = _digest(file)
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
            arrays[name] = _mapped(_local_file(path, f"{name}.npy", facts))
        except ArtifactBrokenError:
            raise
        except Exception as error:  # remote storages raise errors of their own
            raise ArtifactBrokenError(f"{path}/{name}.npy cannot be read: {error}") from error
    return StoredArtifact(arrays=arrays, manifest=manifest)


def verify(path: str) -> None:
    """Raise ArtifactBrokenError unless every file of an artifact is there and unaltered."""
    read(path)


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


def forget_copies(folder: str, *, keep: set[str]) -> None:
    """Remove local copies from under a market's folder, all but those of some paths."""
    copies = _cache_dir() / folder
    for copy in copies.iterdir() if copies.is_dir() else ():
        if f"{folder}/{copy.name}" not in keep:
            shutil.rmtree(copy, ignore_errors=True)


def paths_under(folder: str) -> list[str]:
    """Return the paths of everything stored under a market's folder, complete or not."""
    try:
        folders, _ = storage().listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" for name in sorted(folders)]


def _manifest(path: str) -> dict[str, Any]:
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


def _local_file(path: str, name: str, facts: Mapping[str, Any]) -> Path:
    """Return a verified file on this machine, fetched from the storage if it is remote."""
    target = storage()
    local = _own_file(target, f"{path}/{name}")
    if local is None:
        local = _cache_dir() / path / name
        if not local.exists() or not _is_whole(local, facts):
            with target.open(f"{path}/{name}") as remote, _new_file(local) as file:
                for chunk in remote.chunks(_CHUNK):
                    file.write(chunk)
    if not _is_whole(local, facts):
        size = local.stat().st_size
        raise ArtifactBrokenError(
            f"{path}/{name} is not what was written ({size} of {facts['bytes']} bytes)."
        )
    return local


def _own_file(target: Storage, name: str) -> Path | None:
    """Return the file of a storage that keeps files on this machine."""
    try:
        local = Path(target.path(name))
    except NotImplementedError:
        return None
    return local if local.exists() else None  # Django's storage in memory has paths, but no files


def _mapped(file: Path) -> NDArray[Any]:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an array without elements leaves no data to map
        array = np.load(file, allow_pickle=False)
    # a plain view of the mapped memory: slicing numpy's memmap class costs much more
    return array.view(np.ndarray)


def _is_whole(file: Path, facts: Mapping[str, Any]) -> bool:
    if file.stat().st_size != facts["bytes"]:
        return False
    with file.open("rb") as content:
        return _digest(content) == facts["sha256"]


def _cache_dir() -> Path:
    if settings.ARTIFACT_CACHE_DIR:
        return Path(settings.ARTIFACT_CACHE_DIR)
    return Path(tempfile.gettempdir()) / "depict_reco_artifacts"


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name and rename it, so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file  # type: ignore[misc]
        except BaseException:
            temporary.unlink()
            raise
    temporary.replace(path)


def _digest(file: Any) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
