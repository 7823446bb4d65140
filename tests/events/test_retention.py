"""How long events are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.events import retention as retention_module
from depict_reco.events.retention import (
    days_complaint,
    days_of,
    prune,
    shortcomings,
)
from depict_reco.models import Event, Market

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def add(market, kind, *ages):
    """Add events that are so many days old."""
    Event.objects.bulk_create(
        Event(
            tenant_id=market.tenant_id,
            market=market,
            type=kind,
            time=NOW - timedelta(days=age),
            deduplication_id=f"{kind} {age} {number}",
        )
        for number, age in enumerate(ages)
    )


def ages(market):
    events = Event.objects.filter(market=market).order_by("-time", "type")
    return [(event.type, (NOW - event.time).days) for event in events]


@pytest.fixture
def keep(settings):
    """Set the days of types for the installation."""

    def set_days(**days):
        days = {name.replace("others", "*"): number for name, number in days.items()}
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_RETENTION_DAYS": days}

    return set_days


def test_each_type_is_kept_for_its_own_time(market, keep):
    keep(page_view=30, element_visible=7)
    add(market, "page_view", 1, 29, 31, 400)
    add(market, "element_visible", 1, 8, 31)
    add(market, "purchase", 1, 4000)

    done = prune(market, now=NOW)

    assert ages(market) == [
        ("element_visible", 1), ("page_view", 1), ("purchase", 1), ("page_view", 29),
        ("purchase", 4000),
    ]  # fmt: skip
    assert done.rows == {"page_view": 2, "element_visible": 2}
    assert done.kept_since["page_view"] == NOW - timedelta(days=30)


def test_a_star_stands_for_the_types_without_days(market, keep):
    keep(purchase=100, others=10)
    add(market, "page_view", 9, 11)
    add(market, "purchase", 99, 101)
    prune(market, now=NOW)

    assert ages(market) == [("page_view", 9), ("purchase", 99)]


def test_a_tenant_has_days_of_its_own_if_it_likes(market, keep):
    keep(page_view=5)
    assert days_of(market.tenant) == {"page_view": 5}
    market.tenant.retention_days = {"purchase": 3}
    assert days_of(market.tenant) == {"purchase": 3}
    market.tenant.retention_days = {}
    assert days_of(market.tenant) == {"page_view": 5}


def test_without_days_nothing_goes_and_nothing_is_asked(market, django_assert_num_queries):
    add(market, "page_view", 10_000)
    with django_assert_num_queries(0):
        assert prune(market, now=NOW).rows == {}
    assert len(ages(market)) == 1


def test_other_markets_are_left_alone(market, keep):
    keep(others=1)
    other = Market.objects.create(
        tenant=market.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    add(other, "page_view", 10)
    prune(market, now=NOW)

    assert ages(other) == [("page_view", 10)]


def test_a_dry_run_counts_and_keeps(market, keep):
    keep(page_view=1)
    add(market, "page_view", 2, 3)

    assert prune(market, now=NOW, dry_run=True).rows == {"page_view": 2}
    assert len(ages(market)) == 2


def test_it_goes_in_batches_past_what_stays(market, keep, monkeypatch):
    monkeypatch.setattr(retention_module, "BATCH", 3)
    keep(page_view=10, add_to_cart=20)
    add(market, "purchase", *[50] * 7, *[30] * 4)  # of one time each, and never to go
    add(market, "page_view", *range(60))
    heard = []
    prune(market, now=NOW, progress=lambda rows, share: heard.append((rows, round(share, 2))))

    # those of exactly ten days are kept: nothing is older than it may be
    assert ages(market) == [
        *(("page_view", age) for age in range(11)),
        *[("purchase", 30)] * 4,
        *[("purchase", 50)] * 7,
    ]
    assert heard[-1][0] == 49
    assert [share for _rows, share in heard] == sorted(share for _rows, share in heard)
    assert len(heard) == 20


def test_killed_it_has_done_a_part_and_goes_on(market, keep, monkeypatch):
    monkeypatch.setattr(retention_module, "BATCH", 2)
    keep(page_view=1)
    add(market, "page_view", 2, 3, 4, 5, 6)

    def die(rows, share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(market, now=NOW, progress=die)
    assert len(ages(market)) == 3
    assert prune(market, now=NOW).rows == {"page_view": 3}


def test_each_batch_walks_along_the_index_of_time(market, keep, monkeypatch):
    monkeypatch.setattr(retention_module, "BATCH", 100)
    keep(page_view=1)
    add(market, "page_view", *range(2, 2002))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as asked:
        prune(market, now=NOW)
    reads = [query["sql"] for query in asked if query["sql"].startswith("SELECT")]
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    assert len(reads) == 21
    for sql in (reads[0], reads[1], reads[10]):  # the last finds nothing, which may be sorted
        with connection.cursor() as cursor:
            cursor.execute(explain + sql)
            plan = "\n".join(str(row) for row in cursor.fetchall())
        assert "reco_event_window_idx" in plan
        assert "Seq Scan" not in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan.replace("Incremental Sort", "")


@pytest.mark.parametrize(
    ("days", "complaint"),
    [
        ({}, None),
        ({"page_view": 1, "*": 2}, None),
        ([], "must be a mapping"),
        (None, "must be a mapping"),
        ({"page_views": 1}, "'page_views' is no type of event"),
        ({"page_view": 0}, "whole number above 0"),
        ({"page_view": True}, "whole number above 0"),
        ({"page_view": 1.5}, "whole number above 0"),
    ],
)
def test_days_are_checked(days, complaint):
    found = days_complaint(days)
    assert found is None if complaint is None else complaint in found


def test_what_trainings_would_miss_is_said(settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "TRAINING_WINDOW_DAYS": 540}
    assert shortcomings({}, attribution_days=30) == []
    assert shortcomings({"page_view": 540, "element_visible": 3}, attribution_days=30) == []
    assert shortcomings({"page_view": 539, "purchase": 100}, attribution_days=101) == [
        "trainings read events of 540 days, and of these types fewer are kept: "
        "page_view for 539, purchase for 100",
        "the attribution of sales reads events of 101 days, and of these types fewer are kept: "
        "purchase for 100",
    ]
