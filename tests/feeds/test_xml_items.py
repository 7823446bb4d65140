from __future__ import annotations

import io

import pytest

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers import xml_items
from depict_reco.feeds.readers.xml_items import CATEGORY_NAMES, read_xml

RSS = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<title>Shop</title><link>https://shop.example</link><category>none</category>
{items}
</channel></rss>"""


def rows(text: str | bytes, **options: object) -> list[tuple[int, object]]:
    data = text.encode() if isinstance(text, str) else text
    return [(row.line, row.values) for row in read_xml(io.BytesIO(data), **options)]  # type: ignore[arg-type]


def test_rss_with_and_without_prefixes_and_cdata():
    items = """<item><g:id>1</g:id><title><![CDATA[A & B <b>]]></title>
    <g:additional_image_link>x</g:additional_image_link>
    <g:additional_image_link>y</g:additional_image_link><g:brand/></item>
    <item><id>2</id><g:title> Two &amp; more </g:title></item>"""
    assert rows(RSS.format(items=items)) == [
        (
            4,
            {
                "title": "A & B <b>",
                "id": "1",
                "additional_image_link": ["x", "y"],
                "brand": "",
            },
        ),
        (7, {"id": "2", "title": "Two & more"}),
    ]


def test_a_prefix_that_is_not_declared():
    assert rows("<rss><item><g:id>1</g:id></item></rss>") == [(1, {"id": "1"})]


def test_atom_where_the_prefixed_name_counts():
    text = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
    <entry><id>tag:shop,1</id><g:id>1</g:id><title>One</title>
    <link rel="alternate" href="https://shop.example/1"/><summary>Text</summary></entry></feed>"""
    assert rows(text) == [
        (
            2,
            {"id": "1", "title": "One", "link": "https://shop.example/1", "summary": "Text"},
        )
    ]


def test_a_plain_list_of_products_with_attributes_and_nesting():
    text = """<products><product id="7" sku="s"><name lang="sv">N</name>
    <shipping><country>SE</country><price>5 SEK</price></shipping>
    <description>Some <b>bold</b> text</description></product></products>"""
    assert rows(text) == [
        (
            1,
            {
                "id": "7",
                "sku": "s",
                "name": "N",
                "shipping": {"country": "SE", "price": "5 SEK"},
                "description": "Some bold text",
            },
        )
    ]


def test_a_declared_encoding():
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><rss><item><id>Å</id></item></rss>'
    assert rows(text.encode("latin-1")) == [(1, {"id": "Å"})]


def test_categories_are_items_only_where_they_are_asked_for():
    text = "<c><category><id>1</id><name>A</name></category></c>"
    assert rows(text) == []
    assert rows(text, names=CATEGORY_NAMES) == [(1, {"id": "1", "name": "A"})]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><rss><item><id>&a;</id></item></rss>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><id>&a;</id></item></rss>',
        '<!DOCTYPE rss SYSTEM "http://169.254.169.254/x.dtd"><rss><item><id>1</id></item></rss>',
        '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><rss>&c;</rss>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]><rss/>',
    ],
)
def test_document_types_and_entities_are_refused(text):
    with pytest.raises(FeedError, match="declares a document type or entities"):
        rows(text)


def test_what_comes_before_a_mistake_is_read():
    text = "<rss><item><id>1</id></item>\n<item><id>2 & 3</id></item></rss>"
    found = []
    with pytest.raises(FeedError, match=r"not well-formed.*2"):
        for row in read_xml(io.BytesIO(text.encode())):
            found.append(row.values)
    assert found == [{"id": "1"}]


def test_a_feed_that_is_cut_off():
    with pytest.raises(FeedError, match="ends too early"):
        rows("<rss><item><id>1</id></item><item>")


def test_depth_and_length_have_limits(monkeypatch):
    with pytest.raises(FeedError, match="nested more than 64 deep"):
        rows("<a>" * 100_000)
    monkeypatch.setattr(xml_items, "MAX_ITEM_LENGTH", 1000)
    for inside in ("x" * 1100, "<a/>" * 1100, f'<a b="{"x" * 1100}"/>'):
        with pytest.raises(FeedError, match="Line 1: an item is longer than 1,000 characters"):
            rows(f"<rss><item>{inside}</item></rss>")
    assert len(rows("<rss>" + "<item><id>1</id></item>" * 300 + "</rss>")) == 300
