from __future__ import annotations

import hashlib
import threading
import time

import numpy as np
import pytest
from django.core.files.storage import FileSystemStorage

from depict_reco.artifacts import copies, store
from tests.conftest import wait_for

ARRAYS = {"numbers": np.arange(1000, dtype=np.int32), "more": np.arange(9)}


@pytest.fixture
def written(artifact_dir):
    store.write("1/2/v1", ARRAYS, {})
    return artifact_dir / "1/2/v1"


def test_a_file_is_hashed_once_while_it_is_copied(written, monkeypatch):
    def never(file):
        raise AssertionError("hashed once more")

    monkeypatch.setattr(copies, "digest_of", never)
    stored = store.read("1/2/v1")

    np.testing.assert_array_equal(stored.arrays["numbers"], ARRAYS["numbers"])


def test_many_that_need_a_copy_make_one(written, monkeypatch):
    """Each thread has the lock's file open for itself, as each process has."""
    opened, begun, go_on = [], threading.Event(), threading.Event()
    plain_open = FileSystemStorage.open

    def slow_open(self, name, mode="rb"):
        if name.endswith(".npy"):
            opened.append(name)
            begun.set()
            assert go_on.wait(20)
        return plain_open(self, name, mode)

    monkeypatch.setattr(FileSystemStorage, "open", slow_open)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(store.read("1/2/v1"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    time.sleep(0.2)
    assert opened == ["1/2/v1/numbers.npy"]
    go_on.set()
    for thread in threads:
        thread.join(20)

    assert len(found) == 4
    assert sorted(opened) == ["1/2/v1/more.npy", "1/2/v1/numbers.npy"]


def test_what_killed_processes_left_half_made_goes_with_the_next_copy(written):
    folder = copies.cache_dir() / "1/2/v0"
    folder.mkdir(parents=True)
    half = folder / f"{copies.UNFINISHED}half"
    half.write_bytes(b"half a file")

    store.read("1/2/v1")

    assert not half.exists()


def test_versions_are_forgotten_but_not_while_somebody_makes_a_copy(written):
    store.write("1/2/v2", ARRAYS, {})
    for version in ("v1", "v2"):
        store.read(f"1/2/{version}")

    with copies.making(copies.cache_dir() / "1/2", wait=True):
        copies.forget_versions("1/2", keep={"1/2/v2"})
    folders = sorted(one.name for one in (copies.cache_dir() / "1/2").iterdir() if one.is_dir())
    assert folders == ["v1", "v2"]

    copies.forget_versions("1/2", keep={"1/2/v2"})
    folders = [one.name for one in (copies.cache_dir() / "1/2").iterdir() if one.is_dir()]
    assert folders == ["v2"]
    copies.forget_versions("1/nobody", keep=set())
    assert not (copies.cache_dir() / "1/nobody").exists()


def test_a_lock_is_held_by_one(tmp_path):
    told = []

    def wait():
        with copies.making(tmp_path, wait=True) as held:
            told.append(held)

    with copies.making(tmp_path, wait=False) as first:
        with copies.making(tmp_path, wait=False) as second:
            assert (first, second) == (True, False)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.1)
        assert told == []
    wait_for(lambda: told == [True])
    thread.join(20)


def test_the_digest_is_that_of_the_whole_file(tmp_path):
    (file := tmp_path / "file").write_bytes(b"content")
    with file.open("rb") as opened:
        opened.read(3)
        assert copies.digest_of(opened) == hashlib.sha256(b"content").hexdigest()
