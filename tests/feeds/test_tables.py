from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.exceptions import FeedError
from depict_reco.feeds.readers import tables
from depict_reco.feeds.readers.tables import find_delimiter, read_table


def rows(text: str) -> list[tuple[int, object]]:
    """Line and values, or line and reason, of each row."""
    read = read_table(io.StringIO(text, newline=""))
    return [(row.line, row.reason or dict(row.values)) for row in read]


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("id,title", ","),
        ("id\ttitle, long", "\t"),
        ('id;"a,b,c";title', ";"),
        ("id|title", "|"),
        ("id", ","),
    ],
)
def test_the_delimiter_is_found(header, delimiter):
    assert find_delimiter(header) == delimiter


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", list(tables.DELIMITERS))
def test_a_table_is_read(newline, delimiter):
    text = newline.join(["id,title", '1,"a ""b""', 'c"', "", "2,d"]).replace(",", delimiter)
    first = '1,"a ""b""'.count('"') and f'a "b"{newline}c'
    assert rows(text) == [(2, {"id": "1", "title": first}), (5, {"id": "2", "title": "d"})]


def test_an_open_quotation_mark_costs_its_line_only():
    text = 'id,title,price\n1,a,1\n2,"broken,2\n3,"good",3\n4,also good,4\n'
    assert rows(text) == [
        (2, {"id": "1", "title": "a", "price": "1"}),
        (3, "has 2 cells where the header has 3"),
        (4, {"id": "3", "title": "good", "price": "3"}),
        (5, {"id": "4", "title": "also good", "price": "4"}),
    ]


def test_an_open_quotation_mark_in_the_last_line():
    assert rows('id,title\n1,a\n2,"b') == [
        (2, {"id": "1", "title": "a"}),
        (3, {"id": "2", "title": "b"}),
    ]


def test_an_open_quotation_mark_that_ends_far_below():
    text = 'id,title\n1,"open\n2,a\n3,b\n4,"c"\n5,d\n'
    assert rows(text) == [
        (2, {"id": "1", "title": "open"}),
        (3, {"id": "2", "title": "a"}),
        (4, {"id": "3", "title": "b"}),
        (5, {"id": "4", "title": "c"}),
        (6, {"id": "5", "title": "d"}),
    ]


def test_marks_in_odd_places_are_forgiven():
    assert rows('id,title\n1,"6" screen"\n2,a "b" c\n') == [
        (2, {"id": "1", "title": '6 screen"'}),
        (3, {"id": "2", "title": 'a "b" c'}),
    ]


def test_too_few_and_too_many_cells():
    assert rows("id,title\n1\n2,b,c\n3,d\n") == [
        (2, "has 1 cells where the header has 2"),
        (3, "has 3 cells where the header has 2"),
        (4, {"id": "3", "title": "d"}),
    ]


def test_a_field_that_is_too_long_costs_its_row(monkeypatch):
    text = f"id,title\n1,{'x' * 200_000}\n2,b\n"
    (first, reason), second = rows(text)
    assert first == 2
    assert "field larger than field limit" in str(reason)
    assert second == (3, {"id": "2", "title": "b"})


def test_a_line_that_is_too_long_costs_itself(monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE_LENGTH", 50)
    text = f"id,title\n1,{'x' * 120}\n2,b\n"
    (first, reason), second = rows(text)
    assert (first, reason) == (2, "is longer than 50 characters")
    assert second == (3, {"id": "2", "title": "b"})


def test_columns_without_a_name_and_columns_with_one_name():
    assert rows(",id,image,image\n0,1,a,b\n") == [(2, {"id": "1", "image": ["a", "b"]})]


def test_blank_lines_before_the_header():
    assert rows("\n\nid,title\n1,a\n") == [(4, {"id": "1", "title": "a"})]


def test_a_table_without_header():
    with pytest.raises(FeedError, match="empty"):
        rows("\n\n")


def test_only_a_header():
    assert rows("id,title\n") == []


CELLS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS).filter(any)), st.sampled_from(tables.DELIMITERS))
def test_what_is_written_is_read(written, delimiter):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "b", "c"), *written])
    read = read_table(io.StringIO(text.getvalue(), newline=""))
    assert [tuple(row.values.values()) for row in read] == written


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_text_is_rows_or_a_reason(text):
    try:
        found = rows("id,title\n" + text + "\nlast,row")
    except FeedError:
        return
    lines = [line for line, _ in found]
    assert lines == sorted(lines)


@given(st.lists(st.sampled_from(['a,"b', 'a,b"', '"a,b', "a", 'x,"y"', '"x"z,y', ""]), max_size=8))
def test_bad_lines_never_lose_the_good_line_behind_them(bad):
    text = "\n".join(["id,title", *bad, 'good,"one"', "good,two", "good,three"])
    found = [row for _, row in rows(text)]
    assert {"id": "good", "title": "two"} in found
    assert {"id": "good", "title": "three"} in found


def test_an_open_mark_that_another_mistake_closes_costs_those_two_lines_only():
    text = 'id,title,price\n1,"open\n2,good,5\n3,pipe",6,7\n4,good too,8\n'
    assert rows(text) == [
        (2, "has 4 cells where the header has 3"),
        (3, {"id": "2", "title": "good", "price": "5"}),
        (4, "has 4 cells where the header has 3"),
        (5, {"id": "4", "title": "good too", "price": "8"}),
    ]
