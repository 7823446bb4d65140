from __future__ import annotations

import csv
import io

import pytest

from tests.admin.results.conftest import DAYS

URL = "/admin/depict_reco/results/csv/"


def read(response) -> list[dict[str, str]]:
    text = response.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_as_a_file(admin_client, figures):
    response = admin_client.get(URL, {**DAYS, "breakdown": "type"})
    [row] = read(response)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == (
        'attachment; filename="results-acme-2026-05-09-2026-05-10-type.csv"'
    )
    assert row["type"] == "similar"
    assert row["served_estimate"] == "6000"
    assert (row["visible"], row["clicks"], row["clicks_before"]) == ("4000", "200", "100")
    assert (row["click_rate"], row["click_rate_before"]) == ("0.05", "0.025")
    assert float(row["click_rate_low"]) == pytest.approx(0.04366, abs=1e-4)
    assert float(row["assisted_revenue_SEK"]) == 50.5
    assert float(row["all_revenue_SEK"]) == 10000
    assert float(row["attributed_share_SEK"]) == 0.10505


@pytest.mark.parametrize(
    ("breakdown", "labels"),
    [
        ("total", [""]),
        ("time", ["2026-05-09", "2026-05-10"]),
        ("position", ["1", "2"]),
        ("market", ["se"]),
        ("variant", ["0"]),
    ],
)
def test_every_report_is_there(admin_client, figures, breakdown, labels):
    rows = read(admin_client.get(URL, {**DAYS, "breakdown": breakdown}))
    assert [row[breakdown] for row in rows] == labels


def test_a_report_that_is_not_there(admin_client, figures):
    assert admin_client.get(URL, {**DAYS, "breakdown": "mood"}).status_code == 404
    assert admin_client.get(URL, DAYS).status_code == 404


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_names_are_no_formulas(admin_client, count, name):
    count(type_pk=999, type_name=name, visible=4)
    [row] = read(admin_client.get(URL, {**DAYS, "breakdown": "type"}))
    assert row["type"] == f"'{name}"
