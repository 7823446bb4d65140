from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events import refusals
from depict_reco.events.models import RefusalReason
from depict_reco.events.refusals import note_refusal, refusal_book, wrong_fields
from depict_reco.models import Refusal

INVALID = RefusalReason.INVALID


@pytest.fixture
def clock(monkeypatch):
    """Stand in for the seconds of this process; what is returned moves them on."""
    seconds = [1000.0]
    monkeypatch.setattr(refusals, "monotonic", lambda: seconds[0])

    def move_on(by: float) -> None:
        seconds[0] += by

    return move_on


def rows() -> list[tuple[str, str, str, int]]:
    return list(Refusal.objects.order_by("pk").values_list("market", "reason", "detail", "count"))


def test_the_first_of_a_kind_is_written_at_once(market):
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="uk", detail="price: decimal_type")

    row = Refusal.objects.get()
    assert row.tenant == market.tenant
    assert rows() == [("uk", "invalid", "price: decimal_type", 1)]
    assert row.first_seen_at == row.last_seen_at
    assert timezone.now() - row.last_seen_at < timedelta(minutes=1)


def test_a_kind_is_written_once_a_minute(market, clock, django_assert_num_queries):
    note_refusal(INVALID, tenant_pk=market.tenant_id)
    with django_assert_num_queries(0):
        for _ in range(50):
            note_refusal(INVALID, tenant_pk=market.tenant_id)
        clock(59)
        note_refusal(INVALID, tenant_pk=market.tenant_id, times=9)
    assert rows() == [("", "invalid", "", 1)]

    clock(1)
    with django_assert_num_queries(3):  # one between the two ends of its savepoint
        note_refusal(INVALID, tenant_pk=market.tenant_id)

    assert rows() == [("", "invalid", "", 61)]
    row = Refusal.objects.get()
    assert row.first_seen_at < row.last_seen_at


def test_what_waits_is_written_along_with_another_kind(market, clock):
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="uk")
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="uk")
    clock(60)
    note_refusal(RefusalReason.TOO_MANY, tenant_pk=market.tenant_id)

    assert sorted(rows()) == [("", "too_many", "", 1), ("uk", "invalid", "", 2)]


def test_two_processes_count_into_one_row(market):
    note_refusal(INVALID, tenant_pk=market.tenant_id)
    refusal_book.cache_clear()
    note_refusal(INVALID, tenant_pk=market.tenant_id)

    assert rows() == [("", "invalid", "", 2)]


def test_a_row_that_another_process_made_meanwhile_is_counted_into(market, monkeypatch):
    note_refusal(INVALID, tenant_pk=market.tenant_id)
    refusal_book.cache_clear()
    answers = iter([False, True])
    add = refusals._add
    monkeypatch.setattr(refusals, "_add", lambda *given: next(answers) and add(*given))
    note_refusal(INVALID, tenant_pk=market.tenant_id)

    assert rows() == [("", "invalid", "", 2)]


def test_a_flood_of_kinds_in_one_process_is_counted_by_reason(market, monkeypatch):
    monkeypatch.setattr(refusals, "KINDS_PER_PROCESS", 3)
    for number in range(10):
        note_refusal(INVALID, tenant_pk=market.tenant_id, market=f"m{number}")

    assert sorted(rows()) == [
        ("", "invalid", "", 1),  # and six that wait
        *((f"m{number}", "invalid", "", 1) for number in range(3)),
    ]


def test_a_process_forgets_kinds_to_have_room_for_new_ones(market, monkeypatch, clock):
    monkeypatch.setattr(refusals, "KINDS_PER_PROCESS", 2)
    for market_name in ("a", "b"):
        note_refusal(INVALID, tenant_pk=market.tenant_id, market=market_name)
    clock(61)
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="c")

    assert [row[0] for row in rows()] == ["a", "b", "c"]


def test_a_tenant_has_so_many_kinds_and_no_more(market, monkeypatch):
    monkeypatch.setattr(refusals, "KINDS_PER_TENANT", 3)
    for number in range(6):
        note_refusal(INVALID, tenant_pk=market.tenant_id, market=f"m{number}")
        refusal_book.cache_clear()  # as if each came to another process

    assert rows() == [
        ("m0", "invalid", "", 1),
        ("m1", "invalid", "", 1),
        ("m2", "invalid", "", 1),
        ("", "invalid", "", 3),
    ]


def test_kinds_that_are_seen_no_more_make_room(market, monkeypatch):
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="old")
    Refusal.objects.update(last_seen_at=timezone.now() - timedelta(days=31))
    note_refusal(INVALID, tenant_pk=market.tenant_id, market="new")

    assert [row[0] for row in rows()] == ["new"]


def test_a_shop_that_is_not_known_is_none(db):
    note_refusal(RefusalReason.UNKNOWN_TENANT, market="uk")
    refusal_book.cache_clear()
    note_refusal(RefusalReason.UNKNOWN_TENANT, market="uk")

    assert rows() == [("uk", "unknown_tenant", "", 2)]
    assert Refusal.objects.get().tenant is None


def test_a_note_that_cannot_be_written_fails_nothing(market, monkeypatch, caplog):
    def fail(*given):
        raise IntegrityError("no")

    monkeypatch.setattr(refusals, "_add", fail)
    note_refusal(INVALID, tenant_pk=market.tenant_id)

    assert rows() == []
    assert "could not be noted" in caplog.text


def test_nothing_is_asked_of_a_database_that_is_away(
    market, lasting_outage, django_assert_num_queries
):
    refusals.outages().database.begin()
    with django_assert_num_queries(0):
        note_refusal(INVALID, tenant_pk=market.tenant_id)
    lasting_outage()
    note_refusal(INVALID, tenant_pk=market.tenant_id)

    assert rows() == [("", "invalid", "", 2)]


@pytest.mark.django_db
@given(st.text(), st.text())
def test_texts_of_any_kind_can_be_noted(market_text, detail):
    refusal_book.cache_clear()
    note_refusal(INVALID, market=market_text, detail=detail)

    assert Refusal.objects.filter(count__gt=0).exists()


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{"loc": ["body", 3, "price"], "type": "decimal_type"}], "*.price: decimal_type"),
        ([{"loc": ["body"], "type": "json_invalid"}], "body: json_invalid"),
        (
            [{"loc": ["body", at, "price"], "type": "missing"} for at in range(9)],
            "*.price: missing",
        ),
        (
            [{"loc": ["body", name], "type": "missing"} for name in "abcdef"],
            "a: missing, b: missing, c: missing, …",
        ),
        (
            [{"loc": ["body", "ann@shop.example", "x y"], "type": "extra_forbidden"}],
            "?.?: extra_forbidden",
        ),
        ([{}], ""),
        ([], ""),
    ],
)
def test_wrong_fields_are_named_without_their_values(entries, expected):
    assert wrong_fields(entries) == expected
