from __future__ import annotations

import pytest

from depict_reco.models import Event, Market, Product, RecommendationType, Tenant
from tests.admin.conftest import act, messages_of

INLINE = {
    "markets-TOTAL_FORMS": "0",
    "markets-INITIAL_FORMS": "0",
    "markets-MIN_NUM_FORMS": "0",
    "markets-MAX_NUM_FORMS": "1000",
}


def tenant_data(**changes):
    return {
        "slug": "nordic",
        "name": "Nordic",
        "active": "on",
        "storefront_access": "key",
        "origins": "",
        "attribution_window_days": "30",
        **INLINE,
        **changes,
    }


def market_data(number: int, **changes):
    data = {
        "slug": "no",
        "name": "",
        "currency": "NOK",
        "default_locale": "nb-NO",
        "locales": "en-GB, sv-NO",
        "active": "on",
        **changes,
    }
    return {
        "markets-TOTAL_FORMS": str(number + 1),
        **{f"markets-{number}-{name}": value for name, value in data.items()},
    }


def test_new_tenant_gets_markets_origins_and_types(admin_client, db):
    response = admin_client.post(
        "/admin/depict_reco/tenant/add/",
        tenant_data(
            storefront_access="origins",
            origins="https://Shop.example/\r\n\r\nhttps://shop.example:443\r\nhttp://localhost:3000",
            **market_data(0),
        ),
    )
    assert response.status_code == 302
    tenant = Tenant.objects.get()
    assert tenant.origins == ["https://shop.example", "http://localhost:3000"]
    market = Market.objects.get()
    assert (market.slug, market.all_locales) == ("no", ["nb-NO", "en-GB", "sv-NO"])
    assert RecommendationType.objects.filter(tenant=tenant).count() == 15
    assert any("15 recommendation types were added." in text for text in messages_of(response))


def test_types_that_were_taken_away_do_not_come_back_with_a_save(admin_client, shop):
    url = f"/admin/depict_reco/tenant/{shop.tenant.pk}/change/"
    data = tenant_data(
        **market_data(0, id=shop.market.pk, tenant=shop.tenant.pk), **{"markets-INITIAL_FORMS": "1"}
    )
    assert admin_client.post(url, data).status_code == 302
    assert list(RecommendationType.objects.values_list("name", flat=True)) == ["similar"]
    shop.market.refresh_from_db()
    assert (shop.market.slug, shop.market.currency) == ("no", "NOK")


def test_saving_does_not_turn_a_revision_back(admin_client, shop):
    before = Tenant.objects.get().revision
    admin_client.post(
        f"/admin/depict_reco/tenant/{shop.tenant.pk}/change/",
        tenant_data(**market_data(0, id=shop.market.pk), **{"markets-INITIAL_FORMS": "1"}),
    )
    assert Tenant.objects.get().revision > before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"origins": "shop.example"}, "is not an origin"),
        ({"storefront_access": "origins"}, "Name the origins"),
        ({"slug": "-x"}, "begin with a letter or digit"),
        ({"slug": ""}, "This field is required."),
    ],
)
def test_mistakes_are_explained(admin_client, db, changes, error):
    response = admin_client.post("/admin/depict_reco/tenant/add/", tenant_data(**changes))
    assert response.status_code == 200
    assert error in response.text
    assert not Tenant.objects.exists()


def test_mistakes_of_markets_are_explained(admin_client, db):
    data = tenant_data(**market_data(0, currency="kr"))
    response = admin_client.post("/admin/depict_reco/tenant/add/", data)
    assert "Use a three-letter ISO 4217 code." in response.text


def test_origins_stand_one_per_line(admin_client, shop):
    shop.tenant.origins = ["https://a.example", "https://b.example"]
    shop.tenant.save()
    page = admin_client.get(f"/admin/depict_reco/tenant/{shop.tenant.pk}/change/").text
    assert "https://a.example\nhttps://b.example</textarea>" in page


def test_tenant_page_sums_up_its_markets(admin_client, shop):
    Product.objects.create(market=shop.market, product_id="cup", title="Cup", hidden=True)
    page = admin_client.get(f"/admin/depict_reco/tenant/{shop.tenant.pk}/change/").text
    assert f'<a href="/admin/depict_reco/product/?market={shop.market.pk}">2</a>' in page
    assert "<td>1</td>" in page
    assert f'<a href="/admin/depict_reco/artifact/{shop.artifact.pk}/change/">v1</a>' in page
    assert f'href="/admin/depict_reco/product/?tenant={shop.tenant.pk}"' in page


@pytest.mark.parametrize("model", ["market", "apikey", "recommendationtype", "product", "feed"])
def test_links_of_the_tenant_page_lead_to_its_rows(admin_client, shop, model):
    other = Tenant.objects.create(slug="other", name="Other")
    url = f"/admin/depict_reco/{model}/"
    assert len(admin_client.get(url, {"tenant": shop.tenant.pk}).context["cl"].result_list) == 1
    assert len(admin_client.get(url, {"tenant": other.pk}).context["cl"].result_list) == 0


def test_delete_page_counts_what_goes_along(admin_client, shop):
    page = admin_client.get(f"/admin/depict_reco/tenant/{shop.tenant.pk}/delete/").text
    for line in ("Markets: 1", "Products: 1", "Events: 1", "API keys: 1", "Artifacts: 1"):
        assert line in page
    assert "Teapot" not in page


def test_tenant_goes_with_everything(admin_client, shop):
    url = f"/admin/depict_reco/tenant/{shop.tenant.pk}/delete/"
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not Tenant.objects.exists()
    assert not Event.objects.exists()
    assert not Product.objects.exists()


def test_deleting_needs_the_right_to_delete_what_goes_along(staff, shop):
    client = staff("delete_tenant", "view_tenant")
    url = f"/admin/depict_reco/tenant/{shop.tenant.pk}/delete/"
    page = client.get(url)
    assert "your account doesn't have permission" in page.text
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert Tenant.objects.exists()


def test_markets_cannot_be_deleted_in_passing(admin_client, shop):
    page = admin_client.get(f"/admin/depict_reco/tenant/{shop.tenant.pk}/change/")
    assert "-DELETE" not in page.text


def test_market_keeps_its_tenant(admin_client, shop):
    other = Tenant.objects.create(slug="other", name="Other")
    data = {
        "tenant": other.pk, "slug": "fi", "name": "Finland", "currency": "EUR",
        "default_locale": "fi-FI", "locales": "sv-FI", "active": "on",
    }  # fmt: skip
    admin_client.post(f"/admin/depict_reco/market/{shop.market.pk}/change/", data)
    shop.market.refresh_from_db()
    assert shop.market.tenant_id == shop.tenant.pk
    assert (shop.market.slug, shop.market.locales) == ("fi", ["sv-FI"])


def test_training_is_started_for_chosen_markets(admin_client, shop, started):
    second = Market.objects.create(
        tenant=shop.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    response = act(admin_client, "market", "train", shop.market.pk, second.pk)
    assert started == [("reco_train", "acme", "no"), ("reco_train", "acme", "se")]
    no, se = messages_of(response)
    assert no.startswith("The training of acme/no was started.")
    assert f'href="/admin/depict_reco/trainingrun/?market={shop.market.pk}"' in se


def test_training_needs_its_right(staff, shop, started):
    client = staff("view_market", "change_market")
    url = f"/admin/depict_reco/market/{shop.market.pk}/change/"
    assert ">Train</button>" not in client.get(url).text
    act(client, "market", "train", shop.market.pk)
    assert started == []
    allowed = staff("view_market", "train_model")
    assert ">Train</button>" in allowed.get(url).text
    act(allowed, "market", "train", shop.market.pk)
    assert started == [("reco_train", "acme", "se")]
