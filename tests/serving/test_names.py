"""Products by name: many at once are found as each of them is."""

from __future__ import annotations

import pytest

from depict_reco.models import Product
from depict_reco.serving.categories import CategoryTree
from depict_reco.serving.images import CatalogueImage
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tenants.directory import directory
from tests.serving.asking import ask

pytestmark = pytest.mark.django_db


def columns():
    ask("popular", limit=1)
    return snapshot_book().get(directory().tenant("acme").markets["se"]).columns


def names():
    """Return names of all kinds, and some that nothing has."""
    rows = Product.objects.values_list("product_id", "sku", "item_group_id")
    return [*(name for row in rows for name in row), "nothing", "", "🫖", "x" * 300]


def changed_shop():
    """Change a shop in each way that is kept beside the image of its catalogue."""
    columns()
    Product.objects.filter(product_id="teapot-2").change(price=1)
    Product.objects.filter(product_id="teapot-3").change(sku="teapot-4")
    Product.objects.filter(product_id="spade-2").change(item_group_id="new group")


@pytest.mark.parametrize("change", [lambda: None, changed_shop], ids=["image", "changes"])
def test_many_are_found_as_each_is(shop, change):
    change()
    known = columns()
    one_by_one = {name: known._code_of(name) for name in names()}
    known.find(names())

    assert {name: known.code_of(name) for name in names()} == one_by_one
    assert one_by_one["teapot-1"] is not None
    assert one_by_one["nothing"] is None


def test_most_need_no_further_look(shop, monkeypatch):
    known = columns()
    ids = list(Product.objects.values_list("product_id", flat=True))
    known.find(ids)
    monkeypatch.setattr(type(known), "_code_of", None)

    assert None not in [known.code_of(name) for name in ids]


def test_an_empty_catalogue_has_no_names():
    tree = CategoryTree.of([])
    pieces = CatalogueImage.lay_out([], revision=1, deletion_revision=0, rendering="", tree=tree)

    assert CatalogueImage.in_memory(pieces).rows_of_ids(["a", "b"]) == [-1, -1]
