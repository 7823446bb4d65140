"""Erasing and exporting over the management API."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pytest

from depict_reco.models import Erasure, Event
from tests.api.management.conftest import ROOT, client_with_key, staff_client

ERASURES, EXPORT = f"{ROOT}/erasures", f"{ROOT}/shoppers/export"


def add(shop, name, **fields):
    return Event.objects.create(
        tenant=shop.tenant, market=shop.market, type="page_view", product_id="pot",
        time=datetime(2026, 5, 1, tzinfo=UTC), deduplication_id=f"{name}{fields}",
        session_id=name, **fields,
    )  # fmt: skip


@pytest.fixture
def key(acme):
    add(acme, "a1", user_id="anna")
    add(acme, "a1")
    add(acme, "b1")
    return client_with_key(acme, "privacy")


def test_an_erasure_answers_with_ids_and_receipt(acme, key):
    answer = key.post(ERASURES, {"ids": ["anna"], "linked": True})

    assert answer.status_code == 200
    body = answer.json()
    assert (body["ids"], body["rows"], body["markets"]) == (
        ["anna", "a1"],
        {"page_view": 2},
        ["se"],
    )
    receipt = body["receipt"]
    assert (receipt["state"], receipt["channel"], receipt["rows_erased"]) == ("done", "api", 2)
    assert receipt["asked_by"].startswith("API key test (")
    assert [event.session_id for event in Event.objects.all()] == ["b1"]
    assert key.get(ERASURES).json()["results"] == [receipt]
    assert key.get(f"{ERASURES}/{receipt['id']}").json() == receipt
    assert "anna" not in json.dumps(receipt)


def test_a_dry_run_tells_and_takes_nothing(key):
    body = key.post(ERASURES, {"ids": ["a1"], "dry_run": True}).json()

    assert body == {"ids": ["a1"], "markets": ["se"], "rows": {"page_view": 2}, "receipt": None}
    assert Event.objects.count() == 3
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("path", [ERASURES, EXPORT])
@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": ["server"]}, {"ids": [""]}, {"ids": "anna"}]
)
def test_what_is_no_shopper_is_said(key, path, body):
    answer = key.post(path, body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["ids"]


@pytest.mark.parametrize("path", [ERASURES, EXPORT])
def test_the_scope_is_one_of_its_own(acme, path):
    others = client_with_key(acme, "recommend", "events", "catalog", "export")
    answer = others.post(path, {"ids": ["a1"]})
    assert answer.status_code == 403
    assert "“privacy”" in answer.json()["detail"]
    assert others.get(ERASURES).status_code == 403
    assert client_with_key(acme, "privacy").get(f"{ROOT}/products").status_code == 403


@pytest.mark.parametrize(("path", "right"), [(ERASURES, "erase"), (EXPORT, "export")])
def test_staff_need_the_right_and_name_the_tenant(acme, path, right):
    add(acme, "a1")
    client = staff_client(f"{right}_shopper")
    assert client.post(path, {"ids": ["a1"], "tenant": "nobody"}).status_code == 400
    assert client.post(path, {"ids": ["a1"], "tenant": "acme"}).status_code == 200
    other_path = EXPORT if path == ERASURES else ERASURES
    assert client.post(other_path, {"ids": ["a1"], "tenant": "acme"}).status_code == 403
    assert client.get(ERASURES).status_code == 403


def test_staff_are_named_in_the_receipt(acme):
    staff_client("erase_shopper").post(ERASURES, {"ids": ["a1"], "tenant": "acme"})
    assert Erasure.objects.get().asked_by == "staff"


def test_nothing_of_another_tenant_is_touched_or_told(acme, other, key):
    add(other, "a1")
    key.post(ERASURES, {"ids": ["a1"]})
    assert [event.tenant.slug for event in Event.objects.filter(session_id="a1")] == ["other"]
    assert key.post(ERASURES, {"ids": ["a1"], "tenant": "other"}).status_code == 400
    stranger = client_with_key(other, "privacy")
    assert stranger.get(ERASURES).json()["results"] == []
    assert stranger.get(f"{ERASURES}/{Erasure.objects.get().pk}").status_code == 404


def test_an_export_is_streamed(key):
    answer = key.post(EXPORT, {"ids": ["anna"], "linked": True})
    assert (answer.status_code, answer.streaming) == (200, True)
    assert answer["Cache-Control"] == "private, no-store"
    body = json.loads(b"".join(answer.streaming_content))
    assert (body["tenant"], body["ids"], len(body["events"])) == ("acme", ["anna", "a1"], 2)


def test_an_export_can_be_a_table(key):
    answer = key.post(EXPORT, {"ids": ["a1"], "format": "csv"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert [row["session_id"] for row in csv.DictReader(lines)] == ["a1", "a1"]
    assert key.post(EXPORT, {"ids": ["a1"], "format": "xml"}).status_code == 400
