from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage, storages

from depict_reco.artifacts import store
from depict_reco.exceptions import ArtifactBrokenError

ARRAYS = {
    "numbers": np.arange(1000, dtype=np.int32),
    "part.scores": np.linspace(0, 1, 50, dtype=np.float32).reshape(5, 10),
    "empty": np.empty(0, dtype=np.float32),
    "empty_rows": np.empty((0, 4), dtype=np.int64),
}
FACTS = {"version": "v1", "accuracy": {"hr@20": 0.1 + 0.2}, "window": ("a", "b"), "naïve": "åäö 🐻"}


class Remote(Storage):
    """A storage that has no files on this machine, as a bucket has none."""

    def __init__(self) -> None:
        self.files = InMemoryStorage()
        self.opened: list[str] = []

    def _open(self, name, mode="rb"):
        self.opened.append(name)
        return self.files._open(name, mode)

    def _save(self, name, content):
        return self.files._save(name, content)

    def exists(self, name):
        return self.files.exists(name)

    def listdir(self, path):
        return self.files.listdir(path)

    def delete(self, name):
        self.files.delete(name)


def keep_in(settings, backend: str, folder: Path) -> Any:
    settings.STORAGES = {**settings.STORAGES, "models": {"BACKEND": backend}}
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "ARTIFACT_STORAGE": "models",
        "ARTIFACT_CACHE_DIR": str(folder / "copies"),
    }
    return storages["models"]


@pytest.fixture
def remote(settings, tmp_path):
    return keep_in(settings, "tests.artifacts.test_store.Remote", tmp_path)


@pytest.fixture
def memory(settings, tmp_path):
    return keep_in(settings, "django.core.files.storage.InMemoryStorage", tmp_path)


@pytest.fixture(params=["artifact_dir", "remote", "memory"])
def anywhere(request):
    """A local folder, a storage without paths, a storage whose paths lead to no files."""
    request.getfixturevalue(request.param)


def flip_a_bit(file: Path, at: int = -1) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def assert_broken(path: str, words: str) -> None:
    for act in (store.read, store.verify):
        with pytest.raises(ArtifactBrokenError, match=words):
            act(path)


def test_what_is_written_is_read(anywhere):
    manifest = store.write("1/2/v1", ARRAYS, FACTS)
    stored = store.read("1/2/v1")

    assert stored.manifest == manifest
    assert stored.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(stored.arrays[name], array)
        assert stored.arrays[name].dtype == array.dtype
        assert stored.arrays[name].shape == array.shape


def test_the_manifest_names_the_format_and_every_file(artifact_dir):
    store.write("1/2/v1", ARRAYS, FACTS)
    manifest = json.loads((artifact_dir / "1/2/v1/manifest.json").read_text("utf-8"))

    assert manifest["format"] == 3
    assert manifest["accuracy"] == {"hr@20": 0.30000000000000004}
    assert manifest["window"] == ["a", "b"]
    assert manifest["naïve"] == "åäö 🐻"
    assert manifest["files"].keys() == ARRAYS.keys()
    for name, facts in manifest["files"].items():
        assert facts["bytes"] == (artifact_dir / f"1/2/v1/{name}.npy").stat().st_size
        assert len(facts["sha256"]) == 64


def test_arrays_are_mapped_and_read_only(anywhere):
    store.write("1/2/v1", ARRAYS, FACTS)
    array = store.read("1/2/v1").arrays["numbers"]

    assert isinstance(array.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5


def test_objects_are_never_stored_or_read(artifact_dir):
    with pytest.raises(ValueError, match="allow_pickle"):
        store.write("1/2/v1", {"bad": np.array([{}], dtype=object)}, {})
    assert not (artifact_dir / "1/2/v1").exists()


@pytest.mark.parametrize("at", [0, 64, -1])
def test_a_flipped_bit_is_refused(artifact_dir, at):
    store.write("1/2/v1", ARRAYS, FACTS)
    flip_a_bit(artifact_dir / "1/2/v1/numbers.npy", at)

    assert_broken("1/2/v1", r"numbers\.npy is not what was written")


@pytest.mark.parametrize("size", [0, 10, 4000])
def test_a_truncated_file_is_refused(artifact_dir, size):
    store.write("1/2/v1", ARRAYS, FACTS)
    file = artifact_dir / "1/2/v1/numbers.npy"
    file.write_bytes(file.read_bytes()[:size])

    assert_broken("1/2/v1", rf"numbers\.npy is not what was written \({size} of 4128 bytes\)")


def test_a_missing_file_is_refused(anywhere):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.storage().delete("1/2/v1/numbers.npy")

    assert_broken("1/2/v1", r"numbers\.npy cannot be read")


def test_a_missing_manifest_is_refused(anywhere):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.storage().delete("1/2/v1/manifest.json")

    assert_broken("1/2/v1", r"manifest\.json cannot be read")


def test_nothing_at_all_is_refused(anywhere):
    assert_broken("1/2/none", "cannot be read")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{}", b"[]", b"null", b"1"])
def test_a_manifest_of_something_else_is_refused(artifact_dir, content):
    store.write("1/2/v1", ARRAYS, FACTS)
    (artifact_dir / "1/2/v1/manifest.json").write_bytes(content)

    assert_broken("1/2/v1", "manifest.json cannot be read|has format None, this version reads 3")


def test_another_format_is_refused_with_what_to_do(artifact_dir, monkeypatch):
    monkeypatch.setattr(store, "FORMAT", 4)
    store.write("1/2/v1", ARRAYS, FACTS)
    monkeypatch.undo()

    assert_broken("1/2/v1", "has format 4, this version reads 3: train the market again")


def test_a_manifest_is_refused_when_a_number_in_it_was_altered(artifact_dir):
    store.write("1/2/v1", ARRAYS, {"model": {"n_items": 4070}})
    file = artifact_dir / "1/2/v1/manifest.json"
    file.write_text(file.read_text("utf-8").replace("4070", "4071"), "utf-8")

    assert_broken("1/2/v1", r"manifest\.json is not what was written")


@pytest.mark.parametrize("fail_at", [1, 3, 5])
def test_a_full_disk_leaves_nothing_behind(artifact_dir, monkeypatch, fail_at):
    save, calls = FileSystemStorage._save, []

    def failing(self, name, content):
        calls.append(name)
        if len(calls) == fail_at:
            file = artifact_dir / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", failing)
    with pytest.raises(OSError, match="No space left"):
        store.write("1/2/v1", ARRAYS, FACTS)

    assert not (artifact_dir / "1/2/v1").exists()


def test_a_full_temporary_folder_leaves_nothing_behind(artifact_dir, monkeypatch):
    save = np.save

    def failing(file, array, **kwargs):
        if not array.size:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(file, array, **kwargs)

    monkeypatch.setattr(np, "save", failing)
    with pytest.raises(OSError, match="No space left"):
        store.write("1/2/v1", ARRAYS, FACTS)

    assert not (artifact_dir / "1/2/v1").exists()


def test_deleting_takes_everything_and_is_no_error_twice(anywhere):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.write("1/2/v2", ARRAYS, FACTS)

    store.delete("1/2/v1")
    store.delete("1/2/v1")

    assert store.paths_under("1/2") == ["1/2/v2"]
    store.verify("1/2/v2")
    assert store.paths_under("1/nobody") == []


def test_a_remote_artifact_is_fetched_once(remote):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.read("1/2/v1")
    first = len(remote.opened)
    store.read("1/2/v1")

    assert first == 1 + len(ARRAYS)
    assert remote.opened[first:] == ["1/2/v1/manifest.json"]


@pytest.mark.parametrize("damage", [flip_a_bit, lambda file: file.write_bytes(b"")])
def test_a_damaged_copy_is_fetched_again(remote, tmp_path, damage):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.read("1/2/v1")
    damage(tmp_path / "copies/1/2/v1/numbers.npy")

    np.testing.assert_array_equal(store.read("1/2/v1").arrays["numbers"], ARRAYS["numbers"])


def test_a_damaged_remote_file_is_refused(remote):
    store.write("1/2/v1", ARRAYS, FACTS)
    remote.delete("1/2/v1/numbers.npy")
    remote.save("1/2/v1/numbers.npy", ContentFile(b"something else"))

    assert_broken("1/2/v1", r"numbers\.npy is not what was written")


def test_a_remote_storage_that_fails_in_its_own_way_is_a_broken_artifact(remote, monkeypatch):
    store.write("1/2/v1", ARRAYS, FACTS)

    class ClientError(Exception):
        pass

    for name in ("numbers.npy", "manifest.json"):

        def failing(path, mode="rb", name=name):
            if path.endswith(name):
                raise ClientError("503 Slow Down")
            return remote._open(path, mode)

        with monkeypatch.context() as patch:
            patch.setattr(remote, "open", failing)
            assert_broken("1/2/v1", "503 Slow Down")


def test_a_broken_off_fetch_leaves_no_copy(remote, tmp_path, monkeypatch):
    store.write("1/2/v1", ARRAYS, FACTS)

    def chunks(self, size=None):
        yield b"half of it"
        raise ConnectionResetError("gone")

    monkeypatch.setattr("django.core.files.base.File.chunks", chunks)
    assert_broken("1/2/v1", "gone")

    assert copies(tmp_path) == []


# Copies of what lies on this machine


def copies(tmp_path):
    files = (path for path in (tmp_path / "copies").rglob("*") if path.is_file())
    return sorted(path.name for path in files if path.name != "lock")


def test_a_mapped_file_may_be_cut_short_in_the_storage(artifact_dir):
    store.write("1/2/v1", ARRAYS, FACTS)
    numbers = store.read("1/2/v1").arrays["numbers"]
    with (artifact_dir / "1/2/v1/numbers.npy").open("r+b") as file:
        file.truncate(10)

    # a mapping of the file itself would end this process here
    np.testing.assert_array_equal(numbers, ARRAYS["numbers"])


def test_the_copy_serves_the_next_process_but_is_no_proof_of_the_original(artifact_dir, tmp_path):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.verify("1/2/v1")
    assert copies(tmp_path) == [], "verifying copies nothing"
    store.read("1/2/v1")
    assert copies(tmp_path) == sorted(["manifest.json", *(f"{name}.npy" for name in ARRAYS)])

    flip_a_bit(artifact_dir / "1/2/v1/numbers.npy")
    np.testing.assert_array_equal(store.read("1/2/v1").arrays["numbers"], ARRAYS["numbers"])
    with pytest.raises(ArtifactBrokenError, match=r"numbers\.npy is not what was written"):
        store.verify("1/2/v1")

    store.delete("1/2/v1")
    np.testing.assert_array_equal(store.read("1/2/v1").arrays["numbers"], ARRAYS["numbers"])
    with pytest.raises(ArtifactBrokenError, match="manifest"):
        store.verify("1/2/v1")


def test_an_altered_copy_of_the_manifest_is_not_believed(artifact_dir, tmp_path):
    store.write("1/2/v1", ARRAYS, FACTS)
    store.read("1/2/v1")
    copy = tmp_path / "copies/1/2/v1/manifest.json"
    store.delete("1/2/v1")

    copy.write_text(copy.read_text("utf-8").replace("v1", "v2"), "utf-8")
    assert_broken("1/2/v1", "manifest")
    copy.write_text("{")
    assert_broken("1/2/v1", "manifest")


def test_where_no_copy_can_be_made_the_file_itself_is_mapped(artifact_dir, tmp_path, caplog):
    store.write("1/2/v1", ARRAYS, FACTS)
    (tmp_path / "copies").write_text("a file where the folder should be")

    stored = store.read("1/2/v1")
    np.testing.assert_array_equal(stored.arrays["numbers"], ARRAYS["numbers"])
    assert "without a copy" in caplog.text


def test_fingerprints_tell_whether_files_changed(artifact_dir):
    store.write("1/2/v1", ARRAYS, FACTS)
    before = store.fingerprints("1/2/v1")
    assert before.keys() == {"manifest.json", *(f"{name}.npy" for name in ARRAYS)}
    assert store.fingerprints("1/2/v1") == before

    flip_a_bit(artifact_dir / "1/2/v1/numbers.npy")
    (artifact_dir / "1/2/v1/empty.npy").unlink()
    after = store.fingerprints("1/2/v1")
    assert {name for name in after if after[name] != before[name]} == {"numbers.npy", "empty.npy"}
    assert after["empty.npy"] == ()


def test_of_remote_files_there_are_no_fingerprints(remote):
    store.write("1/2/v1", ARRAYS, FACTS)

    assert store.fingerprints("1/2/v1") is None
