"""Tables: one header line, then a row per line; comma, tab, semicolon or bar between cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers.rows import Row

DELIMITERS = "\t,;|"
MAX_LINE_LENGTH = 1 << 20
"""Characters of the longest line that is read; a longer one is refused, the next one read."""


def find_delimiter(header: str) -> str:
    """Return the delimiter that occurs most often outside quotation marks, else the comma."""
    unquoted = "".join(header.split('"')[::2])
    best = max(DELIMITERS, key=unquoted.count)
    return best if best in unquoted else ","


def read_table(text: TextIO) -> Iterator[Row]:
    """Read a table; a damaged line costs itself and none of its neighbours."""
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), "")
    lines.push_back([first] if first else [])
    records = _Records(lines, find_delimiter(first))
    columns = [name.strip().lstrip("\ufeff").strip() for name in _header(records)]
    names = [name for name in columns if name]
    repeated = {name for name in names if names.count(name) > 1}
    for line, cells, reason in records:
        if not any(cells) and not reason:
            continue
        if not reason and len(cells) != len(columns):
            records.give_back()
            reason = f"has {len(cells)} cells where the header has {len(columns)}"
        if reason:
            yield Row(line=line, reason=reason)
        elif repeated or len(names) < len(columns):
            yield Row(line=line, values=_gather(columns, cells, repeated), table=True)
        else:
            yield Row(line=line, values=dict(zip(columns, cells, strict=True)), table=True)


def _header(records: _Records) -> list[str]:
    for _, cells, reason in records:
        if reason:
            raise FeedError(f"The header line {reason}.")
        if any(cell.strip() for cell in cells):
            return cells
    raise FeedError("The feed is empty.")


def _gather(columns: Sequence[str], cells: Sequence[str], repeated: set[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, cell in zip(columns, cells, strict=True):
        if name in repeated:
            values.setdefault(name, []).append(cell)
        elif name:
            values[name] = cell
    return values


class _Lines:
    """The lines of a text, with their number, and with a way to read some of them again."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: list[str] = []
        self.number = 0
        self.taken: list[str] = []
        self.too_long = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_LINE_LENGTH)
        if len(line) == MAX_LINE_LENGTH and not line.endswith(("\n", "\r")):
            self.too_long, rest = True, line
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(MAX_LINE_LENGTH)
        return line

    def push_back(self, lines: Sequence[str]) -> None:
        self._again.extend(reversed(lines))
        self.number -= len(lines)


class _Records:
    """Records of a table as (line, cells, reason); an open quotation mark ends with its line."""

    def __init__(self, lines: _Lines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        while True:
            self._lines.taken.clear()
            line = self._lines.number + 1
            try:
                cells, reason = next(self._reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, reason = self._once_more(str(error))
            if self._lines.too_long:
                self._lines.too_long = False
                reason = f"is longer than {MAX_LINE_LENGTH:,} characters"
            yield line, cells, reason

    def give_back(self) -> None:
        """Have the lines of the last record behind its first read again, as rows of their own."""
        taken = self._lines.taken
        self._lines.push_back(taken[1:])
        del taken[1:]

    def _once_more(self, error: str) -> tuple[list[str], str]:
        """Read just the first line of a broken record, forgiving marks in odd places."""
        self.give_back()
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        if "field limit" not in error:
            forgiving = csv.reader(self._lines.taken, delimiter=self._delimiter)
            return [cell.rstrip("\r\n") for cell in next(forgiving)], ""
        return [], f"cannot be read: {error}"
