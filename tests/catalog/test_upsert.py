"""The one write path of products."""

from __future__ import annotations

from decimal import Decimal

import pytest

from depict_reco.catalog.records import ProductRecord
from depict_reco.catalog.upsert import RowStatus, deactivate_products, upsert_products
from depict_reco.models import Market, Product, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def market() -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(
        tenant=tenant, slug="se", name="Sweden", currency="SEK", default_locale="sv-SE"
    )


def shirt(**values: object) -> ProductRecord:
    given = {"product_id": "shirt-1", "title": "Blue shirt", "price": Decimal("100")} | values
    return ProductRecord(**given)  # type: ignore[arg-type]


def revision(market: Market) -> int:
    market.refresh_from_db()
    return market.catalog_revision


def test_creates_then_leaves_alone_then_updates(market: Market) -> None:
    first = upsert_products(market, [shirt(category_ids=["Clothes > Shirts", "new"])])
    product = Product.objects.get()
    assert [x.status for x in first.outcomes] == [RowStatus.CREATED]
    assert first.outcomes[0].pk == product.pk
    assert (product.title, product.price, product.active) == ("Blue shirt", Decimal(100), True)
    assert product.revision == revision(market) == 2
    assert set(product.categories.values_list("category_id", "name", "parent__category_id")) == {
        ("Clothes > Shirts", "Shirts", "Clothes"),
        ("new", "new", None),
    }

    again = upsert_products(market, [shirt(category_ids=["new", "Clothes > Shirts"])])
    assert [x.status for x in again.outcomes] == [RowStatus.UNCHANGED]
    assert revision(market) == 2

    third = upsert_products(market, [shirt(price=Decimal("90"), category_ids=["new"])])
    assert [x.status for x in third.outcomes] == [RowStatus.UPDATED]
    changed = Product.objects.get()
    assert (changed.pk, changed.price, changed.revision) == (product.pk, Decimal(90), 3)
    assert changed.first_seen_at == product.first_seen_at
    assert changed.updated_at > product.updated_at
    assert list(changed.categories.values_list("category_id", flat=True)) == ["new"]


def test_what_is_not_said_stays(market: Market) -> None:
    full = shirt(
        sku="s",
        brand="Acme",
        quantity=3,
        in_stock=False,
        category_ids=["a"],
        attributes={"size": "S"},
        texts={"fi-FI": {"title": "Paita"}},
        additional_image_urls=("x",),
        hidden=True,
    )
    upsert_products(market, [full])
    before = Product.objects.values().get()
    result = upsert_products(market, [ProductRecord(product_id="shirt-1")])
    assert [x.status for x in result.outcomes] == [RowStatus.UNCHANGED]
    assert Product.objects.values().get() == before
    upsert_products(market, [ProductRecord(product_id="shirt-1", category_ids=[], quantity=None)])
    product = Product.objects.get()
    assert (product.categories.count(), product.quantity, product.brand) == (0, None, "Acme")


def test_attributes_and_texts_replace_or_are_added(market: Market) -> None:
    upsert_products(
        market,
        [shirt(attributes={"a": 1, "b": 2}, texts={"sv": {"title": "x", "description": "y"}})],
    )
    more = shirt(
        attributes={"b": 3}, texts={"sv": {"title": "z"}, "fi": {"title": "w"}}, merge=True
    )
    upsert_products(market, [more])
    product = Product.objects.get()
    assert product.attributes == {"a": 1, "b": 3}
    assert product.texts == {"sv": {"title": "z", "description": "y"}, "fi": {"title": "w"}}
    upsert_products(market, [shirt(attributes={"c": 1}, texts={})])
    product = Product.objects.get()
    assert (product.attributes, product.texts) == ({"c": 1}, {})


@pytest.mark.parametrize(
    ("price", "sale_price", "stored"),
    [
        ("100", None, ("100", None)),
        ("100", "80", ("100", "80")),
        ("100", "100", ("100", None)),
        ("100", "120", ("100", None)),
        (None, "80", ("80", None)),
        (None, None, (None, None)),
    ],
)
def test_a_sale_price_undercuts_a_price_or_is_none(
    market: Market, price: str | None, sale_price: str | None, stored: tuple[str | None, str | None]
) -> None:
    given = [Decimal(x) if x else None for x in (price, sale_price)]
    upsert_products(market, [shirt(price=given[0], sale_price=given[1])])
    product = Product.objects.get()
    assert (product.price, product.sale_price) == tuple(Decimal(x) if x else None for x in stored)
    again = upsert_products(market, [shirt(price=given[0], sale_price=given[1])])
    assert again.count(RowStatus.UNCHANGED) == 1


def test_a_sale_price_alone_is_held_against_the_price_that_stands(market: Market) -> None:
    upsert_products(market, [shirt()])
    upsert_products(market, [ProductRecord(product_id="shirt-1", sale_price=Decimal(80))])
    assert Product.objects.get().sale_price == 80
    upsert_products(market, [ProductRecord(product_id="shirt-1", price=Decimal(70))])
    product = Product.objects.get()
    assert (product.price, product.sale_price) == (70, None)


def test_outcomes_are_in_the_order_of_the_records(market: Market) -> None:
    records = [
        shirt(product_id=""),
        shirt(product_id="a"),
        shirt(product_id="a", title="Other"),
        ProductRecord(product_id="new", price=Decimal(1)),
        shirt(product_id="b", title="\0"),
        ProductRecord(product_id="brand-only", brand="Acme"),
    ]
    result = upsert_products(market, records)
    assert [
        (x.product_id, str(x.status), [(p.field, p.reason) for p in x.problems], x.pk is None)
        for x in result.outcomes
    ] == [
        ("", "rejected", [("product_id", "is empty")], True),
        ("a", "created", [], False),
        ("a", "rejected", [("product_id", "occurs twice; the first one counts")], True),
        ("new", "rejected", [("title", "is needed for a product that is new")], True),
        ("b", "rejected", [("title", "contains a NUL character")], True),
        ("brand-only", "created", [], False),
    ]
    assert dict(Product.objects.values_list("product_id", "title")) == {
        "a": "Blue shirt",
        "brand-only": "brand-only",
    }


def test_a_dry_run_writes_nothing(market: Market) -> None:
    upsert_products(market, [shirt()])
    result = upsert_products(market, [shirt(title="Other"), shirt(product_id="2")], dry_run=True)
    assert [(str(x.status), x.pk is None) for x in result.outcomes] == [
        ("updated", False),
        ("created", True),
    ]
    assert Product.objects.get().title == "Blue shirt"
    assert revision(market) == 2


def test_batches_are_transactions_of_their_own(market: Market, settings: object) -> None:
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 2}  # type: ignore[attr-defined]
    records = [shirt(product_id=str(number)) for number in range(5)]
    result = upsert_products(market, [*records, shirt(product_id="0")])
    assert result.count(RowStatus.CREATED) == 5
    assert result.count(RowStatus.REJECTED) == 1
    assert revision(market) == 4
    assert set(Product.objects.values_list("revision", flat=True)) == {2, 3, 4}


def test_the_number_of_queries_does_not_grow_with_the_records(
    market: Market, django_assert_num_queries
) -> None:
    def records(price: int) -> list[ProductRecord]:
        return [
            shirt(product_id=str(n), category_ids=[f"c{n % 5 + price}"], price=Decimal(price))
            for n in range(30)
        ]

    # read; begin, lock, revision, read, insert, categories (look, insert, look), links, end
    with django_assert_num_queries(11):
        upsert_products(market, records(1))
    with django_assert_num_queries(2):
        upsert_products(market, records(1))
    # and in between: read links twice, write products, find and delete links
    with django_assert_num_queries(15):
        upsert_products(market, records(10))


def test_the_keys_of_new_products_are_read_where_inserts_do_not_tell(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(Product.objects.all()).bulk_create

    def forgetful(self, products, *args, **kwargs):  # type: ignore[no-untyped-def]
        made = real(self, products, *args, **kwargs)
        for product in products:
            if isinstance(product, Product):
                product.pk = None
        return made

    monkeypatch.setattr(type(Product.objects.all()), "bulk_create", forgetful)
    result = upsert_products(market, [shirt(category_ids=["a"])])
    assert result.outcomes[0].pk == Product.objects.get().pk
    assert Product.objects.get().categories.count() == 1


def test_a_product_that_somebody_else_makes_meanwhile_is_updated(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    from depict_reco.catalog import upsert

    real = upsert._make_plan

    def plan(market, records, **options):  # type: ignore[no-untyped-def]
        made = real(market, records, **options)
        if options:  # the first look, before the lock
            Product.objects.create(market=market, product_id="shirt-1", title="Other", brand="X")
        return made

    monkeypatch.setattr(upsert, "_make_plan", plan)
    result = upsert_products(market, [shirt()])
    assert [str(x.status) for x in result.outcomes] == ["updated"]
    assert Product.objects.get().title == "Blue shirt"


def test_hidden_is_left_alone_unless_it_is_said(market: Market) -> None:
    upsert_products(market, [shirt(hidden=True)])
    upsert_products(market, [shirt(title="Other")])
    assert Product.objects.get().hidden
    upsert_products(market, [shirt(hidden=False)])
    assert not Product.objects.get().hidden


def test_products_are_deactivated_with_a_revision(market: Market, settings: object) -> None:
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 2}  # type: ignore[attr-defined]
    upsert_products(market, [shirt(product_id=str(number)) for number in range(5)])
    pks = list(Product.objects.order_by("pk").values_list("pk", flat=True))
    old = revision(market)
    assert deactivate_products(market, pks[:3]) == 3
    assert deactivate_products(market, pks[:3]) == 0
    assert deactivate_products(market, []) == 0
    assert set(Product.objects.filter(active=False).values_list("pk", "revision")) == {
        (pks[0], old + 1),
        (pks[1], old + 1),
        (pks[2], old + 2),
    }
