from __future__ import annotations

from unittest import mock

import pytest
from django.core.cache import caches
from django.db import transaction

from depict_reco.models import Market, Product, Tenant
from depict_reco.tenants import news
from depict_reco.tenants.directory import directory
from depict_reco.tenants.news import KEY
from depict_reco.tenants.outages import outages
from tests import shop as shops

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(settings, monkeypatch):
    """A process that asks the database once an hour, unless it hears of a change."""
    settings.CACHES = {
        "news": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "news"}
    }
    settings.DEPICT_RECO |= {"CHANGES_CACHE": "news", "REFRESH_SECONDS": 3600.0}
    monkeypatch.setattr(news, "LOOK_SECONDS", 0.0)
    caches["news"].clear()
    yield caches["news"]
    caches["news"].clear()


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    def act(change):
        with django_capture_on_commit_callbacks(execute=True):
            return change()

    return act


def revision():
    return directory().tenant("acme").markets["se"].catalog_revision


CHANGES = {
    "catalogue": lambda: Product.objects.filter(product_id="spade-1").change(price="7"),
    "model": lambda: Market.objects.advance(Market.objects.get().pk, "artifact_revision"),
    "tenant": lambda: Tenant.objects.get().save(),
    "tenants": lambda: Tenant.objects.update(name="Other"),
    "configuration": lambda: Market.objects.update(name="Other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_read_as_soon_as_there_is_word_of_it(shop, told, committed, change):
    directory().tenants()
    read = directory()._read
    with mock.patch.object(directory(), "_read", side_effect=read) as reading:
        directory().tenants()
        assert reading.call_count == 0
        committed(CHANGES[change])
        directory().tenants()
        directory().tenants()
    assert reading.call_count == 1


def test_nobody_hears_of_what_is_not_committed(shop, told):
    with transaction.atomic():
        CHANGES["catalogue"]()
    assert told.get(KEY) is None  # the test's own transaction lasts


def test_without_the_setting_the_cache_is_not_asked(shop, told, committed, settings):
    settings.DEPICT_RECO |= {"CHANGES_CACHE": ""}
    before = revision()
    committed(CHANGES["catalogue"])

    assert told.get(KEY) is None
    assert revision() == before


def test_it_is_looked_for_now_and_then(shop, told, committed, monkeypatch):
    clock = mock.Mock(monotonic=mock.Mock(return_value=100.0))
    monkeypatch.setattr(news, "time", clock)
    monkeypatch.setattr(news, "LOOK_SECONDS", 0.05)
    before = revision()
    revision()
    committed(CHANGES["catalogue"])

    assert revision() == before
    clock.monotonic.return_value += 0.051
    assert revision() == before + 1


def test_a_change_during_the_reading_is_read_next(shop, told):
    revision()
    told.set(KEY, "first")
    read = directory()._read

    def reading():
        read()
        told.set(KEY, "second")

    with mock.patch.object(directory(), "_read", side_effect=reading) as first:
        revision()
    assert first.call_count == 1
    with mock.patch.object(directory(), "_read", side_effect=read) as second:
        revision()
        revision()
    assert second.call_count == 1


def test_a_cache_that_fails_costs_neither_the_change_nor_a_request(
    shop, told, committed, monkeypatch
):
    monkeypatch.setattr("depict_reco.tenants.outages._ask_cache", mock.Mock(side_effect=OSError))
    before = revision()
    outage = outages().cache("news")
    backend = type(told)
    with mock.patch.object(backend, "set", side_effect=OSError("gone")) as setting:
        committed(CHANGES["catalogue"])
        committed(CHANGES["catalogue"])
    assert setting.call_count == 1
    assert outage.lasts
    with mock.patch.object(backend, "get", side_effect=AssertionError) as getting:
        assert revision() == before
    assert getting.call_count == 0
    assert Market.objects.get().catalog_revision == before + 2


def test_a_cache_that_cannot_be_read_is_left_alone(shop, told, monkeypatch):
    monkeypatch.setattr("depict_reco.tenants.outages._ask_cache", mock.Mock(side_effect=OSError))
    before = revision()
    with mock.patch.object(type(told), "get", side_effect=OSError("gone")) as getting:
        assert [revision() for _ in range(3)] == [before] * 3
    assert getting.call_count == 1
    assert outages().names == ("cache",)


def test_other_shops_hear_of_it_as_well(shop, told, committed):
    revision()
    committed(lambda: shops.make_shop("other"))

    assert directory().tenant("other") is not None
