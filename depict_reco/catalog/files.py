"""Files that imports read: a path or standard input, gzipped or not."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

STANDARD_INPUT = "-"
UNPACKING_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading an ``unpacked`` stream raises when the archive is cut short or damaged."""

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file being read."""

    stream: BinaryIO
    """Its content, unpacked."""
    size: int | None
    """Bytes of the file as it lies there (gzipped, if it is); None where that is unknown."""
    position: Callable[[], int]
    """Bytes of it that were read so far."""


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[OpenedFile]:
    """Open a file, or standard input for ``-``, to read its bytes, unpacked if it is gzipped."""
    if os.fspath(path) == STANDARD_INPUT:
        counted = _Counted(cast("io.RawIOBase", sys.stdin.buffer))
        yield OpenedFile(stream=unpacked(counted), size=None, position=lambda: counted.count)
        return
    with open(path, "rb", buffering=0) as raw:
        counted = _Counted(raw)
        yield OpenedFile(
            stream=unpacked(counted),
            size=os.fstat(raw.fileno()).st_size or None,
            position=lambda: counted.count,
        )


def unpacked(stream: io.RawIOBase | BinaryIO) -> BinaryIO:
    """Return a buffered stream of what a stream holds, gunzipped if it begins like gzip."""
    head = b""
    while len(head) < len(_GZIP_MAGIC) and (more := stream.read(len(_GZIP_MAGIC) - len(head))):
        head += more
    whole = io.BufferedReader(Rejoined(head, stream), 1 << 17)
    if head == _GZIP_MAGIC:
        return io.BufferedReader(Rejoined(b"", gzip.GzipFile(fileobj=whole)), 1 << 17)
    return whole


class _Counted(io.RawIOBase):
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: io.RawIOBase) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        count = _read_some(self._stream, buffer)
        self.count += count or 0
        return count


class Rejoined(io.RawIOBase):
    """A stream whose first bytes were read already, with these bytes in front again."""

    def __init__(self, head: bytes, rest: io.IOBase | BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        return _read_some(self._rest, buffer)


def _read_some(stream: io.IOBase | BinaryIO, buffer: memoryview) -> int | None:
    """Read what comes with one read: not waiting for more, nor losing it to a later error."""
    read = getattr(stream, "readinto1", None) or stream.readinto  # type: ignore[union-attr]
    count: int | None = read(buffer)
    return count
