from __future__ import annotations

import json
import threading
from unittest import mock

import pytest
from django.core.cache import caches
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.api import throttling
from depict_reco.api.addresses import address_of, network_of
from depict_reco.api.throttling import Rate, parse_rate
from depict_reco.models import ApiKey
from depict_reco.tenants import secrets
from depict_reco.tenants.outages import outages

MANY = "/v2/recommend/products/products"
ACME = {"tenant": "acme", "market": "se", "type": "checkout", "product_ids": []}
BAZAAR = {**ACME, "tenant": "bazaar", "market": "de"}
NOW = 1_800_000_000.0 - 1_800_000_000.0 % 60  # the beginning of a minute


@pytest.fixture(autouse=True)
def clock(monkeypatch, settings):
    """A clock that stands, and a cache that is empty."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                                   "LOCATION": "throttling"}}  # fmt: skip
    caches["default"].clear()
    clock = mock.Mock(time=mock.Mock(return_value=NOW + 10.5))
    monkeypatch.setattr(throttling, "time", clock)
    return clock.time


@pytest.fixture
def limit(settings):
    def set_to(**values):
        settings.DEPICT_RECO = {**settings.DEPICT_RECO, **values}

    return set_to


def with_key(secret):
    return Client().generic("POST", MANY, json.dumps(ACME), headers={"X-API-KEY": secret})


def keyless(address="203.0.113.7", forwarded=None):
    headers = {"Origin": "https://bazaar.example"}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    return Client(REMOTE_ADDR=address).generic("POST", MANY, json.dumps(BAZAAR), headers=headers)


def statuses(ask, times):
    return [ask().status_code for _ in range(times)]


def test_limits_are_off_and_cost_no_cache(secret, bazaar, asked):
    with mock.patch.object(caches["default"], "incr", side_effect=AssertionError):
        assert statuses(lambda: with_key(secret), 5) == [200] * 5
        assert statuses(keyless, 5) == [200] * 5


def test_so_many_with_one_key(secret, acme, asked, limit, clock):
    limit(RATE_LIMIT_PER_KEY="3/minute")
    other = ApiKey.objects.issue(acme, name="other", scopes=["recommend"])[1]

    assert statuses(lambda: with_key(secret), 4) == [200, 200, 200, 429]
    assert with_key(other).status_code == 200
    refused = with_key(secret)
    assert refused.headers["Retry-After"] == "50"
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.json() == {"detail": "Request was throttled. Expected available in 50 seconds."}
    assert len(asked) == 4

    clock.return_value = NOW + 59.999
    assert with_key(secret).headers["Retry-After"] == "1"
    clock.return_value = NOW + 60
    assert statuses(lambda: with_key(secret), 4) == [200, 200, 200, 429]


def test_a_limit_of_keys_leaves_keyless_pages_alone(bazaar, asked, limit):
    limit(RATE_LIMIT_PER_KEY="1/day")

    assert statuses(keyless, 3) == [200] * 3


def test_so_many_from_one_address_without_a_key(secret, bazaar, asked, limit):
    limit(RATE_LIMIT_PER_ADDRESS="2/hour")

    assert statuses(keyless, 3) == [200, 200, 429]
    assert keyless(address="203.0.113.8").status_code == 200
    assert statuses(lambda: with_key(secret), 3) == [200] * 3
    assert keyless().headers["Access-Control-Allow-Origin"] == "https://bazaar.example"


def with_any_key(address="203.0.113.7", path=MANY):
    return Client(REMOTE_ADDR=address).generic(
        "POST", path, json.dumps(ACME), headers={"X-API-KEY": secrets.generate()}
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"RATE_LIMIT_PER_ADDRESS": "2/minute"},
        {"EVENT_RATE_LIMIT_PER_ADDRESS": "2/minute"},
        {"RATE_LIMIT_PER_ADDRESS": "2/minute", "EVENT_RATE_LIMIT_PER_ADDRESS": "9/minute"},
    ],
)
def test_guessing_keys_is_limited_and_asks_the_database_no_more(
    secret, bazaar, asked, limit, limits, clock, django_assert_num_queries
):
    limit(**limits)
    assert with_key(secret).status_code == 200

    assert statuses(with_any_key, 2) == [401, 401]
    limit(REFRESH_SECONDS=3600)
    with django_assert_num_queries(0):
        refused = with_any_key()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "50")
    assert refused.json() == {"detail": "Request was throttled. Expected available in 50 seconds."}
    assert with_any_key(path="/management/v1/products").status_code == 429
    assert with_any_key(address="203.0.113.8").status_code == 401
    assert keyless().status_code == 200, "counted apart"

    clock.return_value = NOW + 60
    assert statuses(with_any_key, 3) == [401, 401, 429]


def test_a_key_in_use_goes_on_beside_one_who_guesses(acme, secret, asked, limit):
    limit(RATE_LIMIT_PER_ADDRESS="2/minute")
    assert with_key(secret).status_code == 200
    assert statuses(lambda: with_any_key("127.0.0.1"), 3) == [401, 401, 429]

    acme.save()  # the keys of the shop are asked for anew
    assert with_key(secret).status_code == 200
    other = ApiKey.objects.issue(acme, name="other", scopes=["recommend"])[1]
    assert with_key(other).status_code == 429


def test_keys_are_refused_without_a_count_while_no_limit_is_set(acme, asked):
    with mock.patch.object(throttling, "caches", side_effect=AssertionError):
        assert statuses(with_any_key, 5) == [401] * 5


def test_a_cache_that_is_away_lets_guesses_through_to_a_refusal(acme, limit, settings):
    settings.CACHES = {
        **settings.CACHES,
        "counters": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        },
    }
    limit(RATE_LIMIT_PER_ADDRESS="1/day", RATE_LIMIT_CACHE="counters", RETRY_SECONDS=0.2)

    assert statuses(with_any_key, 3) == [401] * 3


def test_an_address_is_not_to_be_read_in_the_cache(bazaar, asked, limit):
    limit(RATE_LIMIT_PER_ADDRESS="2/hour")
    keyless()

    (name,) = caches["default"]._cache
    assert name.startswith(":1:depict_reco:rate:address:")
    assert "203" not in name.replace(str(int(NOW // 3600)), "")


def test_a_browser_asks_before_it_asks_without_being_counted(bazaar, limit):
    limit(RATE_LIMIT_PER_ADDRESS="1/hour")
    answers = [
        Client().options(MANY, headers={"Origin": "https://bazaar.example"}) for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200] * 3


def test_threads_count_together(limit):
    limit(RATE_LIMIT_PER_KEY="1000/day")
    counts = []

    def count():
        for _ in range(50):
            counts.append(throttling._count("together", 60))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(counts) == list(range(1, 201))


def test_a_cache_that_is_away_limits_nobody(secret, asked, limit, settings):
    settings.CACHES = {
        **settings.CACHES,
        "counters": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        },
    }
    limit(RATE_LIMIT_PER_KEY="1/day", RATE_LIMIT_CACHE="counters", RETRY_SECONDS=0.2)

    answers = [with_key(secret) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.headers["X-Degraded"] for answer in answers] == ["cache"] * 3
    assert outages().names == ("cache",)
    with mock.patch.object(caches["counters"], "incr", side_effect=AssertionError) as incr:
        assert with_key(secret).status_code == 200
    assert not incr.called, "a cache that is known to be away is not asked"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1)), ("600/minute", Rate(600, 60)), ("600/m", Rate(600, 60)),
        ("5/hour", Rate(5, 3600)), ("1/day", Rate(1, 86_400)), ("", None),
    ],
)  # fmt: skip
def test_a_rate_is_read(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["0/s", "-1/s", "10", "10/", "/s", "10/week", "ten/s", "1.5/s", "10 / s", "10/ms"]
)
def test_a_bad_rate_is_refused_with_advice(text):
    with pytest.raises(ValueError, match="write one like 600/minute"):
        parse_rate(text)


def request_from(peer, forwarded=None):
    extra = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return RequestFactory().get("/", REMOTE_ADDR=peer, **extra)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (0, "198.51.100.1", "10.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (2, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "10.0.0.1"),
        (1, None, "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "nonsense", "10.0.0.1"),
        (1, "198.51.100.1:4711", "198.51.100.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_trusted_proxies_are_believed(limit, trusted, forwarded, address):
    limit(TRUSTED_PROXIES=trusted)

    assert str(address_of(request_from("10.0.0.1", forwarded))) == address


def test_a_server_that_tells_no_address(limit):
    assert address_of(request_from("")) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.1", "198.51.100.1", True),
        ("198.51.100.1", "198.51.100.2", False),
    ],
)
def test_a_subscriber_has_one_address_or_half_of_one(one, other, same):
    found = [network_of(address_of(request_from(each))) for each in (one, other)]

    assert (found[0] == found[1]) is same


@given(st.text(max_size=200), st.integers(0, 4))
def test_any_header_gives_an_address(forwarded, trusted):
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1")
    request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    with mock.patch("depict_reco.api.addresses.settings", TRUSTED_PROXIES=trusted):
        assert address_of(request) is not None
