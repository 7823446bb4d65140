"""What changes in the database is right in every process within two seconds."""

from __future__ import annotations

import pytest

from tests.e2e.processes import wait_until

pytestmark = pytest.mark.faults

SECONDS = 2.0


@pytest.fixture
def seen(installation):
    """Wait until both processes agree with something."""

    def wait(condition, what):
        return wait_until(
            lambda: all(condition(server) for server in installation.servers),
            seconds=SECONDS,
            what=f"both processes see {what}",
        )

    return wait


def price(installation, server, product_id):
    found = installation.displays(server, limit=128)
    return next((d["price"] for d in found if d["product_id"] == product_id), None)


def test_the_two_are_two_processes(installation):
    first, second = (server.worker for server in installation.servers)

    assert first != second
    assert first > 0 < second


def test_a_price(installation, seen):
    installation.do(
        "p = Product.objects.get(market__tenant__slug='acme', product_id='spade-1')\n"
        "p.price = '4711'; p.save()"
    )
    seen(lambda server: price(installation, server, "spade-1") == "4711.00", "the price")


def test_hidden_sold_out_and_shown_again(installation, seen):
    rows = "Product.objects.filter(market__tenant__slug='acme', product_id='spade-2')"
    for change in ("hidden=True", "hidden=False", "in_stock=False", "in_stock=True"):
        there = change in ("hidden=False", "in_stock=True")
        installation.do(f"{rows}.change({change})")
        seen(
            lambda server, there=there: (
                ("spade-2" in installation.named(server, limit=128)) is there
            ),
            change,
        )


def test_deleted_and_added(installation, seen):
    installation.do(
        "Product.objects.filter(market__tenant__slug='acme', product_id='spade-3').delete()"
    )
    seen(lambda server: "spade-3" not in installation.named(server, limit=128), "a deletion")

    installation.do(
        "from tests import shop\n"
        "shop.add_product(Market.objects.get(tenant__slug='acme'), 'spade-3', price='300')"
    )
    seen(lambda server: "spade-3" in installation.named(server, limit=128), "a new product")


def test_a_feed(installation, seen):
    feed = installation.folder / "feed.csv"
    feed.write_text("product_id,title,price\nglove-1,Mitten,77\n")
    installation.do(
        "from depict_reco.tasks import import_feed\n"
        f"import_feed({str(feed)!r}, market=Market.objects.get(tenant__slug='acme'))"
    )
    seen(lambda server: price(installation, server, "glove-1") == "77.00", "the feed")


def test_a_revoked_key(installation, seen):
    for server in installation.servers:
        assert installation.recommend(server, key="acme 2").status == 200

    installation.do("ApiKey.objects.get(tenant__slug='acme', name='2').revoke()")
    seen(
        lambda server: installation.recommend(server, key="acme 2").status == 401, "the revocation"
    )


def test_a_closed_tenant(installation, seen):
    for server in installation.servers:
        assert installation.recommend(server, key="other").status == 200

    installation.do("Tenant.objects.filter(slug='other').update(active=False)")
    seen(lambda server: installation.recommend(server, key="other").status == 403, "it is closed")
    installation.do("Tenant.objects.filter(slug='other').update(active=True)")
    seen(lambda server: installation.recommend(server, key="other").status == 200, "it is open")


def test_a_changed_type(installation, seen):
    rows = "RecommendationType.objects.filter(tenant__slug='acme', name='popular')"
    installation.do(f"{rows}.update(default_limit=3)")
    seen(lambda server: len(installation.named(server)) == 3, "the type")
    installation.do(f"{rows}.update(default_limit=20)")
    seen(lambda server: len(installation.named(server)) == 20, "the type as it was")


def test_a_new_artifact_and_the_way_back(installation, seen):
    before = installation.served_folder().name
    after = installation.do(
        "from depict_reco.tasks import train_market\n"
        "market = Market.objects.get(tenant__slug='acme')\n"
        "train_market(market)\n"
        "result = Artifact.objects.get(currentartifact__market=market).version"
    )
    assert after != before
    seen(lambda server: installation.version(server) == after, "the artifact")

    installation.do(
        "from depict_reco.artifacts.publish import roll_back\n"
        "roll_back(Market.objects.get(tenant__slug='acme'))"
    )
    seen(lambda server: installation.version(server) == before, "the rollback")
