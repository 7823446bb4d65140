from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers import json_items
from depict_reco.feeds.readers.json_items import read_json, read_json_lines


def rows(text: str) -> list[tuple[int, object]]:
    return [(row.line, row.reason or row.values) for row in read_json(io.StringIO(text))]


@pytest.mark.parametrize(
    "text",
    [
        '[{"id":1},{"id":2}]',
        '{"products":[{"id":1},{"id":2}]}',
        '{"version":"1","tags":["a"],"products":[{"id":1},{"id":2}],"more":{"x":[]}}',
        '{"data":{"items":[{"id":1},{"id":2}]}}',
        '{"id":1}{"id":2}',
        '\ufeff[{"id":1}\n,\n{"id":2}\n]\n',
    ],
)
def test_where_the_products_may_be(text):
    assert [values for _, values in rows(text)] == [{"id": 1}, {"id": 2}]


def test_an_object_without_a_list_of_products_is_a_product():
    product = {"id": "1", "images": [{"uri": "a"}], "categories": ["x"], "data": "no list"}
    assert rows(json.dumps(product, indent=2)) == [(1, product)]


def test_an_object_with_an_empty_list_has_no_products():
    assert rows('{"shop": "acme", "products": []}') == []


def test_lines_are_counted():
    assert rows('[\n  {"id": 1},\n  {\n "id": 2}\n, {"id": 3}]') == [
        (2, {"id": 1}),
        (3, {"id": 2}),
        (5, {"id": 3}),
    ]


def test_an_object_that_is_broken_costs_itself_only():
    found = rows('[{"id": 1}, {"id": 2,, "b": "}"}, {"id": NaN}, 7, "x", [1], {"id": 3}]')
    assert found[0] == (1, {"id": 1})
    assert found[-1] == (1, {"id": 3})
    reasons = [reason for _, reason in found[1:-1]]
    assert str(reasons[0]).startswith("is not valid JSON: ")
    assert reasons[1] == "is not valid JSON: NaN is not a number of JSON"
    assert reasons[2:] == ["is not a JSON object"] * 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"id": 1}, {"id": 2', "Line 1: the text ends within a value that begins here."),
        ('[{"id": 1}, "open', "Line 1: the text ends within a value that begins here."),
        ('[{"id": 1}', "Line 1: a value was expected."),
        ('{"products" [', "Line 1: ':' was expected."),
        ('{"products": [', "Line 1: the text ends too early."),
        ("\n\nhello", "Line 3: a JSON object or list was expected."),
    ],
)
def test_a_text_that_ends_or_goes_wrong(text, reason):
    with pytest.raises(FeedError) as caught:
        rows(text)
    assert str(caught.value) == reason


def test_what_is_deeply_nested_is_refused():
    (_, reason), good = rows('[{"a": %s}, {"id": 2}]' % ("[" * 200_000 + "]" * 200_000))
    assert reason == "is nested too deep"
    assert good == (1, {"id": 2})


def test_an_object_that_does_not_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr(json_items, "MAX_ITEM_LENGTH", 100_000)
    with pytest.raises(FeedError, match="longer than 100,000 characters"):
        rows('[{"id": 1}, {"a": "' + "x" * 1_000_000)


def test_lines_of_json():
    text = '{"id": 1}\n\n{"id": \n[]\n{"id": 2}\r\n{"id": 3}'
    found = [(row.line, row.reason or row.values) for row in read_json_lines(io.StringIO(text))]
    assert [found[0], found[-2], found[-1]] == [(1, {"id": 1}), (5, {"id": 2}), (6, {"id": 3})]
    assert found[1][0] == 3
    assert str(found[1][1]).startswith("is not valid JSON: ")
    assert found[2] == (4, "is not a JSON object")


def test_a_line_that_is_too_long_costs_itself(monkeypatch):
    monkeypatch.setattr(json_items, "MAX_ITEM_LENGTH", 20)
    text = '{"id": 1}\n{"id": "' + "x" * 100 + '"}\n{"id": 2}\n'
    found = [(row.line, row.reason or row.values) for row in read_json_lines(io.StringIO(text))]
    assert found == [(1, {"id": 1}), (2, "is longer than 20 characters"), (3, {"id": 2})]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=6)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 2]), st.integers(1, 40))
def test_what_is_written_is_read_whatever_the_chunks(objects, ascii_only, indent, chunk):
    text = json.dumps(objects, ensure_ascii=ascii_only, indent=indent)
    previous, json_items._CHUNK = json_items._CHUNK, chunk
    try:
        assert [values or {} for _, values in rows(text)] == objects
    finally:
        json_items._CHUNK = previous


@given(st.text(alphabet='{}[]":,\\ abc1\n'))
def test_any_text_is_rows_or_a_reason(text):
    try:
        rows(text)
    except FeedError as error:
        assert str(error).startswith("Line ")
