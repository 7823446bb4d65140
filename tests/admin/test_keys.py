from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.utils import timezone

from depict_reco.models import ApiKey
from depict_reco.tenants import secrets
from depict_reco.tenants.directory import directory
from tests.admin.conftest import act, confirm, messages_of

ADD = "/admin/depict_reco/apikey/add/"


def create(client, shop, **changes):
    data = {
        "tenant": shop.tenant.pk,
        "name": "Web shop",
        "scopes": ["recommend", "events"],
        "expires_at_0": "",
        "expires_at_1": "",
        **changes,
    }
    return client.post(ADD, data)


def secret_in(text: str) -> str:
    return re.search(r'id="reco-secret"[^>]*>([^<]+)<', text)[1]


def test_new_key_is_shown_in_the_answer_and_works(admin_client, shop):
    response = create(admin_client, shop)
    assert response.status_code == 200
    secret = secret_in(response.text)
    key = ApiKey.objects.get(name="Web shop")
    assert key.digest == secrets.digest(secret)
    assert (key.scopes, key.hint, key.expires_at) == (["recommend", "events"], secret[:9], None)
    assert directory().key(secret).name == "Web shop"
    assert 'data-copy="reco-secret"' in response.text
    assert "depict_reco/copy.js" in response.text
    assert "no-store" in response["Cache-Control"]


def test_secret_is_shown_once_and_kept_nowhere(admin_client, shop, caplog):
    response = create(admin_client, shop)
    secret = secret_in(response.text)
    key = ApiKey.objects.get(name="Web shop")
    for page in ("", f"{key.pk}/change/", f"{key.pk}/history/"):
        assert secret not in admin_client.get(f"/admin/depict_reco/apikey/{page}").text
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(admin_client.cookies) + str(response.cookies)
    assert secret not in caplog.text
    entry = LogEntry.objects.get(object_id=str(key.pk))
    assert secret not in entry.object_repr + entry.change_message


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("scopes", [], "This field is required."),
        ("scopes", ["everything"], "Select a valid choice."),
        ("name", "", "This field is required."),
        ("tenant", "", "This field is required."),
    ],
)
def test_incomplete_keys_are_refused(admin_client, shop, field, value, error):
    response = create(admin_client, shop, **{field: value})
    assert error in str(response.context["errors"])
    assert ApiKey.objects.count() == 1


def test_expiry_lies_ahead(admin_client, shop):
    yesterday = timezone.now() - timedelta(days=1)
    past = {"expires_at_0": f"{yesterday:%Y-%m-%d}", "expires_at_1": "12:00"}
    assert "This lies in the past." in create(admin_client, shop, **past).text
    ahead = {"expires_at_0": "2090-01-02", "expires_at_1": "12:00"}
    create(admin_client, shop, **ahead)
    assert f"{ApiKey.objects.get(name='Web shop').expires_at:%Y-%m-%d}" == "2090-01-02"


def test_keys_are_never_changed(admin_client, shop):
    url = f"/admin/depict_reco/apikey/{shop.key.pk}/change/"
    assert admin_client.post(url, {"name": "Stolen", "scopes": ["export"]}).status_code == 403
    shop.key.refresh_from_db()
    assert (shop.key.name, shop.key.scopes) == ("Shop", ["recommend"])


def test_who_may_only_add_sees_the_secret_too(staff, shop):
    client = staff("add_apikey", "view_tenant")
    response = create(client, shop)
    assert response.status_code == 200
    assert secrets.is_well_formed(secret_in(response.text))
    assert 'data-replace-url="/admin/"' in response.text


def test_who_may_only_look_cannot_create(staff, shop):
    assert create(staff("view_apikey"), shop).status_code == 403
    assert ApiKey.objects.count() == 1


def test_revoking_asks_first(admin_client, shop):
    page = act(admin_client, "apikey", "revoke", shop.key.pk)
    assert "Revoke this API key?" in page.text
    assert "This cannot be undone." in page.text
    shop.key.refresh_from_db()
    assert shop.key.revoked_at is None


def test_revoked_keys_are_refused_at_once(admin_client, shop):
    key, secret = ApiKey.objects.issue(shop.tenant, name="Old", scopes=["recommend"])
    assert directory().key(secret) is not None
    response = confirm(admin_client, "apikey", "revoke", shop.key.pk, key.pk)
    assert messages_of(response) == ["2 API keys were revoked."]
    assert directory().key(secret) is None
    assert LogEntry.objects.filter(change_message="Revoked.").count() == 2
    first = ApiKey.objects.get(pk=key.pk).revoked_at
    again = confirm(admin_client, "apikey", "revoke", key.pk)
    assert messages_of(again)[-1:] == ["These keys are revoked already."]
    assert ApiKey.objects.get(pk=key.pk).revoked_at == first


def test_revoking_from_the_keys_own_page_leads_back_to_it(admin_client, shop):
    url = f"/admin/depict_reco/apikey/{shop.key.pk}/change/"
    assert ">Revoke</button>" in admin_client.get(url).text
    response = confirm(admin_client, "apikey", "revoke", shop.key.pk, _from_detail=shop.key.pk)
    assert response["Location"] == url
    assert ">Revoke</button>" not in admin_client.get(url).text


def test_revoking_needs_its_own_right(staff, shop):
    looking = staff("view_apikey")
    assert ">Revoke<" not in looking.get(f"/admin/depict_reco/apikey/{shop.key.pk}/change/").text
    assert messages_of(confirm(looking, "apikey", "revoke", shop.key.pk)) == []
    shop.key.refresh_from_db()
    assert shop.key.revoked_at is None
    confirm(staff("change_apikey"), "apikey", "revoke", shop.key.pk)
    shop.key.refresh_from_db()
    assert shop.key.revoked_at is not None


def test_states_are_shown_and_filtered(admin_client, shop):
    now = timezone.now()
    ApiKey.objects.create(
        tenant=shop.tenant, name="Late", scopes=["events"], hint="reco_x", digest="1",
        expires_at=now - timedelta(days=1),
    )  # fmt: skip
    ApiKey.objects.create(
        tenant=shop.tenant, name="Gone", scopes=["events"], hint="reco_y", digest="2",
        revoked_at=now,
    )  # fmt: skip

    def names(state):
        page = admin_client.get("/admin/depict_reco/apikey/", {"state": state})
        return [(key.name, word) for key in page.context["cl"].result_list if (word := state)]

    assert names("live") == [("Shop", "live")]
    assert names("expired") == [("Late", "expired")]
    assert names("revoked") == [("Gone", "revoked")]
    page = admin_client.get("/admin/depict_reco/apikey/").text
    for state in ("live", "expired", "revoked"):
        assert f'<td class="field-state">{state}</td>' in page
