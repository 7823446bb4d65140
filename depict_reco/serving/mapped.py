"""Arrays and texts in one file that the processes of a machine map and share.

A file is written under another name and renamed when it is whole, and ends with a checksum of
all of it: whatever is there under its own name can be read, or is recognised as broken.
"""

from __future__ import annotations

import json
import mmap
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.artifacts.copies import new_file
from depict_reco.serving.encoding import to_json

_MAGIC = b"reco\x00\x01\r\n"
_ALIGNMENT = 64
_CHUNK = 1 << 20
_CHECKSUM_BYTES = 4


class BrokenFileError(ValueError):
    """A file is not what was written."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Byte strings one after the other; they are cut out of the buffer when they are asked for."""

    buffer: mmap.mmap | bytes
    offset: int
    """Where the first of them begins."""
    indptr: NDArray[np.int64]
    """(n + 1,): where each begins, counted from there."""

    def __getitem__(self, at: int) -> bytes:
        start, end = self.indptr[at : at + 2].tolist()
        return self.buffer[self.offset + start : self.offset + end]

    def several(self, at: NDArray[np.integer]) -> list[bytes]:
        """Return some of the strings."""
        buffer = self.buffer
        starts, ends = self.indptr[at] + self.offset, self.indptr[at + 1] + self.offset
        return [buffer[i:j] for i, j in zip(starts.tolist(), ends.tolist(), strict=True)]

    def __iter__(self) -> Iterator[bytes]:
        for start, end in pairwise(self.indptr.tolist()):
            yield self.buffer[self.offset + start : self.offset + end]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a file holds."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    texts: dict[str, Texts]


def pack(
    facts: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    texts: Mapping[str, tuple[bytes | bytearray, array[int]]],
) -> Iterator[bytes | memoryview]:
    """Yield the content of a file, piece by piece; texts are a buffer and the strings' lengths."""
    parts: dict[str, NDArray[Any]] = {**arrays}
    for name, (text, lengths) in texts.items():
        parts[name] = np.frombuffer(text, dtype=np.uint8)
        parts[f"{name}.indptr"] = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    layout, offset = {}, 0
    for name, part in parts.items():
        layout[name] = [part.dtype.str, len(part), offset]
        offset += -(-part.nbytes // _ALIGNMENT) * _ALIGNMENT
    header = to_json({"facts": facts, "layout": layout, "texts": list(texts)})
    start = len(_MAGIC) + 8 + len(header)
    padding = -start % _ALIGNMENT
    pieces: list[bytes | memoryview] = [
        _MAGIC, (len(header) + padding).to_bytes(8, "little"), header + b" " * padding,
    ]  # fmt: skip
    for part in parts.values():
        pieces.append(memoryview(np.ascontiguousarray(part)).cast("B") if len(part) else b"")
        pieces.append(bytes(-part.nbytes % _ALIGNMENT))
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        yield piece
    yield checksum.to_bytes(_CHECKSUM_BYTES, "little")


def unpack(buffer: mmap.mmap | bytes) -> Mapped:
    """Return what is packed in a buffer, which is not copied; its checksum is not looked at."""
    begin = len(_MAGIC) + 8
    if len(buffer) < begin or buffer[: len(_MAGIC)] != _MAGIC:
        raise BrokenFileError("This is no file of ours, or one of another version.")
    start = begin + int.from_bytes(buffer[len(_MAGIC) : begin], "little")
    header = json.loads(buffer[begin:start])
    arrays = {
        name: np.frombuffer(buffer, dtype=dtype, count=count, offset=start + offset)
        for name, (dtype, count, offset) in header["layout"].items()
    }
    texts = {}
    for name in header["texts"]:
        _, _, offset = header["layout"][name]
        del arrays[name]
        texts[name] = Texts(buffer, start + offset, arrays.pop(f"{name}.indptr"))
    return Mapped(header["facts"], arrays, texts)


def write(path: Path, pieces: Iterator[bytes | memoryview]) -> None:
    """Write a file so that it is there whole or not at all."""
    with new_file(path) as file:
        for piece in pieces:
            file.write(piece)


def read(path: Path) -> Mapped:
    """Verify and map a file; raise BrokenFileError or OSError when that cannot be."""
    checksum = 0
    with path.open("rb") as file:
        # read, not mapped: what is looked at only once need not count as this process's memory
        left = path.stat().st_size - _CHECKSUM_BYTES
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            checksum = zlib.crc32(chunk, checksum)
            left -= len(chunk)
        if left or file.read() != checksum.to_bytes(_CHECKSUM_BYTES, "little"):
            raise BrokenFileError(f"{path} is not what was written.")
        return unpack(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
