"""Read event files row by row: CSV and TSV, JSON Lines, JSON arrays, Parquet; gzipped or not."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO, cast

from depict_reco.catalog.files import UNPACKING_ERRORS, OpenedFile, Rejoined, open_file
from depict_reco.exceptions import EventImportError

FORMATS = ("auto", "csv", "json", "jsonl", "parquet")
READING_ERRORS = (*UNPACKING_ERRORS, OSError, UnicodeError)
"""What can go wrong in the middle of a file and ends the reading."""

MAX_LINE_LENGTH = 1 << 22
"""Characters of the longest line, and of the longest object in a JSON array."""

_DELIMITERS = ",\t;|"
_HEAD_BYTES = 1 << 16
_CHUNK = 1 << 16
_PARQUET_MAGIC = b"PAR1"
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that cannot be read, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file: of cells under a header, or of objects when there is none."""

    header: Sequence[str] | None
    rows: Iterator[tuple[int, Any]]
    """Line number, and a sequence of cells or a mapping - or ``Unreadable``."""
    size: int | None
    """The size of the file, in whatever ``position`` counts; None where that is unknown."""
    position: Callable[[], int]


@contextmanager
def open_rows(path: str | os.PathLike[str], *, file_format: str = "auto") -> Iterator[Rows]:
    """Open an event file, or standard input for ``-``; raises EventImportError."""
    with ExitStack() as stack:
        try:
            rows = _rows(stack.enter_context(open_file(path)), file_format, stack)
        except READING_ERRORS as error:
            reason = getattr(error, "strerror", None) or error
            raise EventImportError(f"{path} cannot be read: {reason}.") from error
        yield rows


def _rows(file: OpenedFile, file_format: str, stack: ExitStack) -> Rows:
    head = _head(cast("io.BufferedReader", file.stream))
    whole = io.BufferedReader(Rejoined(head, file.stream), _HEAD_BYTES)
    if head.startswith(b"PK\x03\x04"):
        raise EventImportError(
            "This is a ZIP archive or an Excel workbook. Unpack it, or save it as CSV."
        )
    encoding = next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8")
    if file_format == "auto":
        file_format = recognise(head, encoding)
    if file_format == "parquet":
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(whole, copy)
        return read_parquet(copy)
    # Bytes that are no UTF-8 survive as lone surrogates: only what uses them is refused.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = io.TextIOWrapper(whole, encoding=encoding, errors=errors, newline="")
    header: Sequence[str] | None = None
    rows: Iterator[tuple[int, Any]]
    if file_format == "csv":
        header, rows = read_table(text)
    else:
        rows = read_json(text) if file_format == "json" else read_json_lines(text)
    return Rows(header=header, rows=rows, size=file.size, position=file.position)


def _head(stream: io.BufferedReader) -> bytes:
    """Read the beginning of a stream, however little is readable of it."""
    head = b""
    # What is broken is met again behind what is not.
    with suppress(*UNPACKING_ERRORS):
        while len(head) < _HEAD_BYTES and (more := stream.read1(_HEAD_BYTES)):
            head += more
    return head


def recognise(head: bytes, encoding: str = "utf-8") -> str:
    """Tell a format from the first bytes of a file."""
    if head.startswith(_PARQUET_MAGIC):
        return "parquet"
    beginning = head.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if beginning.startswith("{"):
        line, newline, _ = beginning.partition("\n")
        return "jsonl" if not newline or line.rstrip().endswith("}") else "json"
    return "json" if beginning.startswith("[") else "csv"


def read_table(text: TextIO) -> tuple[list[str], Iterator[tuple[int, list[str] | Unreadable]]]:
    """Return the header of a table, and its rows; a damaged line costs no other one."""
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise EventImportError("The file is empty: not even a header line.")
    if "\0" in first:
        raise EventImportError("This is no text: is it really CSV?")
    unquoted = "".join(first.split('"')[::2])
    delimiter = max(_DELIMITERS, key=unquoted.count)
    header = next(csv.reader([first], delimiter=delimiter))
    return [name.strip("\ufeff \t\r\n") for name in header], _cells(lines, delimiter, len(header))


def _cells(
    lines: _Lines, delimiter: str, width: int
) -> Iterator[tuple[int, list[str] | Unreadable]]:
    reader = csv.reader(lines, delimiter=delimiter)
    taken = lines.taken
    while True:
        taken.clear()
        number = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], str(error)
        else:
            if len(cells) == width:
                yield number, cells
                continue
            if not any(cell.strip() for cell in cells):
                continue
            problem = f"has {len(cells)} cells where the header has {width}"
        # An open quotation mark has swallowed the lines behind this one: read them again.
        lines.push_back(taken[1:])
        reader = csv.reader(lines, delimiter=delimiter)
        yield number, Unreadable(problem)


class _Lines:
    """The lines of a text: counted, remembered in ``taken``, and some of them again."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: list[str] = []
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(MAX_LINE_LENGTH)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def push_back(self, lines: Sequence[str]) -> None:
        self._again.extend(reversed(lines))
        self.number -= len(lines)


def read_json_lines(text: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | Unreadable]]:
    """Read an object per line."""
    number = 0
    while line := text.readline(MAX_LINE_LENGTH):
        number += 1
        if len(line) == MAX_LINE_LENGTH and line[-1] not in "\r\n":
            while (rest := text.readline(MAX_LINE_LENGTH)) and rest[-1] not in "\r\n":
                pass
            yield number, Unreadable(f"is longer than {MAX_LINE_LENGTH:,} characters")
        elif line := line.strip("\ufeff \t\r\n"):
            yield number, _parsed(line)


def _parsed(text: str) -> Mapping[str, Any] | Unreadable:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"is no JSON: {error}")
    return document if isinstance(document, dict) else Unreadable("is not a JSON object")


def read_json(text: TextIO) -> Iterator[tuple[int, Mapping[str, Any] | Unreadable]]:
    """Read a list of objects, or objects one behind the other; they are counted from 1.

    Raises EventImportError where the JSON is damaged, for what follows cannot be told.
    """
    decoder = json.JSONDecoder()
    buffer, number = text.read(_CHUNK).lstrip("\ufeff \t\r\n"), 0
    listed = buffer.startswith("[")
    if not listed and not buffer.startswith("{"):
        raise EventImportError("The JSON does not begin with a list of events, or an event.")
    buffer = buffer[listed:]
    while True:
        buffer = buffer.lstrip(", \t\r\n" if number else " \t\r\n")
        if listed and buffer.startswith("]"):
            return
        try:
            document, end = decoder.raw_decode(buffer)
        except (ValueError, RecursionError) as error:
            more = text.read(max(_CHUNK, len(buffer)))
            if not more and not listed and not buffer:
                return
            if not more or len(buffer) > MAX_LINE_LENGTH:
                raise EventImportError(
                    f"The JSON breaks off or is damaged behind event {number}: {error}"
                ) from None
            buffer += more
            continue
        buffer = buffer[end:]
        number += 1
        yield number, document if isinstance(document, dict) else Unreadable("is not an object")


def read_parquet(file: BinaryIO) -> Rows:
    """Read a Parquet file group by group; the number of a row counts from 1."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise EventImportError(
            "Reading Parquet needs pyarrow: pip install 'depict-reco[parquet]'"
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(file)
    except pyarrow.ArrowException as error:
        raise EventImportError(f"The Parquet file cannot be read: {error}") from None
    schema = table.schema_arrow
    flat = not any(pyarrow.types.is_nested(field.type) for field in schema)
    done = 0

    def rows() -> Iterator[tuple[int, Any]]:
        nonlocal done
        try:
            for batch in table.iter_batches(batch_size=8192):
                columns = batch.to_pydict()
                many = zip(*columns.values(), strict=True) if flat else batch.to_pylist()
                yield from enumerate(many, done + 1)
                done += batch.num_rows
        except pyarrow.ArrowException as error:
            raise EventImportError(f"The Parquet file breaks off at row {done}: {error}") from None

    return Rows(
        header=schema.names if flat else None,
        rows=rows(),
        size=table.metadata.num_rows,
        position=lambda: done,
    )
