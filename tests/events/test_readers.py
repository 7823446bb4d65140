"""Files of events, row by row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events.readers import (
    MAX_LINE_LENGTH,
    Unreadable,
    open_rows,
    read_json,
    read_json_lines,
    read_table,
    recognise,
)
from depict_reco.exceptions import EventImportError


def table(text: str) -> tuple[list[str], list]:
    header, rows = read_table(io.StringIO(text, newline=""))
    return header, list(rows)


def rows_of(path, **options) -> tuple[object, list]:
    with open_rows(path, **options) as rows:
        return rows.header, list(rows.rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_tables_of_any_delimiter_and_line_end(delimiter, newline):
    text = newline.join(['"a b"|c', "1|2", "", ' "x"|', '"1|2"|3', ""]).replace("|", delimiter)
    header, rows = table(text)
    assert header == ["a b", "c"]
    assert rows == [(2, ["1", "2"]), (4, [' "x"', ""]), (5, [f"1{delimiter}2", "3"])]


def test_cells_may_go_over_several_lines():
    assert table('a,b\n"1\n2",3\n4,5\n')[1] == [(2, ["1\n2", "3"]), (4, ["4", "5"])]


def test_an_open_quotation_mark_costs_its_own_line_only():
    _, rows = table('a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert rows == [
        (2, ["1", "2"]),
        (3, Unreadable("has 1 cells where the header has 2")),
        (4, ["5", "6"]),
        (5, ["7", "8"]),
    ]


def test_an_open_quotation_mark_before_much_text_costs_its_own_line_only():
    many = "".join(f"{i},{'x' * 100}\n" for i in range(3000))
    _, rows = table(f'a,b\n"3,4\n{many}')
    assert rows[0] == (2, Unreadable("field larger than field limit (131072)"))
    assert [line for line, _ in rows[1:]] == list(range(3, 3003))
    assert rows[-1] == (3002, ["2999", "x" * 100])


def test_rows_of_another_width_are_unreadable():
    _, rows = table("a,b\n1\n1,2\n1,2,3\n")
    assert rows == [
        (2, Unreadable("has 1 cells where the header has 2")),
        (3, ["1", "2"]),
        (4, Unreadable("has 3 cells where the header has 2")),
    ]


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3).filter(
            lambda cells: any(cell.strip() for cell in cells)
        )
    )
)
def test_what_the_csv_module_writes_is_read_again(records):
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["a", "b", "c"])
    writer.writerows(records)
    assert [cells for _, cells in table(out.getvalue())[1]] == records


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_table_without_a_header_is_refused(text):
    with pytest.raises(EventImportError, match="not even a header"):
        table(text)


def test_binary_files_are_refused(tmp_path):
    path = tmp_path / "events"
    path.write_bytes(b"\x01\x00\x02\x00garbage")
    with pytest.raises(EventImportError, match="no text"):
        rows_of(path)
    path.write_bytes(b"PK\x03\x04...")
    with pytest.raises(EventImportError, match="Excel"):
        rows_of(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_encodings_and_gzip(tmp_path, encoding, pack):
    path = tmp_path / "events.csv"
    path.write_bytes(pack("item,user\n🧦,Åsa\n".encode(encoding)))
    assert rows_of(path) == (["item", "user"], [(2, ["🧦", "Åsa"])])


def test_bytes_of_another_encoding_cost_only_their_cell(tmp_path):
    path = tmp_path / "events.csv"
    path.write_bytes("item,note\n1,£5\n".encode("latin-1"))
    assert rows_of(path) == (["item", "note"], [(2, ["1", "\udca35"])])


def test_json_lines():
    text = '\ufeff{"a": 1}\n\n[1]\n{"a": \n{"b": NaN}\n"x"'
    rows = list(read_json_lines(io.StringIO(text)))
    assert rows[0] == (1, {"a": 1})
    assert rows[1] == (3, Unreadable("is not a JSON object"))
    assert (rows[2][0], rows[2][1].reason[:10]) == (4, "is no JSON")
    assert [line for line, _ in rows] == [1, 3, 4, 5, 6]


def test_a_line_that_never_ends_is_skipped():
    text = '{"a": "' + "x" * (2 * MAX_LINE_LENGTH) + '"}\n{"b": 2}\n'
    assert list(read_json_lines(io.StringIO(text))) == [
        (1, Unreadable("is longer than 4,194,304 characters")),
        (2, {"b": 2}),
    ]


def test_deep_nesting_is_a_reason_not_a_crash():
    [(_, row)] = read_json_lines(io.StringIO('{"a":' * 100_000))
    assert isinstance(row, Unreadable)
    with pytest.raises(EventImportError, match="behind event 0"):
        list(read_json(io.StringIO("[" + '{"a":' * 100_000)))


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers())), st.sampled_from([None, 2]))
def test_json_lists_are_read_one_by_one(documents, indent):
    text = json.dumps(documents, indent=indent)
    assert [row for _, row in read_json(io.StringIO(text))] == documents


def test_json_of_many_megabytes():
    documents = [{"id": i, "text": "x" * 1000} for i in range(2000)]
    rows = list(read_json(io.StringIO(json.dumps(documents))))
    assert rows[-1] == (2000, documents[-1])
    assert len(rows) == 2000


def test_json_objects_may_follow_one_another(tmp_path):
    path = tmp_path / "events.json"
    path.write_text('{\n "a": 1\n}\n{\n "a": 2\n}\n')
    assert rows_of(path) == (None, [(1, {"a": 1}), (2, {"a": 2})])


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2', '[{"a": 1}, oops]', '[{"a": 1}'])
def test_damaged_json_is_read_up_to_the_damage(text):
    rows = read_json(io.StringIO(text))
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(EventImportError, match="damaged behind event"):
        list(rows)


def test_things_in_a_json_list_that_are_no_objects():
    assert list(read_json(io.StringIO('[1, {"a": 1}]'))) == [
        (1, Unreadable("is not an object")),
        (2, {"a": 1}),
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"PAR1...", "parquet"),
        (b' [{"a"', "json"),
        (b'\xef\xbb\xbf{"a": 1}\n{', "jsonl"),
        (b'{"a": 1}', "jsonl"),
        (b'{\n"a": 1}', "json"),
        (b"a,b\n", "csv"),
        (b"", "csv"),
    ],
)
def test_formats_are_recognised(head, expected):
    assert recognise(head) == expected


def test_a_named_format_is_not_guessed(tmp_path):
    path = tmp_path / "events"
    path.write_text("{a},b\n1,2\n")
    assert rows_of(path, file_format="csv") == (["{a}", "b"], [(2, ["1", "2"])])


def test_json_that_is_none(tmp_path):
    path = tmp_path / "events"
    path.write_text("a,b\n")
    with pytest.raises(EventImportError, match="does not begin with a list"):
        rows_of(path, file_format="json")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_parquet(tmp_path, pack):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    out = io.BytesIO()
    columns = {"item": ["a", None], "n": [1, 2]}
    pq.write_table(pa.table(columns), out)
    path = tmp_path / "events.parquet"
    path.write_bytes(pack(out.getvalue()))
    with open_rows(path) as rows:
        assert rows.header == ["item", "n"]
        assert list(rows.rows) == [(1, ("a", 1)), (2, (None, 2))]
        assert (rows.position(), rows.size) == (2, 2)


def test_nested_parquet_is_objects(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "events.parquet"
    documents = [{"user": "u", "items": [{"item_id": "a"}, {"item_id": "b"}]}]
    pq.write_table(pa.Table.from_pylist(documents), path)
    assert rows_of(path) == (None, [(1, documents[0])])


def test_damaged_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "events.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(EventImportError, match="Parquet file cannot be read"):
        rows_of(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "events.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(EventImportError, match=r"pip install 'depict-reco\[parquet\]'"):
        rows_of(path)


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(EventImportError, match="cannot be read"):
            rows_of(path)
