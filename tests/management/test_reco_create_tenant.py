from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from depict_reco.models import Market, RecommendationType, Tenant
from depict_reco.tenants.directory import directory

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reco_create_tenant", *arguments, stdout=out)
    return out.getvalue()


def test_a_new_tenant_has_its_markets_and_the_default_types():
    out = run("acme", "--market", "se:SEK:sv-SE", "--market", "fi:EUR:fi-FI,sv-FI")

    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.name, tenant.active) == ("acme", "acme", True)
    assert tenant.storefront_access == Tenant.StorefrontAccess.KEY_REQUIRED
    assert list(
        Market.objects.order_by("slug").values_list("slug", "currency", "default_locale", "locales")
    ) == [("fi", "EUR", "fi-FI", ["sv-FI"]), ("se", "SEK", "sv-SE", [])]
    assert RecommendationType.objects.filter(tenant=tenant, name="checkout").count() == 1
    assert out.splitlines() == [
        "Tenant acme: created",
        "Market acme/se: created",
        "Market acme/fi: created",
        "Recommendation types: 15 added",
        "Next: manage.py reco_api_keys create acme",
    ]


def test_a_second_run_changes_nothing_and_says_so():
    arguments = ("acme", "--market", "se:SEK:sv-SE", "--origin", "https://shop.example")
    run(*arguments)
    before = (
        list(Tenant.objects.values()),
        list(Market.objects.values()),
        list(RecommendationType.objects.values()),
    )

    out = run(*arguments)

    assert out.splitlines() == ["Tenant acme: unchanged", "Market acme/se: unchanged"]
    assert before == (
        list(Tenant.objects.values()),
        list(Market.objects.values()),
        list(RecommendationType.objects.values()),
    )


def test_what_is_named_is_made_so_and_the_rest_is_left_alone():
    run("acme", "--market", "se:SEK:sv-SE", "--market", "us:USD:en-US", "--name", "Acme Inc")

    result = json.loads(
        run("acme", "--market", "se:EUR:sv-SE,en", "--market", "fi:EUR:fi-FI", "--json")
    )

    assert result == {
        "tenant": "acme",
        "created": False,
        "changed": False,
        "markets_created": ["fi"],
        "markets_changed": ["se"],
        "markets_unchanged": [],
        "origins": [],
        "origins_added": [],
        "types_added": 0,
    }
    se = Market.objects.get(slug="se")
    assert (se.currency, se.locales) == ("EUR", ["en"])
    assert Market.objects.get(slug="us").currency == "USD"
    assert Tenant.objects.get().name == "Acme Inc"


def test_an_origin_opens_the_storefront_and_is_added_to_those_there_are():
    run("acme", "--market", "se:SEK:sv-SE", "--origin", "HTTPS://Shop.Example:443/")
    out = run("acme", "--origin", "http://localhost:3000", "--origin", "https://shop.example")

    tenant = Tenant.objects.get()
    assert tenant.storefront_access == Tenant.StorefrontAccess.OPEN_TO_ORIGINS
    assert tenant.origins == ["https://shop.example", "http://localhost:3000"]
    assert "Origin http://localhost:3000: added; its pages need no key" in out
    assert "Origin https://shop.example" not in out
    assert directory().tenant("acme").keyless


def test_a_closed_tenant_and_its_deleted_type():
    run("acme", "--market", "se:SEK:sv-SE")
    Tenant.objects.update(active=False)
    RecommendationType.objects.filter(name="upsell").delete()

    assert "Recommendation types: 1 added" in run("acme", "--market", "se:SEK:sv-SE")
    assert not Tenant.objects.get().active


def test_a_tenant_of_an_older_version_gets_the_types_that_came_since():
    run("acme", "--market", "se:SEK:sv-SE")
    RecommendationType.objects.filter(name="buy_again").delete()
    own = RecommendationType.objects.filter(name="popular")
    own.update(default_limit=3)

    assert "Recommendation types: 1 added" in run("acme")
    assert RecommendationType.objects.get(name="buy_again").strategy == "buy_again"
    assert own.get().default_limit == 3


@pytest.mark.parametrize(
    "market", ["se", "se:SEK", "se::sv", "se:SEK:", ":SEK:sv", "se:SEK:sv-SE:x", "se:SEK:sv,,fi"]
)
def test_a_market_that_cannot_be_read_is_refused_with_advice(market):
    with pytest.raises(CommandError, match="write it like se:SEK:sv-SE"):
        run("acme", "--market", market)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["acme"], "is new and needs a market"),
        (["ac me", "--market", "se:SEK:sv"], "slug: Use letters, digits"),
        (["acme", "--market", "s/e:SEK:sv"], "slug: Use letters, digits"),
        (["acme", "--market", "se:KRONA:sv"], "currency: "),
        (["acme", "--market", "se:SEK:sv", "--origin", "shop.example"], "is not an origin"),
    ],
)
def test_values_that_cannot_be_are_refused_and_leave_nothing_behind(arguments, reason):
    with pytest.raises(CommandError, match=reason):
        run(*arguments)
    assert not Tenant.objects.exists()
