from __future__ import annotations

from datetime import timedelta

import pytest

from depict_reco.admin.background import CannotStartError
from depict_reco.models import Feed, FeedRun
from tests.admin.conftest import NOON, act, messages_of

LIST = "/admin/depict_reco/feed/"


def feed_data(shop, **changes):
    return {
        "market": shop.market.pk,
        "name": "New",
        "source": "https://shop.example/new.csv",
        "format": "auto",
        "mapping": '{"product_id": "Artikelnummer"}',
        "full": "on",
        "active": "on",
        **changes,
    }


def test_feed_is_added(admin_client, shop):
    assert admin_client.post(f"{LIST}add/", feed_data(shop)).status_code == 302
    feed = Feed.objects.get(name="New")
    assert (feed.market, feed.mapping) == (shop.market, {"product_id": "Artikelnummer"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mapping": '{"price": 3}'}, "“price” must name one column of the feed."),
        ({"mapping": '["price"]'}, "This must be a JSON object"),
        ({"mapping": "{"}, "Not valid JSON in line 1, column 2"),
        ({"source": ""}, "This field is required."),
    ],
)
def test_mistakes_are_explained(admin_client, shop, changes, error):
    response = admin_client.post(f"{LIST}add/", feed_data(shop, **changes))
    assert error in str(response.context["errors"])
    assert Feed.objects.count() == 1


def test_files_of_the_server_are_for_superusers(admin_client, staff, shop):
    client = staff("add_feed", "change_feed", "view_feed", "view_market")
    response = client.post(f"{LIST}add/", feed_data(shop, source="/etc/passwd"))
    assert "Only a superuser may name a file on the server." in response.text
    assert admin_client.post(
        f"{LIST}add/", feed_data(shop, source="/srv/feed.csv")
    ).status_code == 302  # fmt: skip
    feed = Feed.objects.get(source="/srv/feed.csv")
    change = f"{LIST}{feed.pk}/change/"
    assert (
        client.post(change, feed_data(shop, source="/srv/feed.csv", name="Own")).status_code == 302
    )
    assert "Only a superuser" in client.post(change, feed_data(shop, source="/etc/hosts")).text
    feed.refresh_from_db()
    assert (feed.name, feed.source) == ("Own", "/srv/feed.csv")


def test_changed_feed_is_read_again(admin_client, shop):
    change = f"{LIST}{shop.feed.pk}/change/"
    Feed.objects.update(etag="abc", last_modified="yesterday")
    admin_client.post(change, feed_data(shop, mapping='{"sku": "id"}'))
    assert Feed.objects.values_list("etag", "last_modified").get() == ("", "")


def test_list_tells_how_the_last_run_went(admin_client, shop):
    FeedRun.objects.create(market=shop.market, feed=shop.feed, source="x", status="failed")
    page = admin_client.get(LIST).text
    assert '<span class="reco-status reco-failed">failed</span>' in page
    assert "succeeded" not in page


def test_list_shows_no_password(admin_client, staff, shop):
    assert "@shop.example/feed" in admin_client.get(LIST).text
    assert ":pw@" not in admin_client.get(LIST).text
    assert ":pw@" not in staff("view_feed").get(f"{LIST}{shop.feed.pk}/change/").text
    assert ":pw@" in admin_client.get(f"{LIST}{shop.feed.pk}/change/").text


def test_run_now_starts_the_import_in_the_background(admin_client, shop, started):
    response = act(admin_client, "feed", "run_now", shop.feed.pk)
    assert started == [("reco_import_feed", "--feed=Main", "acme", "se")]
    assert "The import of acme/se: Main was started." in messages_of(response)[0]


def test_run_now_that_cannot_start_says_why(admin_client, shop, monkeypatch):
    def refuse(*args, **kwargs):
        raise CannotStartError("No interpreter.")

    monkeypatch.setattr("depict_reco.admin.feeds.start_command", refuse)
    assert messages_of(act(admin_client, "feed", "run_now", shop.feed.pk)) == ["No interpreter."]


@pytest.mark.parametrize("rights", [["view_feed"], ["view_feed", "change_feed"]])
def test_run_now_needs_the_right_to_change_feed_and_products(staff, shop, started, rights):
    client = staff(*rights)
    assert "run_now" not in client.get(LIST).text
    act(client, "feed", "run_now", shop.feed.pk)
    assert started == []


def test_run_now_is_for_whoever_has_both_rights(staff, shop, started):
    client = staff("view_feed", "change_feed", "change_product")
    assert ">Run now</button>" in client.get(f"{LIST}{shop.feed.pk}/change/").text
    act(client, "feed", "run_now", shop.feed.pk)
    assert len(started) == 1


def test_feed_page_lists_its_newest_runs(admin_client, shop):
    FeedRun.objects.bulk_create(
        FeedRun(
            market=shop.market, feed=shop.feed, source="x", started_at=NOON + timedelta(days=i),
            created=1000 + i, status="succeeded",
        )
        for i in range(12)
    )  # fmt: skip
    page = admin_client.get(f"{LIST}{shop.feed.pk}/change/").text
    assert "<td>1,011</td>" in page
    assert "<td>1,002</td>" in page
    assert "<td>1,001</td>" not in page
    link = f"/admin/depict_reco/feedrun/?feed={shop.feed.pk}"
    assert link in page
    assert len(admin_client.get(link).context["cl"].result_list) == 13
    other = Feed.objects.create(market=shop.market, name="Other", source="x")
    listed = admin_client.get(f"/admin/depict_reco/feedrun/?feed={other.pk}")
    assert len(listed.context["cl"].result_list) == 0


def test_rejected_rows_are_a_table(admin_client, shop):
    page = admin_client.get(f"/admin/depict_reco/feedrun/{shop.feed_run.pk}/change/").text
    assert ("<td>7</td><td>cup</td><td>price</td><td>&lt;b&gt;abc&lt;/b&gt;</td>") in page
    assert "The first 1 of 2 are kept." in page
    assert "1 min 30 s" in page


def test_runs_without_feed_or_end_are_shown(admin_client, shop):
    run = FeedRun.objects.create(market=shop.market, source="-")
    page = admin_client.get(f"/admin/depict_reco/feedrun/{run.pk}/change/").text
    assert "by hand" in page
    assert "None." in page


def test_list_of_runs_does_not_read_rejected_rows(admin_client, shop, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        admin_client.get("/admin/depict_reco/feedrun/")
    assert not any("rejections" in query["sql"] for query in queries)
