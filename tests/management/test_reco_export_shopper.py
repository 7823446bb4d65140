from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.events.export import COLUMNS
from depict_reco.models import Event, Product, RecommendationType
from depict_reco.serving.tracking import recommendation_ids
from tests.shop import add_event

pytestmark = pytest.mark.django_db
MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)


def run(*arguments):
    out = StringIO()
    call_command("reco_export_shopper", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def anna(shop):
    product = Product.objects.get(market=shop, product_id="teapot-1")
    kind = RecommendationType.objects.get(tenant=shop.tenant, name="similar")
    rec = recommendation_ids([product.pk] * 3, type_pk=kind.pk, now=MAY)[2]
    add_event(shop, "teapot-1", type="click", session_id="a1", recommendation_id=rec, time=MAY)
    add_event(shop, "teapot-1", session_id="a1", user_id="anna", time=MAY)
    add_event(
        shop, "", sku="=1+1", type="purchase", user_id="anna", transaction_id="o1", time=MAY,
        price="9.5", currency="SEK", recommendation_id="not ours",
    )  # fmt: skip
    add_event(shop, "teapot-2", session_id="b1")
    return shop


def test_it_is_all_there_once_with_the_meaning_of_recommendations(anna):
    answer = json.loads(run("acme", "a1", "anna"))

    assert (answer["tenant"], answer["ids"], answer["erasures"]) == ("acme", ["a1", "anna"], [])
    assert [event["type"] for event in answer["events"]] == ["click", "page_view", "purchase"]
    click, _view, order = answer["events"]
    assert click["recommended"] == {
        "type": "similar",
        "product_id": "teapot-1",
        "position": 3,
        "variant": 0,
        "time": "2026-05-01T12:00:00+00:00",
    }
    assert order["recommended"] is None
    assert (order["market"], order["price"], order["transaction_id"]) == ("se", "9.5000", "o1")
    stored = {field.attname for field in Event._meta.concrete_fields}
    assert stored - {"id", "tenant_id", "market_id"} <= set(click)  # no column is left out


def test_linked_ids_come_along_if_asked_for(anna):
    assert len(json.loads(run("acme", "a1"))["events"]) == 2
    linked = json.loads(run("acme", "a1", "--linked"))
    assert (linked["ids"], linked["orders"], len(linked["events"])) == (["a1", "anna"], ["o1"], 3)


def test_a_table_is_safe_to_open(anna):
    rows = list(csv.DictReader(StringIO(run("acme", "anna", "a1", "--format", "csv"))))

    assert len(rows) == 3
    assert tuple(rows[0]) == COLUMNS
    assert {row["recommended_type"] for row in rows} == {"similar", ""}
    assert [row["sku"] for row in rows if row["sku"]] == ["'=1+1"]


def test_after_an_erasure_only_its_receipt_is_left(anna):
    call_command("reco_erase_shopper", "acme", "anna", stdout=StringIO())
    answer = json.loads(run("acme", "anna"))

    assert answer["events"] == []
    assert [receipt["rows_erased"] for receipt in answer["erasures"]] == [2]


def test_the_file_is_for_its_owner_alone(anna, tmp_path):
    path = tmp_path / "anna.json"
    assert run("acme", "anna", "--output", str(path)) == ""
    assert len(json.loads(path.read_text())["events"]) == 2
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("anna")
def test_what_cannot_be_done_is_said(tmp_path):
    with pytest.raises(CommandError, match="at least one"):
        run("acme")
    with pytest.raises(CommandError, match="No such file"):
        run("acme", "anna", "--output", str(tmp_path / "no" / "file"))
