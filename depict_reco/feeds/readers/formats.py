"""Recognise what a feed is written in, and read it row by row."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from depict_reco.catalog.files import Rejoined
from depict_reco.exceptions import FeedError
from depict_reco.feeds.models import FeedFormat
from depict_reco.feeds.readers.json_items import (
    CATEGORY_LISTS,
    PRODUCT_LISTS,
    begins_with_lines,
    read_json,
    read_json_lines,
)
from depict_reco.feeds.readers.rows import Row
from depict_reco.feeds.readers.shopify import is_shopify, read_shopify
from depict_reco.feeds.readers.tables import read_table
from depict_reco.feeds.readers.xml_items import CATEGORY_NAMES, PRODUCT_NAMES, read_xml

_HEAD_BYTES = 1 << 16
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_rows(
    stream: BinaryIO, *, feed_format: str = FeedFormat.AUTO, categories: bool = False
) -> Iterator[Row]:
    """Read the rows of a feed as they come, in as little memory as the largest of them needs.

    ``categories`` says that it is a feed of categories, not of products.
    """
    head = stream.read(_HEAD_BYTES)
    if not head.strip():
        raise FeedError("The feed is empty.")
    whole = io.BufferedReader(Rejoined(head, stream), _HEAD_BYTES)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8")
    beginning = head.decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    lists = CATEGORY_LISTS if categories else PRODUCT_LISTS
    if feed_format == FeedFormat.AUTO:
        feed_format = recognise(beginning, lists=lists)
    if feed_format == FeedFormat.XML:
        return read_xml(whole, names=CATEGORY_NAMES if categories else PRODUCT_NAMES)
    text = _text(whole, encoding)
    if feed_format == FeedFormat.JSON:
        return read_json(text, lists=lists)
    if feed_format == FeedFormat.JSONL:
        return read_json_lines(text)
    if feed_format == FeedFormat.SHOPIFY:
        return read_shopify(read_table(text))
    return read_table(text)


def _text(stream: BinaryIO, encoding: str) -> TextIO:
    # Bytes that are no UTF-8 survive as lone surrogates: their rows are refused, not the feed.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")


def recognise(beginning: str, *, lists: frozenset[str] = PRODUCT_LISTS) -> FeedFormat:
    """Tell the format of a feed from how it begins (without byte order mark and blanks)."""
    if beginning.startswith("<"):
        return FeedFormat.XML
    if beginning.startswith("["):
        return FeedFormat.JSON
    if beginning.startswith("{"):
        return FeedFormat.JSONL if begins_with_lines(beginning, lists=lists) else FeedFormat.JSON
    header = beginning.splitlines()[0] if beginning else ""
    return FeedFormat.SHOPIFY if is_shopify(header) else FeedFormat.CSV
