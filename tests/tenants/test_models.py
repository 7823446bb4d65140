from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from depict_reco.models import ApiKey, Market, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return Tenant.objects.create(slug="acme", name="Acme")


def revision(tenant: Tenant) -> int:
    return Tenant.objects.values_list("revision", flat=True).get(pk=tenant.pk)


def market(tenant: Tenant, slug: str = "se", **fields) -> Market:
    return Market.objects.create(
        tenant=tenant, slug=slug, **{"currency": "SEK", "default_locale": "sv-SE", **fields}
    )


@pytest.mark.parametrize("slug", ["acme", "Acme-2", "a.b_c", "0"])
def test_a_slug(slug):
    Tenant(slug=slug, name="x").full_clean()


@pytest.mark.parametrize("slug", ["", "-a", "a b", "a/b", "å", "a\n", "x" * 101])
def test_what_is_no_slug(slug):
    with pytest.raises(ValidationError) as caught:
        Tenant(slug=slug, name="x").full_clean()
    assert "slug" in caught.value.message_dict


def test_origins_are_normalized_and_named_once():
    tenant = Tenant(
        slug="acme", name="x", origins=["https://Shop.example/", "https://shop.example:443"]
    )
    tenant.full_clean()

    assert tenant.origins == ["https://shop.example"]


@pytest.mark.parametrize(
    "fields",
    [
        {"origins": "https://shop.example"},
        {"origins": ["shop.example"]},
        {"origins": [None]},
        {"origins": [["https://shop.example"]]},
        {"storefront_access": "origins", "origins": []},
    ],
)
def test_origins_that_cannot_be(fields):
    with pytest.raises(ValidationError) as caught:
        Tenant(slug="acme", name="x", **fields).full_clean()
    assert "origins" in caught.value.message_dict


def test_every_change_of_a_tenant_bumps_its_revision(acme):
    seen = [revision(acme)]
    acme.name = "Other"
    acme.save()
    seen.append(revision(acme))
    Tenant.objects.filter(pk=acme.pk).update(active=False)
    seen.append(revision(acme))

    assert seen == sorted(set(seen))


def test_every_change_of_a_market_or_key_bumps_the_tenants_revision(acme):
    seen = [revision(acme)]

    def bumped() -> bool:
        seen.append(revision(acme))
        return seen[-1] > seen[-2]

    se = market(acme)
    assert bumped()
    se.save()
    assert bumped()
    Market.objects.filter(pk=se.pk).update(active=False)
    assert bumped()
    se.refresh_from_db()
    se.name = "Sweden"
    Market.objects.bulk_update([se], ["name"])
    assert bumped()
    key, _ = ApiKey.objects.issue(acme, name="k", scopes=["recommend"])
    assert bumped()
    key.revoke()
    assert bumped()
    ApiKey.objects.all().delete()
    assert bumped()
    se.delete()
    assert bumped()


def test_a_change_of_one_tenant_leaves_the_others_revision(acme):
    other = Tenant.objects.create(slug="other", name="Other")
    before = revision(other)
    market(acme).delete()

    assert revision(other) == before


def test_a_row_read_long_ago_does_not_turn_counters_back(acme):
    stale_tenant, stale_market = Tenant.objects.get(), market(acme)
    market(acme, "fi")
    for counter in Market.counters:
        Market.objects.advance(stale_market.pk, counter)
    before = revision(acme)
    counted = Market.objects.filter(pk=stale_market.pk).values_list(*Market.counters)
    expected = counted.get()

    stale_tenant.name = "Later"
    stale_tenant.save()
    stale_market.name = "Sweden"
    stale_market.save()
    Market.objects.only("name").get(pk=stale_market.pk).save()

    assert revision(acme) > before
    assert counted.get() == expected
    assert Market.objects.get(pk=stale_market.pk).name == "Sweden"
    assert Tenant.objects.get().name == "Later"


def test_a_failed_save_bumps_nothing(acme):
    market(acme)
    before = revision(acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        market(acme)

    assert revision(acme) == before


def test_a_market_slug_is_unique_in_its_tenant_only(acme):
    market(acme)
    market(Tenant.objects.create(slug="other", name="Other"))
    with pytest.raises(ValidationError):
        Market(tenant=acme, slug="se", currency="SEK", default_locale="sv").full_clean()


def test_a_market_lists_its_locales_with_the_default_one_first(acme):
    assert market(acme, locales=["en", "sv-SE"]).all_locales == ["sv-SE", "en"]


@pytest.mark.parametrize("locales", ["sv", [""], [1], {"a": 1}])
def test_locales_that_cannot_be(acme, locales):
    with pytest.raises(ValidationError) as caught:
        Market(
            tenant=acme, slug="x", currency="SEK", default_locale="sv", locales=locales
        ).full_clean()
    assert "locales" in caught.value.message_dict


@pytest.mark.parametrize("currency", ["sek", "KRONA", "SE", "SEK\n"])
def test_currencies_that_cannot_be(acme, currency):
    with pytest.raises(ValidationError) as caught:
        Market(tenant=acme, slug="x", currency=currency, default_locale="sv").full_clean()
    assert "currency" in caught.value.message_dict


def test_advance_counts_up_and_touches_no_tenant(acme):
    se = market(acme)
    before = revision(acme)

    assert [Market.objects.advance(se.pk, "catalog_revision") for _ in range(2)] == [2, 3]
    assert revision(acme) == before


def test_active_markets_belong_to_active_tenants(acme):
    market(acme)
    market(acme, "fi", active=False)
    assert [m.slug for m in Market.objects.active()] == ["se"]
    Tenant.objects.update(active=False)
    assert not Market.objects.active().exists()


def test_an_issued_key_keeps_only_the_digest_of_its_secret(acme):
    key, secret = ApiKey.objects.issue(acme, name="k", scopes=["recommend", "export"])

    stored = ApiKey.objects.filter(pk=key.pk).values().get()
    assert secret not in str(stored)
    assert stored["hint"] == secret[:9]
    assert stored["scopes"] == ["recommend", "export"]


@pytest.mark.parametrize("scopes", [[], ["admin"], ["recommend", ""], "recommend", [[]], None])
def test_scopes_that_cannot_be(acme, scopes):
    with pytest.raises(ValidationError):
        ApiKey.objects.issue(acme, name="k", scopes=scopes)
    assert not ApiKey.objects.exists()


def test_live_keys_are_neither_revoked_nor_expired(acme):
    now = timezone.now()
    for name, expires_at in (
        ("forever", None), ("later", now + timedelta(hours=1)), ("over", now - timedelta(hours=1)),
    ):  # fmt: skip
        ApiKey.objects.issue(acme, name=name, scopes=["events"], expires_at=expires_at)
    ApiKey.objects.issue(acme, name="revoked", scopes=["events"])[0].revoke()

    assert [key.name for key in ApiKey.objects.live()] == ["forever", "later"]


def test_revoking_again_keeps_the_moment(acme):
    key, _ = ApiKey.objects.issue(acme, name="k", scopes=["events"])
    key.revoke()
    moment = key.revoked_at
    key.revoke()

    assert ApiKey.objects.get().revoked_at == moment


def test_last_use_is_written_once_per_interval_and_touches_no_tenant(acme):
    key, _ = ApiKey.objects.issue(acme, name="k", scopes=["events"])
    before, start = revision(acme), timezone.now()

    def used_at(seconds: int):
        moment = start + timedelta(seconds=seconds)
        ApiKey.objects.all().mark_used(key.pk, moment, interval=60)
        return ApiKey.objects.get().last_used_at - start

    assert [used_at(second).seconds for second in (0, 59, 61, 90)] == [0, 0, 61, 61]
    assert revision(acme) == before
