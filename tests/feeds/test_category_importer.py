from __future__ import annotations

import json

import pytest

from depict_reco.feeds.category_importer import import_categories
from depict_reco.feeds.importer import import_products
from depict_reco.models import Category, FeedRun, Product

FEEDS = {
    "csv": "Category ID,Parent ID,Category name,Page link\n2,1,Shirts,https://s/2\n1,,Clothes,\n",
    "json": json.dumps(
        {
            "categories": [
                {"category_id": 2, "parent_id": 1, "name": "Shirts", "url": "https://s/2"},
                {"category_id": 1, "parent_id": None, "name": "Clothes"},
            ]
        }
    ),
    "jsonl": '{"id": "2", "parent": "1", "title": "Shirts", "link": "https://s/2"}\n'
    '{"id": "1", "parent": "", "title": "Clothes"}\n',
    "xml": "<c><category><id>2</id><parent_id>1</parent_id><name>Shirts</name>"
    "<page_link>https://s/2</page_link></category>"
    "<category><id>1</id><parent_id/><name>Clothes</name></category></c>",
    "depict": json.dumps(
        [
            {
                "category_id": "2",
                "parent_id": "1",
                "locale_attributes": [
                    {"locale_id": "fi-FI", "title": "Paidat"},
                    {"locale_id": "sv-SE", "title": "Shirts", "uri": "https://s/2"},
                ],
            },
            {"category_id": "1", "locale_attributes": [{"locale_id": "x", "title": "Clothes"}]},
        ]
    ),
}


@pytest.fixture
def feed(tmp_path, market):
    def feed(text: str, **options: object):
        path = tmp_path / "categories"
        path.write_text(text)
        return import_categories(market, str(path), **options)  # type: ignore[arg-type]

    return feed


def tree() -> set[tuple[str, str, str | None, str]]:
    values = Category.objects.values_list("category_id", "name", "parent__category_id", "page_url")
    return set(values)


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_of_categories(name, feed, market):
    result = feed(FEEDS[name])
    assert (result.status, result.created, result.rejected) == ("succeeded", 2, 0)
    assert tree() == {("1", "Clothes", None, ""), ("2", "Shirts", "1", "https://s/2")}
    market.refresh_from_db()
    before = market.catalog_revision
    result = feed(FEEDS[name])
    assert (result.unchanged, result.changed) == (2, False)
    market.refresh_from_db()
    assert market.catalog_revision == before
    assert not FeedRun.objects.exists()  # those are of products


def test_products_find_the_categories_of_the_feed(feed, market, tmp_path):
    path = tmp_path / "products.csv"
    path.write_text("id,title,category ids\n10,Shirt,2\n")
    import_products(market, str(path))
    feed(FEEDS["csv"])
    (category,) = Product.objects.get().categories.all()
    assert (category.name, category.parent.name) == ("Shirts", "Clothes")


def test_bad_rows_are_told(feed, settings):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 2}
    text = "id,parent,name\n1,,A\n,,B\n2,2,C\n1,,D\n3,x\n4,5,E\n5,4,F\n"
    result = feed(text)
    assert (result.created, result.rejected) == (2, 5)
    assert [(x.line, x.product_id, x.field, x.reason) for x in result.rejections] == [
        (3, "", "category_id", "is empty"),
        (4, "2", "parent_id", "is the category itself"),
        (5, "1", "category_id", "occurs twice; the first one counts"),
        (6, "", "", "has 2 cells where the header has 3"),
        (8, "5", "parent_id", "is below the category itself"),
    ]


def test_columns_can_be_mapped(feed):
    text = "nr,label\n1,Clothes\n"
    result = feed(text, mapping={"category_id": "Nr"})
    assert (result.status, tree()) == ("succeeded", {("1", "Clothes", None, "")})
    result = feed(text, mapping={"category_id": "id"})
    assert result.message == "The feed has no column 'id'; it has: nr, label."
    assert "no field 'title'" in feed(text, mapping={"title": "label"}).message


def test_rows_without_an_id(feed):
    result = feed("label\nx\n")
    assert (result.status, result.rejected) == ("failed", 1)
    assert result.message == "Not one of 1 rows is a category."
    assert result.rejections[0].reason == "is not in the feed"


def test_a_dry_run_writes_nothing(feed):
    assert feed(FEEDS["csv"], dry_run=True).created == 2
    assert tree() == set()


def test_failures(feed, monkeypatch):
    assert feed("").message == "The feed is empty."

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr("depict_reco.feeds.category_importer.upsert_categories", fail)
    with pytest.raises(RuntimeError):
        feed(FEEDS["csv"])


def test_progress_is_reported(feed):
    seen = []
    feed(FEEDS["csv"], report=seen.append)
    assert [progress.rows for progress in seen] == [2]
