from __future__ import annotations

import json

import pytest

from depict_reco.models import Erasure, Event
from tests.admin.conftest import messages_of

LIST = "/admin/depict_reco/erasure/"
ERASE, EXPORT = f"{LIST}erase/", f"{LIST}export/"


def shopper(shop, **changes):
    return {"tenant": shop.tenant.pk, "ids": "session-1", "linked": "on", **changes}


def test_what_would_go_is_shown_before_it_goes(admin_client, shop):
    assert f'href="{ERASE}"' in admin_client.get(LIST).text
    assert admin_client.get(ERASE).status_code == 200
    page = admin_client.post(ERASE, shopper(shop))
    assert "1 row would be erased: 1 purchase." in page.text
    assert "<li>session-1</li>" in page.text
    assert "<li>user-1</li>" in page.text
    assert "no-store" in page["Cache-Control"]
    assert Event.objects.count() == 1
    assert not Erasure.objects.exists()

    done = admin_client.post(ERASE, shopper(shop, _confirmed="yes"))

    erasure = Erasure.objects.get()
    assert done["Location"] == f"{LIST}{erasure.pk}/change/"
    assert "Models forget at their next training: se." in messages_of(done)[0]
    assert not Event.objects.exists()
    assert (erasure.asked_by, erasure.channel, len(erasure.digests)) == ("admin", "admin", 2)
    receipt = admin_client.get(done["Location"]).text
    assert "session-1" not in receipt
    assert "user-1" not in receipt
    assert "purchase" in receipt


def test_nothing_to_erase_is_said(admin_client, shop):
    done = admin_client.post(ERASE, shopper(shop, ids="nobody", _confirmed="yes"))
    assert messages_of(done) == ["Nothing was stored of this shopper; a receipt says so."]


@pytest.mark.parametrize("path", [ERASE, EXPORT])
def test_mistakes_are_explained(admin_client, shop, path):
    chosen = shopper(shop, format="json")
    assert "This field is required." in admin_client.post(path, {**chosen, "ids": " \n"}).text
    assert "stands for no one" in admin_client.post(path, {**chosen, "ids": "server"}).text
    assert admin_client.post(path, {**chosen, "tenant": "999"}).status_code == 200
    confirmed = {**chosen, "ids": "server", "_confirmed": "yes"}
    assert "stands for no one" in admin_client.post(path, confirmed).text
    assert Event.objects.count() == 1


def test_the_export_is_a_file(admin_client, shop):
    assert admin_client.get(EXPORT).status_code == 200
    answer = admin_client.post(EXPORT, shopper(shop, format="json"))
    assert answer["Content-Disposition"] == 'attachment; filename="shopper.json"'
    assert "no-store" in answer["Cache-Control"]
    body = json.loads(b"".join(answer.streaming_content))
    assert (body["ids"], len(body["events"])) == (["session-1", "user-1"], 1)
    table = admin_client.post(EXPORT, shopper(shop, format="csv"))
    assert b"".join(table.streaming_content).startswith(b"market,type,time,session_id,")


def test_each_act_needs_its_right(staff, shop):
    for own, path, other in (("erase", ERASE, EXPORT), ("export", EXPORT, ERASE)):
        client = staff(f"{own}_shopper")
        assert client.get(path).status_code == 200
        assert client.post(other, shopper(shop, format="json")).status_code == 403
    reader = staff("view_erasure", "delete_event", "change_tenant")
    assert reader.get(LIST).status_code == 200
    assert ERASE not in reader.get(LIST).text
    assert reader.post(ERASE, shopper(shop, _confirmed="yes")).status_code == 403
    assert Event.objects.count() == 1


def test_receipts_are_only_read(admin_client, shop):
    admin_client.post(ERASE, shopper(shop, _confirmed="yes"))
    pk = Erasure.objects.get().pk
    assert admin_client.get(f"{LIST}{pk}/delete/").status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    text = admin_client.get(f"{LIST}{pk}/change/").text
    assert 'name="_save"' not in text
