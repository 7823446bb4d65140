"""Limits of requests: per key, and per address where no key is needed.

The classes serve any DRF view of a project that knows its callers by our keys. They count in
windows of the wall clock, in the cache that ``RATE_LIMIT_CACHE`` names, so that all processes that
share it count together. A cache that is away limits nobody.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings as django_settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.http import HttpRequest
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from depict_reco.api.addresses import address_of, network_of
from depict_reco.api.permissions import key_of
from depict_reco.conf import settings
from depict_reco.tenants.outages import outages

_REFUSED_KEYS = "refused-key"
_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"(\d{1,12})/(s|m|h|d|sec|second|min|minute|hour|day)")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int


@functools.lru_cache(maxsize=32)
def parse_rate(text: str) -> Rate | None:
    """Read a rate such as ``600/minute``; empty means none. Raises ValueError."""
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) < 1:
        raise ValueError(f"{text!r} is no rate; write one like 600/minute, 10/s or 5000/day.")
    return Rate(int(match[1]), _PERIODS[match[2][0]])


class RateThrottle(BaseThrottle):
    """Base of the limits, which differ in whom they count."""

    kind: str
    _left: float = 0.0

    def rate(self) -> Rate | None:
        """Return the limit as the settings have it now."""
        raise NotImplementedError

    def who(self, request: Request) -> str | None:
        """Return who is counted; None for a request that this limit is not about."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: APIView) -> bool:
        rate = self.rate()
        who = None if rate is None else self.who(request)
        if rate is None or who is None:
            return True
        name, self._left = _window(self.kind, who, rate)
        count = _count(name, rate.seconds)
        return count is None or count <= rate.requests

    def wait(self) -> float:
        """Return the whole seconds after which to try again."""
        return _whole(self._left)


class KeyRateThrottle(RateThrottle):
    """At most ``RATE_LIMIT_PER_KEY`` requests with one key."""

    kind = "key"

    def rate(self) -> Rate | None:
        return parse_rate(settings.RATE_LIMIT_PER_KEY)

    def who(self, request: Request) -> str | None:
        key = key_of(request)
        return None if key is None else str(key.pk)


class AddressRateThrottle(RateThrottle):
    """At most ``RATE_LIMIT_PER_ADDRESS`` requests without a key from one address."""

    kind = "address"

    def rate(self) -> Rate | None:
        return parse_rate(settings.RATE_LIMIT_PER_ADDRESS)

    def who(self, request: Request) -> str | None:
        if key_of(request) is not None:
            return None
        return _address_digest(request._request)


class EventKeyRateThrottle(KeyRateThrottle):
    """At most ``EVENT_RATE_LIMIT_PER_KEY`` requests with events with one key."""

    kind = "event-key"

    def rate(self) -> Rate | None:
        return parse_rate(settings.EVENT_RATE_LIMIT_PER_KEY)


class EventAddressRateThrottle(AddressRateThrottle):
    """At most ``EVENT_RATE_LIMIT_PER_ADDRESS`` of them without a key from one address."""

    kind = "event-address"

    def rate(self) -> Rate | None:
        return parse_rate(settings.EVENT_RATE_LIMIT_PER_ADDRESS)


def configured_throttles(request: Request) -> list[BaseThrottle]:
    """Return the limits that a storefront request is subject to; none while they are off."""
    if key_of(request) is not None:
        return [KeyRateThrottle()] if settings.RATE_LIMIT_PER_KEY else []
    return [AddressRateThrottle()] if settings.RATE_LIMIT_PER_ADDRESS else []


def configured_event_throttles(request: Request) -> list[BaseThrottle]:
    """Return the limits that a request with events is subject to; none while they are off."""
    if key_of(request) is not None:
        return [EventKeyRateThrottle()] if settings.EVENT_RATE_LIMIT_PER_KEY else []
    return [EventAddressRateThrottle()] if settings.EVENT_RATE_LIMIT_PER_ADDRESS else []


def check_guesses(request: HttpRequest) -> None:
    """Raise Throttled if too many keys from the address of a request were refused just now.

    To be asked before the database is asked for a key that this process has never seen.
    """
    rate = _rate_of_guesses()
    if rate is None:
        return
    name, left = _window(_REFUSED_KEYS, _address_digest(request), rate)
    if (_in_cache(lambda cache: cache.get(name)) or 0) >= rate.requests:
        raise Throttled(wait=_whole(left))


def note_refused_key(request: HttpRequest) -> None:
    """Count a key that was refused, against the address that it came from."""
    if rate := _rate_of_guesses():
        name, _ = _window(_REFUSED_KEYS, _address_digest(request), rate)
        _count(name, rate.seconds)


def _rate_of_guesses() -> Rate | None:
    return parse_rate(settings.RATE_LIMIT_PER_ADDRESS or settings.EVENT_RATE_LIMIT_PER_ADDRESS)


def _window(kind: str, who: str, rate: Rate) -> tuple[str, float]:
    """Return the name that somebody is counted under now, and how many seconds that is so."""
    now = time.time()  # the same for all processes, unlike a monotonic clock
    window = int(now // rate.seconds)
    return f"depict_reco:rate:{kind}:{who}:{window}", (window + 1) * rate.seconds - now


def _whole(seconds: float) -> int:
    return max(math.ceil(seconds), 1)


def _count(name: str, seconds: int) -> int | None:
    """Count one more under a name and return how many there are; None if nobody can count."""

    def count(cache: BaseCache) -> int:
        try:
            return cache.incr(name)
        except ValueError:  # the first of this window, unless another process was quicker
            return 1 if cache.add(name, 1, timeout=seconds * 2) else cache.incr(name)

    return _in_cache(count)


def _in_cache(act: Callable[[BaseCache], int | None]) -> int | None:
    alias = settings.RATE_LIMIT_CACHE
    outage = outages().cache(alias)
    if outage.lasts:
        return None
    try:
        return act(caches[alias])
    except Exception:  # each backend raises errors of its own; a shop must not stop for a counter
        outage.begin()
        return None


def _address_digest(request: HttpRequest) -> str:
    """Return what stands for an address in the cache, where it is not to be read by others."""
    address = address_of(request)
    network = "" if address is None else network_of(address)
    key = hashlib.sha256(django_settings.SECRET_KEY.encode()).digest()
    return hashlib.blake2b(network.encode(), key=key, digest_size=12).hexdigest()
