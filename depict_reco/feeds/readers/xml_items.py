"""XML: RSS and Atom feeds of Google Merchant, and plain lists of products.

Entities, document types and anything external are refused (defusedxml). Names are taken
without their prefix; where a bare element and one of a prefix have one name, as ``id`` in Atom
and ``g:id``, the latter counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.sax import SAXException, handler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers.rows import Row

PRODUCT_NAMES = frozenset(["item", "entry", "product", "offer", "article"])
"""Elements that are a product, when they are not inside another one."""

CATEGORY_NAMES = frozenset(["item", "entry", "category"])
"""Elements that are a category in a feed of categories."""

MAX_DEPTH = 64
MAX_ITEM_LENGTH = 1 << 23
"""Characters of the longest element that is read."""

_CHUNK = 1 << 16


def read_xml(stream: BinaryIO, *, names: frozenset[str] = PRODUCT_NAMES) -> Iterator[Row]:
    """Read the items of an XML feed: the outermost elements of these names."""
    parser = DefusedExpatParser(forbid_dtd=True)
    items = _Items(parser, names)
    parser.setContentHandler(items)
    parser.setFeature(handler.feature_external_ges, False)
    while chunk := stream.read(_CHUNK):
        try:
            _feed(parser, chunk)
        finally:
            yield from items.take()
    try:
        parser.close()
    except SAXException as error:
        raise FeedError(f"The XML ends too early: {error}.") from None
    yield from items.take()


def _feed(parser: DefusedExpatParser, chunk: bytes) -> None:
    try:
        parser.feed(chunk)
    except DefusedXmlException:
        raise FeedError("The XML declares a document type or entities, which is refused.") from None
    except SAXException as error:
        raise FeedError(f"The XML is not well-formed: {error}.") from None


class _Element:
    """An element of an item while it is being read."""

    __slots__ = ("bare", "has_text", "line", "prefixed", "text")

    def __init__(self, line: int) -> None:
        self.line = line
        self.text: list[str] = []
        self.has_text = False
        self.bare: dict[str, list[Any]] = {}
        self.prefixed: dict[str, list[Any]] = {}

    def inside(self) -> dict[str, Any]:
        """The attributes and elements by name; several of one name are a list."""
        named = {**self.bare, **self.prefixed}
        return {name: many[0] if len(many) == 1 else many for name, many in named.items()}

    def value(self) -> Any:
        """The text with all that is marked up in it, an address (Atom's links), or the inside."""
        if self.has_text or not (self.bare or self.prefixed):
            return "".join(self.text).strip()
        return self.bare["href"][0] if "href" in self.bare else self.inside()


class _Items(handler.ContentHandler):
    """Turns the parser's calls into rows."""

    def __init__(self, parser: DefusedExpatParser, names: frozenset[str]) -> None:
        super().__init__()
        self._parser = parser
        self._names = names
        self._depth = 0
        self._open: list[_Element] = []
        self._rows: list[Row] = []
        self._length = 0

    def take(self) -> list[Row]:
        """Return the rows that are complete, and forget them."""
        rows, self._rows = self._rows, []
        return rows

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FeedError(f"The XML is nested more than {MAX_DEPTH} deep.")
        if not self._open:
            if self._depth == 1 or name.rpartition(":")[2].lower() not in self._names:
                return
            self._length = 0
        element = _Element(self._parser.getLineNumber())
        for key in attrs.getNames():
            element.bare.setdefault(key.rpartition(":")[2], []).append(attrs.getValue(key))
        self._open.append(element)
        self._grow(len(name) + sum(len(key) + len(value) for key, value in attrs.items()))

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1].text.append(content)
            self._open[-1].has_text |= not content.isspace()
            self._grow(len(content))

    def endElement(self, name: str) -> None:  # noqa: N802
        self._depth -= 1
        if not self._open:
            return
        element = self._open.pop()
        if not self._open:
            self._rows.append(Row(line=element.line, values=element.inside()))
            return
        prefix, _, bare_name = name.rpartition(":")
        parent = self._open[-1]
        group = parent.prefixed if prefix else parent.bare
        group.setdefault(bare_name, []).append(element.value())
        parent.text += element.text

    def _grow(self, length: int) -> None:
        self._length += length
        if self._length > MAX_ITEM_LENGTH:
            raise FeedError(
                f"Line {self._open[0].line}: an item is longer than {MAX_ITEM_LENGTH:,} characters."
            )
