"""Opening files and standard input, gzipped or not."""

from __future__ import annotations

import gzip
import io
import os
import threading
from types import SimpleNamespace

import pytest

from depict_reco.catalog.files import UNPACKING_ERRORS, open_file, unpacked


@pytest.mark.parametrize("content", [b"", b"\x1f", b"a", b"sku\n1\n" * 100_000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_and_unpacked(tmp_path, content, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(content))
    with open_file(path) as file:
        assert file.stream.read() == content
        assert file.position() == path.stat().st_size
        assert file.size == (path.stat().st_size or None)


def test_several_archives_in_one_file_are_one_content(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two"))
    with open_file(path) as file:
        assert file.stream.read() == b"one two"


def test_position_grows_while_reading(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    with open_file(path) as file:
        file.stream.read(1)
        assert 0 < file.position() < 1_000_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_may_come_byte_by_byte(monkeypatch, pack):
    reader, writer = os.pipe()
    packed = pack(b"a,b\n1,2\n")

    def drip():
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for byte in packed:
                pipe.write(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    with os.fdopen(reader, "rb") as stdin:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stdin))
        with open_file("-") as file:
            assert file.stream.read() == b"a,b\n1,2\n"
            assert (file.size, file.position()) == (None, len(packed))
    thread.join()


@pytest.mark.parametrize("damage", [lambda b: b[:-12], lambda b: b[:40] + b"\0\0" + b[42:]])
def test_a_damaged_archive_says_so(damage):
    packed = damage(gzip.compress(os.urandom(1000)))
    with pytest.raises(UNPACKING_ERRORS):
        unpacked(io.BytesIO(packed)).read()


def test_what_comes_before_the_damage_is_read():
    stream = unpacked(io.BytesIO(gzip.compress(b"a,b\n1,2\n")[:-6]))
    assert stream.read1(100) == b"a,b\n1,2\n"
    with pytest.raises(EOFError):
        stream.read1(100)


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError), open_file(tmp_path / "none"):
        pass
