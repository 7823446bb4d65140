from __future__ import annotations

import gzip
import itertools
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.catalog.withdrawing import withdraw_products
from depict_reco.exceptions import FeedError, FeedShrunkError
from depict_reco.feeds import importer
from depict_reco.feeds.importer import import_products, import_stored_feed
from depict_reco.feeds.results import ImportResult
from depict_reco.models import Category, Feed, FeedRun, Market, Product
from depict_reco.signals import feed_imported
from tests.feeds.test_download import send, serving
from tests.shop import add_product

HEADER = "id,title,price,category,colour\n"


@pytest.fixture
def feed(tmp_path: Path, market: Market):
    """Import a text as a feed of the market."""

    def feed(text: str | bytes, **options: object) -> ImportResult:
        path = tmp_path / "feed"
        path.write_bytes(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)
        return import_products(market, str(path), **options)  # type: ignore[arg-type]

    return feed


def counts(result: ImportResult) -> tuple[int, ...]:
    return (
        result.created,
        result.updated,
        result.unchanged,
        result.rejected,
        result.deactivated,
    )


def revision(market: Market) -> int:
    return Market.objects.values_list("catalog_revision", flat=True).get(pk=market.pk)


def table(count: int, start: int = 0) -> str:
    rows = (f"{n},Shirt {n},{n % 7}.5,Clothes > C{n % 3},red\n" for n in range(start, count))
    return HEADER + "".join(rows)


def test_a_feed_is_imported_and_then_changes_nothing(feed, market):
    result = feed(table(25))
    assert counts(result) == (25, 0, 0, 0, 0)
    assert (result.status, result.changed, result.failed) == ("succeeded", True, False)
    product = Product.objects.get(product_id="8")
    assert (product.title, product.price, product.attributes) == (
        "Shirt 8",
        Decimal("1.5"),
        {"colour": "red"},
    )
    assert [str(category) for category in product.categories.all()] == ["C2"]
    assert Category.objects.count() == 4

    before = (list(Product.objects.order_by("pk").values()), revision(market))
    again = feed(table(25))
    assert counts(again) == (0, 0, 25, 0, 0)
    assert (again.status, again.changed) == ("succeeded", False)
    assert "nothing changed" in again.summary()
    assert (list(Product.objects.order_by("pk").values()), revision(market)) == before


def test_an_import_that_changes_nothing_writes_no_product(feed):
    feed(table(25))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        feed(table(25))
    written = {q["sql"].split('"')[1] for q in queries if q["sql"].startswith(("INSERT", "UPDATE"))}
    assert written == {"depict_reco_feedrun"}


def test_the_number_of_queries_grows_with_the_batches_only(feed, settings):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 100}
    feed(table(3))

    def queries(text: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            feed(text)
        return len(captured)

    one, two, four = queries(table(103, 3)), queries(table(303, 103)), queries(table(703, 303))
    assert four - two == 2 * (two - one)
    assert two - one <= 16


@pytest.mark.parametrize(("pace", "rest"), [(0.25, 3.0), (0.5, 1.0), (1.0, 0.0)])
def test_an_import_rests_for_what_it_does_not_work(feed, settings, monkeypatch, pace, rest):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 10, "FEED_PACE": pace}
    clock = itertools.count()  # each look at it is a second later
    rests = []
    timing = SimpleNamespace(monotonic=lambda: float(next(clock)), sleep=rests.append)
    monkeypatch.setattr(importer, "time", timing)

    assert feed(table(25)).created == 25
    assert rests == [rest] * 3


def test_only_what_differs_is_written(feed, market):
    feed(table(25))
    text = table(25).replace("8,Shirt 8", "8,Blouse").replace("9,Shirt 9,2.5", "9,Shirt 9,3")
    old = revision(market)
    assert counts(feed(text)) == (0, 2, 23, 0, 0)
    assert revision(market) == old + 1
    changed = Product.objects.filter(revision=old + 1)
    assert set(changed.values_list("product_id", flat=True)) == {"8", "9"}


def test_a_bad_row_never_loses_a_good_one(feed):
    text = HEADER + (
        "1,Good,5,,\n"
        ",No id,5,,\n"
        "2,,5,,\n"
        "3,Bad price,five,,\n"
        "4,Too few\n"
        "5,Nul\0,5,,\n"
        "6,\udcff,5,,\n"
        f"{'x' * 256},Long,5,,\n"
        f"7,{'x' * 1001},5,,\n"
        "8,Good too,5,,\n"
    )
    result = feed(text)
    assert counts(result) == (2, 0, 0, 8, 0)
    assert [(x.line, x.item, x.product_id[:5], x.field, x.reason) for x in result.rejections] == [
        (3, 2, "", "product_id", "is empty"),
        (4, 3, "2", "title", "is empty"),
        (5, 4, "3", "price", "'five' is not a price"),
        (6, 5, "", "", "has 2 cells where the header has 5"),
        (7, 6, "5", "title", "contains a NUL character"),
        (
            8,
            7,
            "6",
            "title",
            "is not valid Unicode (a wrong encoding, or half a surrogate pair)",
        ),
        (9, 8, "xxxxx", "product_id", "is longer than 255 characters"),
        (10, 9, "7", "title", "is longer than 1000 characters"),
    ]
    assert str(result.rejections[2]) == "line 5: '3' price: 'five' is not a price"
    assert set(Product.objects.values_list("product_id", flat=True)) == {"1", "8"}
    run = FeedRun.objects.get()
    assert (run.created, run.rejected, run.status) == (2, 8, "succeeded")
    assert run.rejections[0] == {
        "line": 3,
        "item": 2,
        "product_id": "",
        "field": "product_id",
        "reason": "is empty",
    }


@pytest.mark.parametrize(
    "product_id", ["a/b/../c", "👕", "Ä ö", "a'b\"c", "%s {0}", "x" * 255, "日" * 255, " "]
)
def test_ids_are_any_text(feed, product_id):
    text = json.dumps([{"id": product_id, "title": "x"}])
    feed(text)
    if product_id.strip():
        assert Product.objects.get().product_id == product_id
    else:
        assert Product.objects.count() == 0


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
def test_ids_that_no_database_keeps_are_rejected(feed, bad):
    text = json.dumps([{"id": bad, "title": "x"}, {"id": "ok", "title": "x", "a": {"b": [bad]}}])
    result = feed(text + json.dumps([{"id": "1", "title": "y"}]))
    assert [(x.item, x.field) for x in result.rejections] == [(1, "product_id"), (2, "attributes")]
    assert result.created == 1
    assert FeedRun.objects.get().rejections[0]["product_id"].isprintable()


def test_of_two_rows_with_one_id_the_first_counts(feed, settings):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 2}
    text = HEADER + "1,First,1,,\n1,Second,2,,\n2,Other,1,,\n1,Third,3,,\n"
    for created in (2, 0):
        result = feed(text)
        assert (result.created, result.updated, result.rejected) == (created, 0, 2)
        assert [(x.line, x.field, x.reason) for x in result.rejections] == [
            (3, "product_id", "occurs twice; the first one counts"),
            (5, "product_id", "occurs twice; the first one counts"),
        ]
    assert Product.objects.get(product_id="1").title == "First"


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_row_after_a_rejected_one_of_its_id_is_taken(feed, settings, size):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": size}
    result = feed(HEADER + "1,,1,,\n1,Good,2,,\n")
    assert (result.created, result.rejected) == (1, 1)


def test_only_the_first_rejections_are_kept(feed):
    result = feed(HEADER + "0,Good,1,,\n" + ",x,1,,\n" * 1500)
    assert (result.rejected, len(result.rejections)) == (1500, 1000)
    assert len(FeedRun.objects.get().rejections) == 1000


def test_a_feed_of_which_no_row_is_a_product_fails(feed):
    result = feed("nr,name\n1,a\n2,b\n", full=True)
    assert (result.status, result.rejected) == ("failed", 2)
    assert result.message == "Not one of 2 rows is a product."
    assert isinstance(result.error, FeedError)
    with pytest.raises(FeedError, match="Not one of 2 rows"):
        result.raise_error()


def test_a_feed_without_rows_is_no_failure(feed):
    result = feed(HEADER)
    assert (result.status, counts(result)) == ("succeeded", (0, 0, 0, 0, 0))
    result.raise_error()


def test_prices_and_stock_may_come_alone(feed):
    feed("id,title,price,sale_price,brand,stock\n1,Shirt,100,80,Acme,5\n")
    feed("id,price\n1,90\n")
    product = Product.objects.get()
    assert (product.title, product.brand, product.quantity) == ("Shirt", "Acme", 5)
    assert (product.price, product.sale_price) == (90, None)
    feed("id,stock\n1,0\n2,7\n")
    product = Product.objects.get()
    assert (product.price, product.quantity, product.in_stock) == (90, 0, False)


def test_a_feed_without_titles(feed):
    result = feed("item,brand,categories\n1,Acme,A|B\n2,,\n")
    assert (result.created, result.rejected) == (1, 1)
    assert (result.rejections[0].field, result.rejections[0].line) == ("title", 3)
    assert Product.objects.get().title == "1"


# Full feeds


def test_a_full_feed_takes_away_what_it_lacks_and_brings_it_back(feed, market):
    feed(table(10))
    Product.objects.filter(product_id="2").change(hidden=True)
    result = feed(table(7), full=True)
    assert counts(result) == (0, 0, 7, 0, 3)
    gone = Product.objects.filter(active=False)
    assert set(gone.values_list("product_id", flat=True)) == {"7", "8", "9"}
    assert {product.revision for product in gone} == {revision(market)}

    old = revision(market)
    assert counts(feed(table(7), full=True)) == (0, 0, 7, 0, 0)
    assert revision(market) == old

    assert counts(feed(table(8), full=True)) == (0, 1, 7, 0, 0)
    assert Product.objects.get(product_id="7").active
    assert Product.objects.get(product_id="2").hidden


def test_a_feed_that_is_not_full_takes_nothing_away(feed):
    feed(table(10))
    assert feed(table(2)).deactivated == 0
    assert Product.objects.filter(active=True).count() == 10


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_full_feed_that_shrank_too_much_takes_nothing_away(feed, dry_run):
    feed(table(10))
    result = feed(table(5) + "11,New,1,,\n", full=True)
    assert (result.status, result.deactivated) == ("succeeded", 5)
    feed(table(10), full=True)
    FeedRun.objects.all().delete()

    result = feed(table(4) + "12,New,1,,\n", full=True, dry_run=dry_run)
    assert isinstance(result.error, FeedShrunkError)
    assert (result.status, counts(result)) == ("failed", (1, 0, 4, 0, 0))
    assert result.message == (
        "The feed lacks 6 of 10 active products (60%); at most 50% may go at once "
        "(FEED_MAX_DEACTIVATED_SHARE). None was deactivated."
    )
    assert Product.objects.filter(active=True).count() == (10 if dry_run else 11)
    if not dry_run:
        assert FeedRun.objects.get().message == result.message


def test_the_share_that_may_go_is_a_setting(feed, settings):
    feed(table(10))
    settings.DEPICT_RECO = {"FEED_MAX_DEACTIVATED_SHARE": 1}
    assert feed(HEADER, full=True).deactivated == 10
    settings.DEPICT_RECO = {"FEED_MAX_DEACTIVATED_SHARE": 0}
    feed(table(10))
    assert feed(table(9), full=True).failed


def test_a_full_feed_that_ended_with_an_error_takes_nothing_away(feed):
    feed(table(10))
    items = "".join(f"<item><id>{n}</id><title>New {n}</title></item>" for n in range(8))
    result = feed(f"<rss>{items}<item>&", full=True)
    assert (result.status, counts(result)) == ("failed", (0, 8, 0, 0, 0))
    assert result.message.startswith("The XML ends too early")
    assert Product.objects.filter(active=True).count() == 10
    assert Product.objects.get(product_id="7").title == "New 7"


def test_a_product_whose_row_is_bad_is_still_in_the_feed(feed):
    feed(table(10))
    result = feed(table(8) + "8,Shirt 8,bad,,\n9,,1,,\n", full=True)
    assert counts(result) == (0, 0, 8, 2, 0)
    assert Product.objects.filter(active=True).count() == 10


def test_another_market_is_left_alone(feed, market):
    feed(table(4))
    other = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    Product.objects.create(market=other, product_id="3", title="Other")
    assert feed(table(3), full=True).deactivated == 1
    assert Product.objects.get(market=other).active
    assert revision(other) == 2


# Dry runs


def test_a_dry_run_counts_and_writes_nothing(feed, market):
    feed(table(10))
    FeedRun.objects.all().delete()
    before = (list(Product.objects.order_by("pk").values()), revision(market))
    text = table(8).replace("Shirt 3", "Blouse") + "new,New,1,Other > Z,\n,bad,1,,\n"
    result = feed(text, full=True, dry_run=True)
    assert counts(result) == (1, 1, 7, 1, 2)
    assert (result.dry_run, result.changed, result.run_id) == (True, True, None)
    assert "dry run" in result.summary()
    assert (list(Product.objects.order_by("pk").values()), revision(market)) == before
    assert FeedRun.objects.count() == 0
    assert not Category.objects.filter(category_id__startswith="Other").exists()
    assert counts(feed(text, full=True)) == counts(result)


# Runs


def test_the_run_that_a_killed_import_left_is_closed_by_the_next(feed, market):
    stale = FeedRun.objects.create(market=market, source="x")
    other_market = Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb-NO"
    )
    elsewhere = FeedRun.objects.create(market=other_market, source="x")
    feed(table(2), dry_run=True)
    stale.refresh_from_db()
    assert stale.status == "running"
    feed(table(2))
    stale.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (stale.status, stale.message[:11]) == ("failed", "Interrupted")
    assert stale.finished_at is not None
    assert elsewhere.status == "running"


@pytest.mark.parametrize("error", [RuntimeError("disk"), KeyboardInterrupt()])
def test_an_error_of_ours_closes_the_run_and_is_passed_on(feed, monkeypatch, error):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("depict_reco.feeds.importer.upsert_products", fail)
    with pytest.raises(type(error)):
        feed(table(2))
    run = FeedRun.objects.get()
    wanted = "RuntimeError: disk" if isinstance(error, RuntimeError) else "Interrupted"
    assert (run.status, run.message[: len(wanted)]) == ("failed", wanted)


def test_the_run_is_told_to_others_after_the_fact(
    feed, django_capture_on_commit_callbacks, monkeypatch
):
    told = []

    def listen(sender: object, run: FeedRun, **kwargs: object) -> None:
        told.append((run.status, run.created))

    feed_imported.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            feed(table(2))
            assert told == []
    finally:
        feed_imported.disconnect(listen)
    assert told == [("succeeded", 2)]


def test_how_far_it_has_come_is_reported(feed, settings, market):
    settings.DEPICT_RECO = {"IMPORT_BATCH_SIZE": 10}
    seen, during = [], []

    def report(progress) -> None:
        seen.append((progress.rows, progress.bytes_read <= progress.bytes_total))
        during.append(FeedRun.objects.values_list("created", flat=True).get())

    feed(table(25), report=report)
    assert seen == [(10, True), (20, True), (25, True)]
    assert during == [10, 20, 25]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The feed is empty."),
        (gzip.compress(table(10).encode())[:-20], "The archive is cut short or damaged."),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><rss/>", "The XML declares a document type or entities"),
    ],
)
def test_feeds_that_cannot_be_read_fail(feed, content, message):
    result = feed(content)
    assert result.status == "failed"
    assert result.message.startswith(message)


def test_sources_that_are_not_there(market, tmp_path):
    result = import_products(market, str(tmp_path / "none.csv"))
    assert result.status == "failed"
    assert result.message.endswith("none.csv' cannot be read: No such file or directory.")
    result = import_products(market, "http://127.0.0.1:1/feed")
    assert "is not a public address" in result.message
    result = import_products(market, "http://user:secret@127.0.0.1:1/feed")
    assert "secret" not in result.source + result.message
    assert not FeedRun.objects.filter(source__contains="secret").exists()


def test_a_result_is_json(feed):
    result = feed(table(2) + ",x,1,,\n")
    values = json.loads(json.dumps(result.as_dict()))
    assert values["seconds"] >= 0
    del values["seconds"]
    assert values == {
        "market": "acme/se",
        "source": result.source,
        "status": "succeeded",
        "full": False,
        "dry_run": False,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
        "deactivated": 0,
        "rejections": [
            {"line": 4, "item": 3, "product_id": "", "field": "product_id", "reason": "is empty"}
        ],
        "message": "",
        "run_id": FeedRun.objects.get().pk,
    }


# Stored feeds


def test_a_stored_feed_asks_for_what_is_new_only(market, settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}

    def answer(handler) -> None:
        known = handler.headers["If-None-Match"] == '"v1"'
        send(handler, b"" if known else table(3).encode(), 304 if known else 200, ETag='"v1"')

    with serving(answer) as (url, requests):
        stored = Feed.objects.create(market=market, name="main", source=url)
        assert import_stored_feed(Feed.objects.get()).created == 3
        old = revision(market)
        result = import_stored_feed(Feed.objects.get())
        assert (result.status, counts(result)) == ("unchanged", (0, 0, 0, 0, 0))
        assert result.summary().startswith("acme/se: not changed at the source")
        assert list(FeedRun.objects.values_list("feed", "status", "full")) == [
            (stored.pk, "unchanged", True),
            (stored.pk, "succeeded", True),
        ]
        assert revision(market) == old
        assert Product.objects.filter(active=True).count() == 3

        # A feed that is read in another way from now on is read again.
        changed = Feed.objects.get()
        changed.mapping = {"brand": "colour"}
        changed.save()
        assert import_stored_feed(Feed.objects.get()).updated == 3
        assert len(requests) == 3


def test_a_stored_feed_puts_back_what_a_page_took_out_though_it_has_not_changed(market, settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}

    def answer(handler) -> None:
        known = handler.headers["If-None-Match"] == '"v1"'
        send(handler, b"" if known else table(3).encode(), 304 if known else 200, ETag='"v1"')

    with serving(answer) as (url, _):
        feed = Feed.objects.create(market=market, name="main", source=url)
        import_stored_feed(feed)
        names = list(Product.objects.order_by("pk").values_list("product_id", flat=True))
        assert withdraw_products(market.pk, names[:1]) == 1
        add_product(market, "gone for good")
        assert withdraw_products(market.pk, ["gone for good"]) == 1
        assert import_stored_feed(feed).updated == 1
        active = Product.objects.filter(active=True).order_by("pk")
        assert list(active.values_list("product_id", flat=True)) == names
        assert import_stored_feed(feed).status == "unchanged"


def test_a_stored_feed_that_failed_is_read_again(market, settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}
    with serving(lambda h: send(h, b"<rss><item>&", ETag='"v1"')) as (url, _):
        Feed.objects.create(market=market, name="main", source=url)
        assert import_stored_feed(Feed.objects.get()).failed
        assert Feed.objects.get().etag == ""


def test_a_dry_run_of_a_stored_feed_is_not_remembered(market, settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}
    with serving(lambda h: send(h, table(1).encode(), ETag='"v1"')) as (url, _):
        Feed.objects.create(market=market, name="main", source=url)
        assert import_stored_feed(Feed.objects.get(), dry_run=True).created == 1
        assert Feed.objects.get().etag == ""


def test_a_stored_feed_with_a_wrong_mapping_fails(market):
    feed = Feed.objects.create(market=market, name="main", source="x", mapping={"titel": "y"})
    assert "There is no field 'titel'" in import_stored_feed(feed).message


def test_a_version_that_is_too_long_to_keep_is_not_kept(market):
    feed = Feed.objects.create(market=market, name="main", source="x")
    feed.remember(etag="x" * 300, last_modified="Mon")
    assert list(Feed.objects.values_list("etag", "last_modified")) == [("", "Mon")]
