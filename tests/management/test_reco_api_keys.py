from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from depict_reco.models import ApiKey, Tenant
from depict_reco.tenants.directory import directory

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return Tenant.objects.create(slug="acme", name="Acme")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reco_api_keys", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_create_prints_the_secret_alone_and_it_opens_the_storefront(acme):
    secret = run("create", "acme").strip()

    entry = directory().key(secret)
    assert entry is not None
    assert (entry.tenant_slug, entry.scopes) == ("acme", {"recommend", "events"})
    assert entry.expires_at is None


def test_create_takes_name_scopes_and_expiry(acme):
    made = json.loads(
        run("create", "acme", "--name", "Feed robot", "--scope", "catalog", "export",
            "--expires", "2190-01-01", "--json")
    )  # fmt: skip

    key = ApiKey.objects.get()
    assert made["key"].startswith(made["hint"])
    assert (made["name"], made["scopes"]) == ("Feed robot", ["catalog", "export"])
    assert made["status"] == "live"
    assert key.expires_at == datetime(2190, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("1d", 1)])
def test_an_expiry_in_days(acme, text, days):
    run("create", "acme", "--expires", text)

    left = ApiKey.objects.get().expires_at - timezone.now()
    assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


@pytest.mark.parametrize("text", ["soon", "2020-01-01", "2027-13-01", "0d", "90", "99999999d"])
def test_an_expiry_that_cannot_be_is_refused(acme, text):
    with pytest.raises(CommandError, match="--expires"):
        run("create", "acme", "--expires", text)
    assert not ApiKey.objects.exists()


def test_list_shows_the_state_of_each_key_and_no_secret(acme):
    secret = run("create", "acme", "--name", "live one").strip()
    ApiKey.objects.issue(
        acme, name="old one", scopes=["export"], expires_at=timezone.now() - timedelta(days=1)
    )
    ApiKey.objects.issue(acme, name="closed one", scopes=["export"])[0].revoke()
    other = Tenant.objects.create(slug="other", name="Other")
    ApiKey.objects.issue(other, name="not ours", scopes=["export"])

    keys = json.loads(run("list", "acme", "--json"))
    text = run("list", "acme")

    assert [(key["name"], key["status"]) for key in keys] == [
        ("live one", "live"), ("old one", "expired"), ("closed one", "revoked"),
    ]  # fmt: skip
    assert len(text.splitlines()) == 3
    assert keys[0]["hint"] in text
    assert secret not in text
    assert not any("key" in key or "digest" in key for key in keys)


def test_list_without_keys_says_how_to_make_one(acme):
    assert "reco_api_keys create acme" in run("list", "acme")
    assert json.loads(run("list", "acme", "--json")) == []


@pytest.mark.parametrize("by", ["number", "beginning", "shown", "secret"])
def test_revoke_closes_the_key_at_once(acme, by):
    key, secret = ApiKey.objects.issue(acme, name="k", scopes=["recommend"])
    assert directory().key(secret) is not None
    name = {"number": str(key.pk), "beginning": key.hint, "shown": f"{key.hint}…"}

    out = run("revoke", "acme", name.get(by, secret))

    assert out == f"Key {key.pk} ({key.hint}…) of acme: revoked\n"
    assert directory().key(secret) is None


def test_revoke_again_changes_nothing(acme):
    key, _ = ApiKey.objects.issue(acme, name="k", scopes=["recommend"])
    run("revoke", "acme", str(key.pk))
    moment = ApiKey.objects.get().revoked_at

    assert json.loads(run("revoke", "acme", str(key.pk), "--json"))["changed"] is False
    assert ApiKey.objects.get().revoked_at == moment


def test_revoke_refuses_what_is_unknown_ambiguous_or_of_another_tenant(acme):
    other = Tenant.objects.create(slug="other", name="Other")
    theirs, _ = ApiKey.objects.issue(other, name="k", scopes=["recommend"])
    for _ in range(2):
        ApiKey.objects.issue(acme, name="k", scopes=["recommend"])
    ApiKey.objects.filter(tenant=acme).update(hint="reco_same")

    with pytest.raises(CommandError, match="Several keys begin with reco_same"):
        run("revoke", "acme", "reco_same")
    for unknown in (str(theirs.pk), theirs.hint, "9" * 40, "²", ""):
        with pytest.raises(CommandError, match="acme has no key"):
            run("revoke", "acme", unknown)
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_an_unknown_tenant_is_refused_with_those_there_are(acme):
    for act in (["create", "nobody"], ["list", "nobody"], ["revoke", "nobody", "1"]):
        with pytest.raises(CommandError, match="There is no tenant 'nobody'; there are: acme"):
            run(*act)
    Tenant.objects.all().delete()
    with pytest.raises(CommandError, match="make it with reco_create_tenant"):
        run("list", "nobody")
