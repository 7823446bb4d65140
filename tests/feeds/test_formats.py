"""One contract for all formats: the same product, however it is written and packed."""

from __future__ import annotations

import gzip
import json

import pytest

from depict_reco.exceptions import FeedError
from depict_reco.feeds.mapping import Mapper
from depict_reco.feeds.readers.formats import recognise

FORMATS = {
    "csv": 'id,title,price,link,availability\n1,Åska & "moln",9.50,https://s/1,in stock\n'.replace(
        '"moln"', "'moln'"
    ),
    "tsv": "id\ttitle\tprice\tlink\tavailability\n1\tÅska & 'moln'\t9,50\thttps://s/1\ttrue\n",
    "semicolons": "ID;Title;Price;Page URL;Availability\n1;Åska & 'moln';9.5;https://s/1;1\n",
    "json": json.dumps(
        [{"id": 1, "title": "Åska & 'moln'", "price": 9.5, "url": "https://s/1", "in_stock": True}],
        indent=1,
    ),
    "wrapped json": '{"products": [{"id": "1", "title": "Åska & \'moln\'", "price": "9.5", '
    '"link": "https://s/1", "availability": "in_stock"}]}',
    "jsonl": '{"id": "1", "title": "Åska & \'moln\'", "price": "9.5", "uri": "https://s/1", '
    '"availability": "IN_STOCK"}\n',
    "rss": "<rss><channel><item><g:id>1</g:id><title>Åska &amp; 'moln'</title>"
    "<g:price>9.5</g:price><link>https://s/1</link><g:availability>in stock</g:availability>"
    "</item></channel></rss>",
    "atom": "<feed><entry><g:id>1</g:id><title>Åska &amp; 'moln'</title><g:price>9.5</g:price>"
    "<link href='https://s/1'/><g:availability>in_stock</g:availability></entry></feed>",
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_product_is_the_same_in_every_format(name, encoding, read, market):
    (row,) = read(FORMATS[name].encode(encoding))
    record = Mapper(market).record(row)
    assert (record.product_id, record.title) == ("1", "Åska & 'moln'")
    assert str(record.price) == "9.5000"
    assert (record.page_url, record.in_stock) == ("https://s/1", True)
    assert record.attributes == {}


@pytest.mark.parametrize(
    ("beginning", "feed_format"),
    [
        ("<?xml", "xml"),
        ("<rss>", "xml"),
        ('[{"id": 1}', "json"),
        ('{"id": 1}', "jsonl"),
        ('{"id": 1}\n{"id": 2}', "jsonl"),
        ('{"id": 1\n', "json"),
        ("{\n", "json"),
        ('{"id": 1, broken}\n{"id": 2}', "jsonl"),
        ('{"images": [{"uri": "x"}], "id": 1}\n{"id": 2}', "jsonl"),
        ('{"products": [{"id": 1}]}', "json"),
        ('{"version": 1, "items": [', "json"),
        ("id,title", "csv"),
        ("Handle,Title,Variant Price", "shopify"),
        ("", "csv"),
    ],
)
def test_formats_are_recognised_by_their_content(beginning, feed_format):
    assert recognise(beginning) == feed_format


def test_a_format_that_is_named_is_believed(read):
    (row,) = read('{"id": 1, "data": "x"}', feed_format="json")
    assert row.values == {"id": 1, "data": "x"}


@pytest.mark.parametrize("content", [b"", b"  \n ", gzip.compress(b"")[:0]])
def test_nothing_is_no_feed(content, read):
    with pytest.raises(FeedError, match="The feed is empty"):
        read(content)


def test_bytes_that_are_no_utf8_cost_their_row_only(read, market):
    good, bad = read(b"id,title\n1,ok\n" + "2,Åska\n".encode("latin-1"))
    mapper = Mapper(market)
    assert mapper.record(good).problems() == []
    (problem,) = mapper.record(bad).problems()
    assert (problem.field, problem.reason[:20]) == ("title", "is not valid Unicode")


def test_categories_have_lists_and_elements_of_their_own(read):
    text = '{"categories": [{"id": "a"}]}'
    assert [row.values for row in read(text, feed_format="json", categories=True)] == [{"id": "a"}]
    (product,) = read(text, feed_format="json")
    assert product.values == {"categories": [{"id": "a"}]}
