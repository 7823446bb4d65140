"""What is laid over a catalogue while a new image is being made says what the database says."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.models import Product
from depict_reco.serving import refresh
from depict_reco.serving.overlay import overlaid
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tenants.directory import directory
from tests import shop as shops
from tests.serving.asking import ask
from tests.serving.test_refresh import change, entry, fresh, told

pytestmark = pytest.mark.django_db

PRICES = st.none() | st.decimals(0, 9_999_999_999, places=4)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.fixed_dictionaries(
            {},
            optional={
                "active": st.booleans(),
                "hidden": st.booleans(),
                "in_stock": st.booleans(),
                "price": PRICES,
                "sale_price": PRICES,
            },
        ).filter(bool),
    ),
    max_size=12,
)
BEFORE = st.lists(
    st.tuples(
        st.sampled_from(["price", "group", "category", "delete", "add", "rename"]),
        st.integers(0, 60),
        st.sampled_from(["bear", "spade-1", ""]),
    ),
    max_size=6,
)


@hypothesis_settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=BEFORE, changes=CHANGES, more=CHANGES)
def test_it_says_of_all_products_what_the_database_says(shop, before, changes, more):
    ask("popular", limit=1)
    for number, step in enumerate(before):
        change(shop, *step, number)
    ask("popular", limit=1)  # these are kept aside
    old = snapshot_book().get(entry())
    columns, since = old.columns, old.market.catalog_revision
    for some in (changes, more):
        concerned = changed_products(some)
        columns, codes = overlaid(columns, entry(), since=since)
        since = columns.overlay.revision

        assert told(columns) == told(fresh())
        assert codes == {columns.code(at) for at in rows(columns, concerned)}
        assert since == entry().catalog_revision


def changed_products(changes):
    pks = list(Product.objects.order_by("pk").values_list("pk", flat=True))
    for at, fields in changes if pks else ():
        Product.objects.filter(pk=pks[at % len(pks)]).change(**fields)
    directory.cache_clear()
    return {pks[at % len(pks)] for at, _ in changes} if pks else set()


def rows(columns, pks):
    return columns.rows_of_pks(np.array(sorted(pks), dtype=np.int64)).tolist()


def test_products_that_are_new_and_titles_come_with_the_image(shop):
    ask("popular", limit=1)
    old = snapshot_book().get(entry())
    Product.objects.filter(product_id="spade-1").change(title="Shovel", price="7.1250")
    shops.add_product(shop, "new")

    columns, codes = overlaid(old.columns, entry(), since=old.market.catalog_revision)

    at = columns.row_of("spade-1")
    assert columns.row(at) == old.columns.row(at)._replace(price=Decimal("7.125"))
    assert columns.row_of("new") is None
    assert codes == {columns.code_of("spade-1")}


def test_what_is_read_afterwards_takes_its_place(shop):
    ask("popular", limit=1)
    old = snapshot_book().get(entry())
    Product.objects.filter(product_id__startswith="spade").change(price="7", title="Shovel")
    columns, _ = overlaid(old.columns, entry(), since=old.market.catalog_revision)

    changed = refresh.read_changes(
        columns, entry(), since=old.market.catalog_revision, deletions_since=0
    )

    assert changed.columns.overlay is None
    assert told(changed.columns) == told(fresh())


def test_a_catalogue_without_products(shop):
    Product.objects.all().delete()
    old = refresh.opened(entry())
    shops.add_product(shop, "new")

    columns, codes = overlaid(old, entry(), since=0)

    assert codes == set()
    assert columns.n_rows == 0
