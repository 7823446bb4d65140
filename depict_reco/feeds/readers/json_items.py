"""JSON Lines, and JSON: a list of objects, an object that holds one, or objects one by one.

JSON is read object by object. The text of each is found by its balanced brackets before it is
parsed, so that an object that is no valid JSON costs itself only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn, TextIO

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers.rows import Row

MAX_ITEM_LENGTH = 1 << 23
"""Characters of the longest object that is read."""

PRODUCT_LISTS = frozenset(
    [
        "products",
        "product",
        "items",
        "item",
        "entries",
        "entry",
        "offers",
        "articles",
        "data",
        "records",
        "rows",
        "results",
    ]
)
"""Names under which an object may hold the list of products."""

CATEGORY_LISTS = frozenset(["categories", "items", "entries", "data", "records", "rows", "results"])
"""Names under which an object may hold the list of categories, in a feed of them."""

WRAPPER_NAMES = frozenset(
    ["data", "feed", "catalog", "catalogue", "channel", "rss", "result", "response"]
)
"""Names under which an object may hold the object that holds the list."""

_CHUNK = 1 << 16
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|"|[{}\[\]]', re.DOTALL)
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}]+")
_BLANK = re.compile(r"[\s\ufeff]*")
_LIST_AHEAD = re.compile(r'"(\w+)"\s*:\s*\[\s*(?:\{|\]|$)')


def begins_with_lines(beginning: str, *, lists: frozenset[str] = PRODUCT_LISTS) -> bool:
    """Whether a text that begins with "{" has an object per line."""
    line, newline, _ = beginning.partition("\n")
    if any(match[1].lower() in lists for match in _LIST_AHEAD.finditer(line[:2000])):
        return False
    return not newline or line.rstrip().endswith("}")


def read_json_lines(text: TextIO) -> Iterator[Row]:
    """Read an object per line."""
    number = 0
    while line := text.readline(MAX_ITEM_LENGTH):
        number += 1
        if len(line) == MAX_ITEM_LENGTH and not line.endswith("\n"):
            while line and not line.endswith("\n"):
                line = text.readline(MAX_ITEM_LENGTH)
            yield Row(line=number, reason=f"is longer than {MAX_ITEM_LENGTH:,} characters")
        elif line := line.strip("\ufeff \t\r\n"):
            yield parse_item(line, line=number)


def read_json(text: TextIO, *, lists: frozenset[str] = PRODUCT_LISTS) -> Iterator[Row]:
    """Read the objects of a JSON document, or of several in a row."""
    scanner = _Scanner(text)
    while scanner.peek():
        yield from _read_value(scanner, lists)


def parse_item(text: str, *, line: int) -> Row:
    """Read one object."""
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        return Row(line=line, reason="is nested too deep")
    except ValueError as error:
        return Row(line=line, reason=f"is not valid JSON: {error}")
    if not isinstance(values, dict):
        return Row(line=line, reason="is not a JSON object")
    return Row(line=line, values=values)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _read_value(scanner: _Scanner, lists: frozenset[str]) -> Iterator[Row]:
    character = scanner.peek()
    if character == "[":
        yield from _read_list(scanner)
    elif character == "{":
        yield from _read_object(scanner, lists)
    else:
        raise FeedError(f"Line {scanner.line}: a JSON object or list was expected.")


def _read_list(scanner: _Scanner) -> Iterator[Row]:
    scanner.skip("[")
    while (character := scanner.peek()) != "]":
        if character == ",":
            scanner.skip(",")
            continue
        line = scanner.line
        yield parse_item(scanner.take_value(), line=line)
    scanner.skip("]")


def _read_object(scanner: _Scanner, lists: frozenset[str]) -> Iterator[Row]:
    """Read the products that an object holds, or else the object as a product."""
    line, own, holds_list = scanner.line, [], False
    scanner.skip("{")
    while (character := scanner.peek()) != "}":
        if character == ",":
            scanner.skip(",")
            continue
        key_text = scanner.take_value()
        name = key_text.strip('"').lower()
        scanner.skip(":")
        opening = scanner.peek()
        if opening == "[" and name in lists and scanner.peek_second() in "{]":
            holds_list = True
            yield from _read_list(scanner)
        elif opening == "{" and name in WRAPPER_NAMES and not holds_list:
            holds_list = True
            yield from _read_object(scanner, lists)
        else:
            own.append(f"{key_text}:{scanner.take_value()}")
    scanner.skip("}")
    if own and not holds_list:
        yield parse_item("{" + ",".join(own) + "}", line=line)


class _Scanner:
    """A JSON text of which only a small part is in memory."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._buffer = ""
        self._position = 0
        self.line = 1

    def peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            self._advance(_end(_BLANK.match(self._buffer, self._position)))
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def peek_second(self) -> str:
        """Return the character that is not blank behind the next one."""
        while True:
            end = _end(_BLANK.match(self._buffer, self._position + 1))
            if end < len(self._buffer):
                return self._buffer[end]
            if not self._read_more():
                self._fail("the text ends too early")

    def skip(self, character: str) -> None:
        """Go past one character, which must come next."""
        if self.peek() != character:
            self._fail(f"{character!r} was expected")
        self._position += 1

    def take_value(self) -> str:
        """Return the text of the next value: balanced brackets, a string, or a word."""
        character = self.peek()
        size = _CHUNK
        while True:
            end = self._find_end(character)
            if end is not None:
                value = self._buffer[self._position : end]
                self._advance(end)
                return value
            if len(self._buffer) - self._position > MAX_ITEM_LENGTH:
                self._fail(f"a value is longer than {MAX_ITEM_LENGTH:,} characters")
            if not self._read_more(size):
                self._fail("the text ends within a value that begins here")
            size *= 2  # so that a long value is not looked through again and again

    def _find_end(self, character: str) -> int | None:
        if character in "{[" and character:
            depth = 0
            for match in _BRACKETS.finditer(self._buffer, self._position):
                mark = match.group()
                if mark == '"':
                    return None  # a string that goes on behind the buffer
                if mark in "{[":
                    depth += 1
                elif mark in "}]":
                    depth -= 1
                    if depth == 0:
                        return match.end()
            return None
        pattern = _STRING if character == '"' else _SCALAR
        found = pattern.match(self._buffer, self._position)
        if found is None and character != '"':
            self._fail("a value was expected")
        if found is None or (pattern is _SCALAR and found.end() == len(self._buffer)):
            return None
        return found.end()

    def _advance(self, position: int) -> None:
        self.line += self._buffer.count("\n", self._position, position)
        self._position = position

    def _read_more(self, size: int = _CHUNK) -> bool:
        more = self._text.read(size)
        self._buffer = self._buffer[self._position :] + more
        self._position = 0
        return bool(more)

    def _fail(self, reason: str) -> NoReturn:
        raise FeedError(f"Line {self.line}: {reason}.")


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0
