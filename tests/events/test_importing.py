"""From a file to events in the database."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from depict_reco.events.importing import import_events
from depict_reco.events.results import (
    EventImportCutShortError,
    EventImportOptions,
    EventImportResult,
    Rejection,
)
from depict_reco.events.values import clamp_time
from depict_reco.exceptions import EventImportError
from depict_reco.models import Event, Market, Product, Refusal
from depict_reco.tasks import import_events as import_task

pytestmark = pytest.mark.django_db

RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@pytest.fixture
def run(market, tmp_path):
    def run(content: str | bytes, *, dry_run=False, into=market, **options) -> EventImportResult:
        path = tmp_path / "events"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return import_events(into, path, options=EventImportOptions(**options), dry_run=dry_run)

    return run


def stored(*fields: str) -> list[tuple]:
    return list(Event.objects.order_by("time", "pk").values_list(*fields))


def counts(result: EventImportResult) -> dict[str, int]:
    """The numbers that are not zero."""
    numbers = result.as_dict().items()
    return {k: v for k, v in numbers if type(v) is int and v and k != "unknown_products"}


def test_every_field_is_stored(run, market):
    result = run(
        "timestamp,type,session_id,user_id,product_id,sku,quantity,price,currency,"
        "transaction_id,recommendation_id,deduplication_id\n"
        "2011-05-01T10:00:00Z,purchase,s1,u1,p1,p1-red,2,9.95,SEK,t1,r1,d1\n"
    )
    assert counts(result) == {"rows": 1, "stored": 1}
    assert result.notes == ()
    event = Event.objects.get()
    assert (event.tenant, event.market) == (market.tenant, market)
    assert (event.type, event.time) == ("purchase", datetime(2011, 5, 1, 10, tzinfo=UTC))
    assert (event.session_id, event.user_id) == ("s1", "u1")
    assert (event.product_id, event.sku, event.quantity) == ("p1", "p1-red", 2)
    assert (event.price, event.currency) == (Decimal("9.95"), "SEK")
    assert (event.transaction_id, event.recommendation_id) == ("t1", "r1")
    assert event.deduplication_id == "d1"
    assert datetime.now(UTC) - event.received_at < timedelta(minutes=1)


def test_online_retail_as_it_is(run):
    result = run(
        RETAIL
        + "536365,85123A,WHITE HEART,6,2010-12-01T08:26:00.000000,2.55,17850.0,United Kingdom\n"
        + "536365,85123A,WHITE HEART,6,2010-12-01T08:26:00.000000,2.55,17850.0,United Kingdom\n"
        + "C536379,D,Discount,-1,2010-12-01T09:41:00.000000,27.50,14527,United Kingdom\n"
        + "C536380,22632,HAND WARMER,3,2010-12-01T09:42:00.000000,1.85,,United Kingdom\n"
        + "536414,22139,,56,2010-12-01T11:52:00.000000,0.0,,United Kingdom\n"
        + "A563186,B,Adjust bad debt,1,2010-12-01T12:00:00.000000,-11062.06,,United Kingdom\n"
        + "536370,POST,POSTAGE,3,2010-12-01T12:45:00.000000,18.00,12583,France\n"
        + "536371,,no product,3,2010-12-01T12:45:00.000000,18.00,12583,United Kingdom\n"
        + "536372,22632,none,0,2010-12-01T12:45:00.000000,18.00,12583,United Kingdom\n",
        filters=(("Country", "United Kingdom"),),
    )
    assert stored("type", "product_id", "quantity", "price", "user_id", "transaction_id") == [
        ("purchase", "85123A", 6, Decimal("2.55"), "17850", "536365"),
        ("return", "D", 1, Decimal("27.5"), "14527", "C536379"),
        ("return", "22632", 3, Decimal("1.85"), "", "C536380"),
        ("purchase", "22139", 56, None, "", "536414"),
        ("purchase", "B", 1, None, "", "A563186"),
    ]
    assert counts(result) == {
        "rows": 9, "stored": 5, "duplicates": 1, "filtered": 1, "rejected": 2, "returns": 2,
    }  # fmt: skip
    assert result.rejections == (
        Rejection(line=9, field="product_id", reason="is missing, and so is the sku"),
        Rejection(line=10, field="quantity", reason="is zero"),
    )


def test_a_c_in_front_of_other_shops_orders_means_nothing(run):
    run("order_id,sku,timestamp\nC1001,a,2011-05-01\n")
    assert stored("type", "transaction_id") == [("purchase", "C1001")]


def test_a_second_import_changes_nothing(run):
    content = "user_id,item_id,timestamp,event\n1,a,1300000000,view\n1,b,1300000001,cart\n"
    assert counts(run(content)) == {"rows": 2, "stored": 2}
    before = stored("pk", "time", "deduplication_id", "received_at")
    assert counts(run(content)) == {"rows": 2, "duplicates": 2}
    assert stored("pk", "time", "deduplication_id", "received_at") == before


def test_the_same_event_written_otherwise_is_the_same_event(run):
    run("user_id,item_id,price,timestamp,type\n1,a,2.5,1300000000,view\n")
    result = run(
        '[{"type": "page_view", "itemId": "a", "user": 1, "time": "2011-03-13T07:06:40Z",'
        ' "price": 2.50}]'
    )
    assert counts(result) == {"rows": 1, "duplicates": 1}


def test_given_ids_decide_alone_what_is_the_same(run):
    run("deduplication_id,user_id,sku,timestamp\nx,1,a,2011-05-01\nx,2,b,2011-05-02\n")
    assert stored("deduplication_id", "sku") == [("x", "a")]


def test_markets_do_not_share_events(run, market):
    other = Market.objects.create(
        tenant=market.tenant, slug="se", currency="SEK", default_locale="sv-SE"
    )
    content = "user_id,sku,timestamp\n1,a,2011-05-01\n"
    assert run(content).stored == 1
    assert run(content, into=other).stored == 1


def test_files_without_times_are_in_order(run):
    content = "session_id,item_id\n" + "".join(f"s{i % 3},p{i}\n" for i in range(20))
    result = run(content)
    assert stored("product_id") == [(f"p{i}",) for i in range(20)]
    assert "no times" in result.notes[1]
    first, second = (time for (time,) in stored("time")[:2])
    assert second - first == timedelta(milliseconds=1)
    assert timedelta(hours=23) < datetime.now(UTC) - first < timedelta(hours=25)


def test_files_without_times_go_on_where_they_were_killed(run):
    head, rest = "session_id,item_id\n1,a\n1,b\n", "1,a\n2,c\n"
    run(head)
    before = stored("product_id", "time")
    Event.objects.update(time=before[0][1] - timedelta(days=9))
    Event.objects.filter(product_id="b").update(
        time=before[0][1] - timedelta(days=9) + timedelta(milliseconds=1)
    )
    result = run(head + rest)
    assert counts(result) == {"rows": 4, "stored": 2, "duplicates": 2}
    times = [time for _, time in stored("product_id", "time")]
    assert [product for product, _ in stored("product_id", "time")] == ["a", "b", "a", "c"]
    assert [time - times[0] for time in times] == [timedelta(milliseconds=i) for i in range(4)]


def test_types_that_are_not_named(run):
    assert "page_view" in run("user,item,date\n1,a,2011-05-01\n").notes[0]
    assert "purchase" in run("user,item,date,order id\n1,b,2011-05-02,x\n").notes[0]
    assert "purchase" in run("t_dat,customer_id,article_id,price\n2011-05-05,1,e,5\n").notes[0]
    assert run("user,item,date\n1,c,2011-05-03\n", event_type="click").notes == ()
    run("user,item,date,type\n1,d,2011-05-04,view\n", event_type="add_to_cart")
    assert stored("product_id", "type") == [
        ("a", "page_view"), ("b", "purchase"), ("c", "click"), ("d", "add_to_cart"),
        ("e", "purchase"),
    ]  # fmt: skip


def test_what_names_no_product(run):
    result = run(
        "type,user_id,product_id,recommendation_id,timestamp\n"
        "page_view,1,,,2011-05-01\n"
        "page_view,1,DNT,,2011-05-01\n"
        "click,1,,r1,2011-05-01\n"
        "click,1,placeholder,r2,2011-05-01\n"
        "click,1,,not_depict,2011-05-01\n"
        "add_to_cart,1,,r3,2011-05-01\n"
        "add_to_cart,1,,placeholder,2011-05-01\n"
        "purchase,1,,r4,2011-05-01\n"
        "search,1,a,,2011-05-01\n"
        "dance,1,a,,2011-05-01\n"
        ",1,a,,2011-05-01\n"
    )
    assert stored("type", "product_id", "recommendation_id") == [
        ("click", "", "r1"), ("click", "", "r2"), ("add_to_cart", "", "r3"),
        ("page_view", "a", ""),
    ]  # fmt: skip
    assert counts(result) == {
        "rows": 11, "stored": 4, "ignored": 1, "without_product": 3, "rejected": 3,
    }  # fmt: skip
    assert [(r.line, r.field) for r in result.rejections] == [
        (8, "product_id"), (9, "product_id"), (11, "type"),
    ]  # fmt: skip


def test_sentinels_are_nobody(run):
    run(
        "session_id,user_id,item,time\nserver,server,a,2011-05-01\ns,null,b,2011-05-02\nNA,N/A,c,2011-05-03\n"
    )
    assert stored("session_id", "user_id") == [("", ""), ("s", ""), ("", "")]


def test_visitors_stand_in_for_users_and_sessions(run):
    lines = [
        {"visitorId": "v", "item": "a", "time": 1300000000},
        {"visitorId": "v", "userId": "u", "item": "b", "time": 1300000001},
        {"visitorId": "v", "userId": "u", "session": "s", "item": "c", "time": 1300000002},
        {"user_pseudo_id": "1.2", "ga_session_id": 7, "item": "d", "time": 1300000003},
    ]
    run("\n".join(map(json.dumps, lines)))
    assert stored("session_id", "user_id") == [("", "v"), ("v", "u"), ("s", "u"), ("1.2.7", "1.2")]


def test_lines_of_one_order_that_are_equal_are_two(run):
    order = {
        "type": "purchase", "user": "u", "time": 1300000000, "order_id": "t",
        "items": [{"sku": "a"}, {"sku": "a"}, {"sku": "b"}, {"price": 1}],
    }  # fmt: skip
    for _ in range(2):
        result = run(json.dumps(order))
    assert counts(result) == {"rows": 4, "duplicates": 3, "rejected": 1}
    assert stored("sku") == [("a",), ("a",), ("b",)]
    result = run(json.dumps(order | {"deduplication_id": "x"}))
    assert result.stored == 3
    assert {i for (i,) in stored("deduplication_id")} > {"x", "x#1", "x#2"}


def test_bad_rows_lose_no_good_ones(run):
    result = run(
        "user,item,time,type,quantity,price,currency\n"
        "1,a,2011-05-01,buy,1,1,SEK\n"
        "1,b,yesterday,buy,1,1,SEK\n"
        "1,c,2011-05-01,buy,many,1,SEK\n"
        "1,d,2011-05-01,buy,1,cheap,SEK\n"
        "1,e,2011-05-01,buy,1,1,kroner\n"
        "1,f\n"
        f"{'x' * 256},g,2011-05-01,buy,1,1,SEK\n"
        "1,h\0,2011-05-01,buy,1,1,SEK\n"
        "1,i,,buy,1,1,SEK\n"
        "1,j,2011-05-01,buy,1,1,SEK\n"
    )
    assert stored("product_id") == [("a",), ("j",)]
    assert [(r.line, r.field) for r in result.rejections] == [
        (3, "timestamp"), (4, "quantity"), (5, "price"), (6, "currency"), (7, ""),
        (8, "user_id"), (9, "product_id"), (10, "timestamp"),
    ]  # fmt: skip
    assert (
        result.rejections[0].reason == "'yesterday' is neither an ISO 8601 time nor epoch seconds"
    )
    assert result.rejections[-1].reason == "is missing"


def test_times_that_cannot_be_are_put_right_and_counted(run):
    content = (
        "user,item,time\n1,a,1900-01-01\n1,b,2999-01-01\n1,c,2011-05-01\n"
        "1,b,2999-01-01\n1,b,2999-01-02\n"
    )
    before = datetime.now(UTC)
    expected = {"rows": 5, "stored": 4, "duplicates": 1, "clamped": 4}
    assert counts(run(content)) == expected
    first, second, *rest = stored("product_id", "time")
    assert [first, second] == [
        ("a", clamp_time(datetime(1970, 1, 1, tzinfo=UTC))),
        ("c", datetime(2011, 5, 1, tzinfo=UTC)),
    ]  # fmt: skip
    assert [name for name, _ in rest] == ["b", "b"]
    assert all(before <= time <= datetime.now(UTC) for _, time in rest)
    again = counts(run(content))
    assert again == {"rows": 5, "duplicates": 5, "clamped": 4}
    assert Refusal.objects.get().reason == "clock"


def test_bytes_that_are_no_text_cost_their_row_only_where_they_are_used(run):
    content = "user,item,time,note\n1,a,2011-05-01,£\n1,£,2011-05-01,\n".encode("latin-1")
    result = run(content)
    assert counts(result) == {"rows": 2, "stored": 1, "rejected": 1}
    assert "not valid Unicode" in result.rejections[0].reason


def test_of_many_rejected_rows_the_first_thousand_are_kept(run):
    result = run("user,item,time\n" + "1,a,never\n" * 1005)
    assert result.rejected == 1005
    assert [r.line for r in result.rejections] == list(range(2, 1002))


def test_products_are_looked_up_by_both_ids(run, market):
    for product_id, sku in (("P1", "S1"), ("P2", "")):
        Product.objects.create(market=market, product_id=product_id, sku=sku, title="x")
    result = run(
        '{"user": 1, "time": 1300000000, "sku": "S1"}\n'
        '{"user": 1, "time": 1300000001, "sku": "P2"}\n'
        '{"user": 1, "time": 1300000002, "item": "S1"}\n'
        '{"user": 1, "time": 1300000003, "item": "P1", "sku": "other"}\n'
        '{"user": 1, "time": 1300000004, "item": "P3"}\n'
        '{"user": 1, "time": 1300000005, "sku": "S3"}\n'
    )
    assert stored("product_id", "sku") == [
        ("P1", "S1"), ("", "P2"), ("S1", ""), ("P1", "other"), ("P3", ""), ("", "S3"),
    ]  # fmt: skip
    assert result.unknown_products == 2


def test_a_product_that_comes_later_makes_no_second_event(run, market):
    content = '{"user": 1, "time": 1300000000, "sku": "S1"}'
    run(content)
    Product.objects.create(market=market, product_id="P1", sku="S1", title="x")
    assert run(content).duplicates == 1


def test_each_batch_takes_two_queries(run, settings):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO,
        "IMPORT_BATCH_SIZE": 10,
        "REFRESH_SECONDS": 60.0,
    }
    content = "user,item,time\n" + "".join(f"1,p{i},{1300000000 + i}\n" for i in range(25))
    with CaptureQueriesContext(connection) as queries:
        assert run(content).stored == 25
    # SQLite's driver is given the rows of a statement one by one, and logs them so.
    words = [re.sub(r"^\d+ times: ", "", q["sql"]).split()[0] for q in queries]
    words = [word for word in words if word not in ("SAVEPOINT", "RELEASE")]
    words = ["SELECT" if word == "DECLARE" else word for word in words]  # PostgreSQL's iterators
    rules = ["SELECT"] * 3  # what the tenant wants to be done with ids, once
    assert words == ["SELECT", *rules, "INSERT", "SELECT", "INSERT", "SELECT", "INSERT"]


def test_a_dry_run_stores_nothing_and_says_what_would_be(run):
    run("user,item,time\n1,a,1300000000\n")
    content = "user,item,time\n1,a,1300000000\n1,b,1300000001\n1,b,1300000001\n"
    result = run(content, dry_run=True)
    assert counts(result) == {"rows": 3, "stored": 1, "duplicates": 2}
    assert result.dry_run
    assert Event.objects.count() == 1


def test_an_archive_that_is_cut_short_gives_what_it_has(run):
    lines = "".join(f"1,p{i},{1300000000 + i * i}\n" for i in range(20_000))
    packed = gzip.compress(f"user,item,time\n{lines}".encode())
    with pytest.raises(EventImportCutShortError, match="breaks off or is damaged") as caught:
        run(packed[: len(packed) // 2])
    assert 1000 < caught.value.result.stored < 20_000
    assert Event.objects.count() == caught.value.result.stored == caught.value.result.rows
    result = run(packed)
    assert result.stored + caught.value.result.stored == 20_000


@pytest.mark.parametrize("kept", [52, 12, 5])
def test_small_archives_that_are_cut_short(run, kept):
    packed = gzip.compress(b"user,item,time\n1,a,1300000000\n1,b,1300000001\n1,c,1300000002\n")
    with pytest.raises(EventImportError) as caught:
        run(packed[:kept])
    stored = getattr(caught.value, "result", EventImportResult()).stored
    assert stored == Event.objects.count() == (3 if kept == 52 else 0)


def test_json_that_breaks_off_gives_what_it_has(run):
    with pytest.raises(EventImportCutShortError) as caught:
        run('[{"user": 1, "item": "a", "time": 1300000000}, {"user"')
    assert caught.value.result.stored == 1
    with pytest.raises(EventImportError) as refused:
        run("[oops")
    assert not isinstance(refused.value, EventImportCutShortError)


def test_times_of_the_shop(run):
    run("user,item,time\n1,a,2011-07-01 10:00\n", zone=ZoneInfo("Europe/Oslo"))
    run("user,item,time\n1,b,2/7/2011 10:00\n", time_format="%d/%m/%Y %H:%M")
    assert stored("time") == [
        (datetime(2011, 7, 1, 8, tzinfo=UTC),), (datetime(2011, 7, 2, 10, tzinfo=UTC),),
    ]  # fmt: skip


def test_an_empty_list_of_events_is_no_failure(run):
    assert run("[]") == EventImportResult()
    assert run("user,item,time\n") == EventImportResult()


def test_parquet(run, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    moment = datetime(2011, 5, 1, 10, tzinfo=UTC)
    table = pa.table(
        {
            "user_id": pa.array([17850.0, None]),
            "item_id": ["a", "b"],
            "price": pa.array([Decimal("2.50"), None], pa.decimal128(10, 2)),
            "time": pa.array([moment, moment.replace(tzinfo=None)], pa.timestamp("us", "UTC")),
            "country": ["EIRE", "EIRE"],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    run((tmp_path / "x.parquet").read_bytes(), filters=(("country", "EIRE"),))
    assert stored("user_id", "product_id", "price", "time") == [
        ("17850", "a", Decimal("2.5"), moment), ("", "b", None, moment),
    ]  # fmt: skip


def test_the_result_is_plain_for_json(run):
    result = run("user,item,time\n1,a,never\n1,b,2011-05-01\n")
    plain = json.loads(json.dumps(result.as_dict()))
    assert (plain["rows"], plain["stored"], plain["rejected"]) == (2, 1, 1)
    assert plain["rejections"][0]["line"] == 2
    assert replace(result, rows=5).rows == 5


def test_progress_reaches_the_size_of_the_file(market, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item,time\n" + "1,a,1300000000\n" * 3000)
    seen = []
    import_task(market, path, progress=lambda done, size: seen.append((done, size)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert seen == sorted(seen)
    assert len(seen) == 4
