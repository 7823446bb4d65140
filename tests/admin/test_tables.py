from __future__ import annotations

from decimal import Decimal

import pytest

from depict_reco.admin.tables import mapping_table, money, rows_table, text_of


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("2.9500"), "2.95 SEK"),
        (Decimal("3"), "3.00 SEK"),
        (Decimal("0.1250"), "0.125 SEK"),
        (Decimal("1E+3"), "1000.00 SEK"),
        (Decimal("0"), "0.00 SEK"),
        (None, ""),
    ],
)
def test_money(amount, text):
    assert money(amount, "SEK") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0.45449999, "0.4545"),
        (0.0, "0.0000"),
        (1.23e-7, "1.23e-07"),
        (12345.678, "12,345.7"),
        (39276, "39,276"),
        ([1, 2], "1, 2"),
        (list(range(25)), ", ".join(str(i) for i in range(20)) + " …"),
        ({"a": 1}, "a 1"),
        ("2010-12-01T08:26:00+00:00", "Dec. 1, 2010, 8:26 a.m."),
        ("2010-12-01T99:99:00", "2010-12-01T99:99:00"),
        ("20101201T0826Z", "20101201T0826Z"),
    ],
)
def test_text_of(value, text):
    assert text_of(value) == text


def test_cells_are_escaped():
    assert "<td>&lt;b&gt;</td>" in rows_table(["<h>"], [["<b>"]])
    assert '<th scope="col">&lt;h&gt;</th>' in rows_table(["<h>"], [["<b>"]])
    assert "&lt;k&gt;" in mapping_table({"<k>": "<v>"})
    assert "&lt;v&gt;" in mapping_table({"<k>": "<v>"})


def test_grid_keeps_columns_that_only_some_rows_have():
    table = mapping_table({"next": {"hr": 0.5}, "basket": {"hr": 0.25, "mrr": 0.1}})
    assert table.count("<tr>") == 3
    assert "<strong>next</strong></td><td>0.5000</td><td>-</td>" in table
    assert "<strong>basket</strong></td><td>0.2500</td><td>0.1000</td>" in table


def test_nested_mappings_are_nested_tables():
    table = mapping_table({"options": {"sessions": {"half_life": 1}}, "n": 2})
    assert table.count("<table") == 3
    assert "half life" in table
