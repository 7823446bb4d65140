from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.admin.fields import JsonField, ListField, PriceField

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" \r\n ", []),
        ("a\r\nb\n\n a ", ["a", "b"]),
        ("a, b", ["a, b"]),
    ],
)
def test_lists_are_lines(text, values):
    assert ListField().clean(text) == values


@pytest.mark.parametrize(
    ("text", "values"), [("", []), ("sv-FI, en-GB", ["sv-FI", "en-GB"]), ("a  b,,a", ["a", "b"])]
)
def test_short_lists_are_one_line(text, values):
    assert ListField(inline=True).clean(text) == values


def test_lists_show_what_they_read():
    assert ListField().prepare_value(["a", "b"]) == "a\nb"
    assert ListField(inline=True).prepare_value(["a", "b"]) == "a, b"
    assert ListField().prepare_value("half typed") == "half typed"


def test_lists_know_whether_they_changed():
    assert not ListField().has_changed(["a", "b"], "a\r\nb\r\n")
    assert ListField().has_changed(["a", "b"], "b\r\na")
    assert not ListField().has_changed(None, "")


def test_lists_hold_no_null_characters():
    with pytest.raises(ValidationError):
        ListField().clean("a\x00b")


@given(st.dictionaries(texts, st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda x: st.lists(x, max_size=3),
    max_leaves=5,
)))  # fmt: skip
def test_objects_survive_being_shown_and_read(value):
    field = JsonField()
    assert field.clean(field.prepare_value(value)) == value
    assert not field.has_changed(value, field.prepare_value(value))


@given(st.text())
def test_whatever_is_typed_is_read_or_refused(text):
    try:
        value = JsonField().clean(text)
    except ValidationError:
        return
    assert isinstance(value, dict)
    assert "\\u0000" not in json.dumps(value)


@pytest.mark.parametrize("text", ["", "  ", None])
def test_nothing_is_the_empty_object(text):
    assert JsonField().clean(text) == {}


@pytest.mark.parametrize(
    ("amount", "text"),
    [(Decimal("2.9500"), "2.95"), (Decimal("3"), "3.00"), (Decimal("1E+2"), "100.00"),
     (Decimal("0.1250"), "0.125"), (None, None), ("1,5", "1,5")],
)  # fmt: skip
def test_prices_are_shown_without_needless_zeros(amount, text):
    assert PriceField().prepare_value(amount) == text
