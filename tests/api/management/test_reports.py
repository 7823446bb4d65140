"""Reports over HTTP."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from depict_reco.models import DailyCounter, Rollup
from tests.api.management.conftest import ROOT, client_with_key, staff_client

DAYS = {"start": "2026-06-01", "end": "2026-06-10"}


@pytest.fixture
def figures(acme, other):
    rollup = Rollup.objects.create(live=True, time_zone="Europe/Stockholm")
    for shop, clicks in ((acme, 5), (other, 700)):
        similar = shop.rows["types"]
        DailyCounter.objects.create(
            rollup=rollup, market=shop.market, day=date(2026, 6, 2), type_pk=similar.pk,
            type_name="similar", position=3, visible=1000, clicks=clicks,
        )  # fmt: skip
        DailyCounter.objects.create(
            rollup=rollup, market=shop.market, day=date(2026, 6, 2), type_pk=similar.pk,
            type_name="similar", position=3, currency="SEK", direct_orders=1,
            direct_revenue="99.5",
        )  # fmt: skip
    DailyCounter.objects.create(
        rollup=rollup, market=acme.market, day=date(2026, 5, 25), currency="SEK",
        other_orders=2, other_revenue=200,
    )  # fmt: skip


@pytest.fixture
def reader(acme):
    return client_with_key(acme, "export")


def test_a_key_reads_the_figures_of_its_own_tenant(reader, figures):
    answer = reader.get(f"{ROOT}/reports", DAYS)
    assert answer.status_code == 200
    body = answer.json()
    assert body["period"] == {"start": "2026-06-01", "end": "2026-06-10"}
    assert body["previous"] == {"start": "2026-05-22", "end": "2026-05-31"}
    assert body["time_zone"] == "Europe/Stockholm"
    (row,) = body["rows"]
    assert row["now"]["clicks"] == 5
    assert row["now"]["click_rate"]["value"] == 0.005
    assert row["now"]["click_rate"]["low"] == pytest.approx(0.00214, abs=1e-5)
    assert row["now"]["revenue"] == [
        {
            "currency": "SEK", "direct": "99.5000", "assisted": "0.0000", "all": "99.5000",
            "direct_share": 1.0, "attributed_share": 1.0,
        }
    ]  # fmt: skip
    assert row["before"]["all_orders"] == 2
    assert row["significant"] == {"click_rate": None, "cart_rate": None, "conversion": None}


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("total", [""]),
        ("type", ["similar"]),
        ("position", ["3"]),
        ("variant", ["0"]),
        ("market", ["se"]),
        ("time", [f"2026-06-{day:02}" for day in range(1, 11)]),
    ],
)
def test_what_the_lines_stand_for(reader, figures, by, labels):
    body = reader.get(f"{ROOT}/reports", {**DAYS, "by": by}).json()
    assert [row["label"] for row in body["rows"]] == labels


def test_a_table_for_spreadsheets(reader, figures):
    answer = reader.get(f"{ROOT}/reports/csv", {**DAYS, "by": "type"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "report-2026-06-01-2026-06-10.csv" in answer["Content-Disposition"]
    (line,) = csv.DictReader(answer.content.decode("utf-8-sig").splitlines())
    assert line["type"] == "similar"
    assert (line["visible"], line["clicks"], line["click_rate"]) == ("1000", "5", "0.005")
    assert float(line["direct_revenue_SEK"]) == 99.5
    assert float(line["all_revenue_SEK_before"]) == 200
    assert float(line["cart_rate"]) == 0
    assert line["click_rate_before"] == ""


def test_names_that_look_like_formulas_stay_text(reader, figures):
    DailyCounter.objects.filter(type_pk__gt=0).update(type_pk=9999, type_name="=1+1")
    lines = reader.get(f"{ROOT}/reports/csv", {**DAYS, "by": "type"}).content.decode()
    assert "\n'=1+1," in lines


def test_without_days_it_is_the_last_four_weeks(reader, figures):
    period = reader.get(f"{ROOT}/reports").json()["period"]
    assert (date.fromisoformat(period["end"]) - date.fromisoformat(period["start"])).days == 27


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-06-02", "end": "2026-06-01"}, "start"),
        ({"start": "2001-01-01"}, "start"),
        ({"start": "0001-01-01", "end": "0001-01-02"}, "start"),
        ({"end": "0001-01-01"}, "start"),
        ({"by": "colour"}, "by"),
        ({"step": "hour"}, "step"),
        ({"variant": "-1"}, "variant"),
        ({"market": "nowhere"}, "market"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_questions_that_cannot_be(reader, figures, query, field):
    answer = reader.get(f"{ROOT}/reports", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]


def test_another_tenants_market_is_not_there(acme, other, reader, figures):
    other.market.slug = "no"
    other.market.save()
    assert reader.get(f"{ROOT}/reports", {"market": "no"}).status_code == 400


@pytest.mark.parametrize("path", ["reports", "reports/csv"])
@pytest.mark.parametrize("scope", ["catalog", "recommend", "events"])
def test_keys_without_the_scope_are_refused(acme, path, scope):
    answer = client_with_key(acme, scope).get(f"{ROOT}/{path}")
    assert answer.status_code == 403
    assert "“export”" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["reports", "reports/csv"])
def test_staff_need_the_permission(acme, figures, path):
    client = staff_client("view_dailycounter")
    assert client.get(f"{ROOT}/{path}", {"tenant": "acme"}).status_code == 200


@pytest.mark.parametrize("path", ["reports", "reports/csv"])
def test_staff_without_the_permission_are_refused(acme, figures, path):
    client = staff_client("view_product")
    assert client.get(f"{ROOT}/{path}", {"tenant": "acme"}).status_code == 403


def test_staff_name_one_of_several_tenants(acme, figures):
    answer = staff_client("view_dailycounter").get(f"{ROOT}/reports")
    assert answer.json() == {"tenant": ["Name the tenant."]}


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_reports_are_read_only(reader, method):
    assert getattr(reader, method)(f"{ROOT}/reports").status_code == 405


def test_queries_do_not_grow_with_the_period(reader, figures, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        reader.get(f"{ROOT}/reports", {"start": "2024-01-01", "end": "2026-06-10", "by": "time"})
