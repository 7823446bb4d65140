from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError, connections
from django.db.models import JSONField, Value
from django.utils import timezone

from depict_reco.conf import settings as reco_settings
from depict_reco.models import ApiKey, Market, Tenant
from depict_reco.tenants import directory as module
from depict_reco.tenants import secrets
from depict_reco.tenants.directory import Directory
from depict_reco.tenants.outages import outages

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    tenant = Tenant.objects.create(slug="acme", name="Acme", origins=["https://acme.example"])
    Market.objects.create(
        tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE", locales=["fi-SE", "sv-SE"]
    )
    Market.objects.create(tenant=tenant, slug="us", currency="USD", default_locale="en-US")
    return tenant


@pytest.fixture
def key(acme):
    return ApiKey.objects.issue(acme, name="shop", scopes=["recommend", "events"])


@pytest.fixture
def live():
    """A directory that asks the database each time."""
    return Directory()


@pytest.fixture
def warm(acme, settings):
    """A directory that has just read everything and will not for an hour."""
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    directory = Directory()
    directory.refresh()
    return directory


@pytest.fixture
def limit(settings):
    def set_to(**values):
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, **values}

    return set_to


def pass_time(directory, seconds):
    directory._read_at -= seconds


def broken(error=OperationalError):
    """A database that does not answer."""
    return mock.patch.object(connections["default"], "cursor", side_effect=error("gone"))


def test_a_tenant_is_known_with_its_active_markets(acme, live):
    Market.objects.create(
        tenant=acme, slug="no", currency="NOK", default_locale="nb-NO", active=False
    )

    entry = live.tenant("acme")

    assert (entry.pk, entry.slug, entry.keyless) == (acme.pk, "acme", False)
    assert entry.origins == {"https://acme.example"}
    assert list(entry.markets) == ["se", "us"]
    assert entry.markets["se"].currency == "SEK"
    assert entry.markets["se"].locales == ("sv-SE", "fi-SE")
    assert live.tenant_by_pk(acme.pk) == entry


def test_a_tenant_without_markets_is_known(live):
    Tenant.objects.create(slug="bare", name="Bare")

    assert live.tenant("bare").markets == {}


def test_slugs_are_taken_as_they_are(acme, live):
    assert live.tenant("ACME") is None
    assert live.tenant("") is None
    assert live.tenant("\0") is None


def test_closing_a_tenant_takes_it_away_and_opening_brings_it_back(acme, live):
    assert live.tenant("acme") is not None

    Tenant.objects.filter(slug="acme").update(active=False)
    assert live.tenant("acme") is None
    assert live.tenant_by_pk(acme.pk) is None
    assert not live.is_known_origin("https://acme.example")

    Tenant.objects.filter(slug="acme").update(active=True)
    assert live.tenant("acme") is not None


def test_origins_are_open_only_while_the_tenant_is(acme, live):
    assert live.is_known_origin("https://acme.example")
    assert not live.is_open_origin("https://acme.example")

    acme.storefront_access = Tenant.StorefrontAccess.OPEN_TO_ORIGINS
    acme.save()
    assert live.is_open_origin("https://acme.example")
    assert not live.is_open_origin("https://other.example")

    acme.active = False
    acme.save()
    assert not live.is_open_origin("https://acme.example")


def test_an_open_tenant_opens_no_origin_of_a_shut_one(acme, live):
    Tenant.objects.create(
        slug="open",
        name="Open",
        origins=["https://open.example"],
        storefront_access=Tenant.StorefrontAccess.OPEN_TO_ORIGINS,
    )

    assert live.is_open_origin("https://open.example")
    assert not live.is_open_origin("https://acme.example")


def test_a_tenant_with_odd_origins_does_not_stop_the_others(acme, live):
    Tenant.objects.create(slug="odd", name="Odd", origins={})
    Tenant.objects.create(slug="odder", name="Odder", origins=Value(None, JSONField()))

    assert live.tenant("odd").origins == frozenset()
    assert live.tenant("odder").origins == frozenset()
    assert live.tenant("acme") is not None


def test_a_key_is_known_by_its_secret(acme, key, live):
    row, secret = key

    entry = live.key(secret)

    assert (entry.pk, entry.tenant_pk, entry.tenant_slug) == (row.pk, acme.pk, "acme")
    assert entry.scopes == {"recommend", "events"}


@pytest.mark.parametrize("secret", ["", "reco_", "x" * 43, "reco_" + "0" * 38, "réco\0", "\ud800"])
def test_a_malformed_secret_costs_no_query(warm, secret, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert warm.key(secret) is None


def test_an_unknown_secret_costs_one_query_however_often_it_is_tried(
    warm, django_assert_num_queries
):
    secret = secrets.generate()

    with django_assert_num_queries(1):
        for _ in range(5):
            assert warm.key(secret) is None
    with django_assert_num_queries(1):
        assert warm.key(secrets.generate()) is None


def test_a_revoked_key_costs_one_query_however_often_it_is_tried(
    warm, key, django_assert_num_queries
):
    row, secret = key
    pass_time(warm, 3601)
    assert warm.key(secret) is not None
    row.revoke()
    pass_time(warm, 3601)

    with django_assert_num_queries(2):  # the tenants, and the key
        for _ in range(5):
            assert warm.key(secret) is None


def test_a_key_that_is_made_after_it_was_tried_works_at_the_next_reading(acme, warm):
    with mock.patch.object(secrets, "generate", return_value=(secret := secrets.generate())):
        assert warm.key(secret) is None
        ApiKey.objects.issue(acme, name="new", scopes=["recommend"])
    assert warm.key(secret) is None, "nothing has been read since"

    pass_time(warm, 3601)

    assert warm.key(secret).name == "new"


def test_unknown_keys_kept_are_bounded(warm, monkeypatch):
    warm._unknown = module.UnknownKeys(3)
    for _ in range(8):
        assert warm.key(secrets.generate()) is None

    assert len(warm._unknown) <= 3


def test_nothing_is_asked_when_warm(warm, key, django_assert_num_queries):
    _, secret = key
    pass_time(warm, 3601)
    assert warm.key(secret) is not None

    with django_assert_num_queries(0):
        for _ in range(3):
            assert warm.key(secret) is not None
            assert warm.tenant("acme") is not None
            assert not warm.is_open_origin("https://acme.example")
            assert warm.is_known_origin("https://acme.example")


def test_all_is_read_again_with_one_query_when_it_is_old(warm, django_assert_num_queries):
    for number in range(20):
        tenant = Tenant.objects.create(slug=f"shop-{number}", name="Shop")
        Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv")
    assert warm.tenant("shop-7") is None

    pass_time(warm, 3601)

    with django_assert_num_queries(1):
        assert warm.tenant("shop-7") is not None
        assert warm.tenant("shop-19") is not None


def test_a_revoked_key_is_refused_at_the_next_reading(warm, key):
    row, secret = key
    pass_time(warm, 3601)
    assert warm.key(secret) is not None

    row.revoke()
    assert warm.key(secret) is not None, "nothing has been read since"
    pass_time(warm, 3601)

    assert warm.key(secret) is None


def test_a_change_of_scopes_is_seen_at_the_next_reading(warm, key):
    row, secret = key
    pass_time(warm, 3601)
    warm.key(secret)

    row.scopes = ["catalog"]
    row.save()
    pass_time(warm, 3601)

    assert warm.key(secret).scopes == {"catalog"}


def test_a_key_expires_on_the_second_without_a_query(acme, warm, django_assert_num_queries):
    expires_at = timezone.now() + timedelta(hours=1)
    _, secret = ApiKey.objects.issue(
        acme, name="brief", scopes=["recommend"], expires_at=expires_at
    )
    pass_time(warm, 3601)
    assert warm.key(secret) is not None

    with (
        mock.patch.object(module.timezone, "now", return_value=expires_at),
        django_assert_num_queries(0),
    ):
        assert warm.key(secret) is None


def test_a_key_that_has_expired_before_is_refused(acme, live):
    _, secret = ApiKey.objects.issue(
        acme, name="old", scopes=["recommend"], expires_at=timezone.now() - timedelta(seconds=1)
    )

    assert live.key(secret) is None


def test_a_deleted_key_and_the_keys_of_a_deleted_tenant_are_refused(acme, key, live):
    row, secret = key
    _, other = ApiKey.objects.issue(acme, name="other", scopes=["recommend"])
    assert live.key(secret) is not None
    assert live.key(other) is not None

    row.delete()
    assert live.key(secret) is None
    assert live.key(other) is not None

    acme.delete()
    assert live.key(other) is None


def test_the_key_of_a_closed_tenant_is_known_but_its_tenant_is_not(
    acme, key, warm, django_assert_num_queries
):
    _, secret = key
    Tenant.objects.filter(pk=acme.pk).update(active=False)
    pass_time(warm, 3601)

    assert warm.key(secret).tenant_pk == acme.pk
    assert warm.tenant_by_pk(acme.pk) is None
    with django_assert_num_queries(0):
        assert warm.key(secret) is not None


def test_a_renamed_tenant_renames_its_keys(acme, key, live):
    _, secret = key
    assert live.key(secret).tenant_slug == "acme"

    Tenant.objects.filter(pk=acme.pk).update(slug="apex")

    assert live.key(secret).tenant_slug == "apex"


def test_two_live_keys_of_a_tenant_work_side_by_side(acme, key, live):
    _, old = key
    _, new = ApiKey.objects.issue(acme, name="new", scopes=["recommend"])

    assert live.key(old).name == "shop"
    assert live.key(new).name == "new"


def test_use_is_noted_once_a_minute(key, warm):
    row, secret = key
    noted = []
    with mock.patch.object(
        type(ApiKey.objects.all()), "mark_used", side_effect=lambda pk, *_, **__: noted.append(pk)
    ):
        pass_time(warm, 3601)
        warm.key(secret)
        warm.key(secret)
        assert noted == [row.pk]

        warm._used[row.pk] -= 61
        warm.key(secret)
        warm.key(secret)
        assert noted == [row.pk, row.pk]


def test_the_time_of_use_is_written(key, live):
    row, secret = key
    live.key(secret)

    row.refresh_from_db()

    assert timezone.now() - row.last_used_at < timedelta(seconds=30)


def test_use_noted_by_another_process_is_not_noted_again(key, django_assert_num_queries):
    _, secret = key
    Directory().key(secret)
    other = Directory()

    with django_assert_num_queries(2):  # the tenants and the key, no update
        assert other.key(secret) is not None


def test_a_key_works_though_its_use_cannot_be_noted(key, live):
    row, secret = key

    with mock.patch.object(
        type(ApiKey.objects.all()), "mark_used", side_effect=OperationalError("read only")
    ):
        assert live.key(secret) is not None

    assert ApiKey.objects.get(pk=row.pk).last_used_at is None


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_without_a_database_the_known_stays_in_force(acme, key, error):
    _, secret = key
    directory = Directory()
    assert directory.key(secret) is not None

    with broken(error):
        assert directory.key(secret) is not None
        assert directory.tenant("acme").markets.keys() == {"se", "us"}
        assert directory.tenant("unknown") is None


@pytest.mark.parametrize("error", [ProgrammingError, DataError])
def test_a_fault_of_ours_is_no_outage_and_is_told_with_its_trace(acme, live, limit, caplog, error):
    assert live.tenant("acme") is not None
    limit(RETRY_SECONDS=3600)

    with broken(error) as cursor:
        for _ in range(3):
            assert live.tenant("acme").markets.keys() == {"se", "us"}
        assert cursor.call_count == 1, "a fault does not go away from one request to the next"
    assert not outages().database.lasts
    assert live.reading_fails
    (record,) = caplog.records
    assert (record.levelname, record.exc_info[0]) == ("ERROR", error)

    Tenant.objects.create(slug="new", name="New")
    assert live.tenant("new") is None
    limit(RETRY_SECONDS=0)
    assert live.tenant("new") is not None
    assert not live.reading_fails


def test_a_fault_of_ours_at_the_first_reading_is_raised_each_time(acme, live):
    with broken(ProgrammingError):
        for _ in range(2):
            with pytest.raises(ProgrammingError):
                live.tenant("acme")
    assert not outages().database.lasts
    assert live.tenant("acme") is not None


def test_without_a_database_nobody_asks_it_until_it_is_back(acme, key, live, lasting_outage):
    _, secret = key
    assert live.key(secret) is not None
    assert not live.database_is_away

    with broken() as cursor:
        for _ in range(3):
            assert live.tenant("acme") is not None
            assert live.key(secret) is not None
        assert live.database_is_away
        with pytest.raises(OperationalError):
            live.key(secrets.generate())
        live._used.clear()
        assert live.key(secret) is not None, "nobody tries to note its use"
    assert cursor.call_count == 1

    Tenant.objects.create(slug="new", name="New")
    assert live.tenant("new") is None
    lasting_outage()
    assert not live.database_is_away
    assert live.tenant("new") is not None


def test_a_revoked_key_stays_revoked_while_the_database_is_away(acme, key, live, lasting_outage):
    row, secret = key
    assert live.key(secret) is not None
    row.revoke()
    live.refresh()

    with broken():
        live.refresh()
        with pytest.raises(OperationalError):
            live.key(secret)


def test_a_process_that_never_reached_the_database_says_so(acme, lasting_outage):
    directory = Directory()

    with broken() as cursor:
        for _ in range(3):
            with pytest.raises(OperationalError):
                directory.tenant("acme")
    assert cursor.call_count == 1

    lasting_outage()
    assert directory.tenant("acme") is not None


def test_a_reading_that_takes_too_long_means_that_the_database_is_away(warm, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    pass_time(warm, 3601)
    seen = []

    with mock.patch.object(warm, "_read", side_effect=lambda: seen.append(warm.database_is_away)):
        warm.refresh()

    assert seen == [True]
    assert not warm.database_is_away


def test_a_broken_connection_is_dropped_with_the_failure(acme, live):
    live.refresh()
    with (
        broken(),
        mock.patch.object(
            connections["default"], "close_if_unusable_or_obsolete", autospec=True
        ) as dropped,
    ):
        live.refresh()

    assert dropped.called


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_a_clock_that_jumps_stops_nothing(acme, key, live, settings, jump):
    _, secret = key
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 0.01}
    assert live.key(secret) is not None
    there = timezone.now() + jump

    with (
        mock.patch.object(module.timezone, "now", return_value=there),
        mock.patch("time.time", return_value=there.timestamp()),
    ):
        Tenant.objects.filter(pk=acme.pk).update(active=False)
        time.sleep(0.02)
        assert live.tenant("acme") is None, "a change is seen"
        Tenant.objects.filter(pk=acme.pk).update(active=True)
        time.sleep(0.02)
        assert live.key(secret) is not None, "a key without an end stays good"


def test_use_is_noted_also_after_the_clock_was_put_back(key, live):
    row, secret = key
    ahead = timezone.now() + timedelta(days=30)
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=ahead)

    live.key(secret)

    assert live._used[row.pk] <= time.monotonic()


def test_a_slow_reading_holds_up_nobody(warm):
    pass_time(warm, 3601)
    answers = []

    def read_slowly():
        reader = threading.Thread(target=lambda: answers.append(warm.tenant("acme")))
        reader.start()
        reader.join(timeout=10)

    with mock.patch.object(warm, "_read", side_effect=read_slowly):
        warm.refresh()

    assert [entry.slug for entry in answers] == ["acme"]


@contextmanager
def one_reads_and_another_asks(directory):
    """Yield what ends the reading, and what the other thread was told so far."""
    reading, go_on = threading.Event(), threading.Event()
    told = []
    read = directory._read

    def slowly():
        reading.set()
        assert go_on.wait(20)
        # of the test's thread: another one would not see the test's transaction
        directory._by_slug, directory._read_at = {"new": "fresh"}, time.monotonic()

    def ask():
        told.append(sorted(directory._by_slug) if directory.refresh() is None else None)

    threads = [threading.Thread(target=directory.refresh), threading.Thread(target=ask)]
    with mock.patch.object(directory, "_read", slowly):
        threads[0].start()
        assert reading.wait(20)
        threads[1].start()
        try:
            yield go_on, told, threads[1]
        finally:
            go_on.set()
            for thread in threads:
                thread.join(20)
    directory._read = read


def test_who_asks_an_idle_process_waits_for_the_one_that_reads(warm, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 20.0)
    pass_time(warm, 2 * 3601)

    with one_reads_and_another_asks(warm) as (go_on, told, thread):
        thread.join(0.2)
        assert told == []
        go_on.set()
        thread.join(20)

    assert told == [["new"]]


def test_who_asks_an_idle_process_waits_no_longer_than_a_while(warm, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    pass_time(warm, 2 * 3601)

    with one_reads_and_another_asks(warm) as (_, told, thread):
        thread.join(20)
        assert told == [["acme"]]


def test_keys_kept_are_bounded(acme, live, monkeypatch):
    monkeypatch.setattr(module, "_KEYS_KEPT", 3)
    made = [ApiKey.objects.issue(acme, name=str(n), scopes=["events"])[1] for n in range(5)]

    for secret in made * 2:
        assert live.key(secret) is not None

    assert len(live._keys) <= 3


def test_refresh_seconds_is_read_live(warm, settings, acme):
    Tenant.objects.create(slug="new", name="New")
    assert warm.tenant("new") is None

    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 0}

    assert reco_settings.REFRESH_SECONDS == 0
    assert warm.tenant("new") is not None
