"""Where feeds are read from: a file, standard input, or an http(s) address."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from depict_reco.catalog.files import STANDARD_INPUT, UNPACKING_ERRORS, open_file, unpacked
from depict_reco.exceptions import FeedError
from depict_reco.feeds.download import Download, check_size, download

_BUFFER = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSource:
    """A feed being read; ``stream`` is None when it has not changed since the last time."""

    stream: BinaryIO | None
    size: int | None
    """Bytes at the source (packed, if it is packed); None where that is unknown."""
    position: Callable[[], int]
    etag: str = ""
    last_modified: str = ""


def is_address(source: str) -> bool:
    """Whether a source is fetched over the network."""
    return source.lower().startswith(("http://", "https://"))


@contextmanager
def open_source(source: str, *, etag: str = "", last_modified: str = "") -> Iterator[OpenedSource]:
    """Open a source, unpacked; everything that fails while it is read is a FeedError."""
    try:
        if is_address(source):
            with download(source, etag=etag, last_modified=last_modified) as answer:
                yield _opened(answer)
        else:
            with open_file(source) as file:
                yield OpenedSource(stream=file.stream, size=file.size, position=file.position)
    except UNPACKING_ERRORS:
        raise FeedError("The archive is cut short or damaged.") from None
    except UnicodeError as error:
        raise FeedError(f"The feed cannot be decoded: {error}.") from None
    except OSError as error:
        name = "Standard input" if source == STANDARD_INPUT else repr(source)
        raise FeedError(f"{name} cannot be read: {error.strerror or error}.") from None


def _opened(answer: Download) -> OpenedSource:
    body = answer.body
    if body is None:
        stream = None
    else:
        # Twice: a server may pack once more, for the way, what is packed already.
        twice = unpacked(unpacked(body))
        stream = io.BufferedReader(_Limited(twice), _BUFFER)
    return OpenedSource(
        stream=stream,
        size=answer.size,
        position=lambda: body.count if body is not None else 0,
        etag=answer.etag,
        last_modified=answer.last_modified,
    )


class _Limited(io.RawIOBase):
    """A stream that refuses to give more bytes than a feed may have."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self._count += count
        check_size(self._count)
        return int(count)
