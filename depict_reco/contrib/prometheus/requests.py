"""What is counted of each request, in the process that answers it."""

from __future__ import annotations

import functools
import math
from collections import Counter as Tally
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from depict_reco.api.observing import Exchange
from depict_reco.tenants.directory import directory

LATENCIES = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Bounds of the buckets, in seconds."""
_SHOP = ("tenant", "type")


class RequestMetrics:
    """The metrics of requests, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "depict_reco_requests",
            "Requests to the API; tenant and type only where both exist.",
            ("endpoint", *_SHOP, "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "depict_reco_request_seconds",
            "Time from the view's start to its answer.",
            ("endpoint",),
            buckets=LATENCIES,
            registry=registry,
        )
        self.places = Counter(
            "depict_reco_places",
            "Answered places by the source that filled them.",
            (*_SHOP, "source"),
            registry=registry,
        )
        self.wanted = Counter(
            "depict_reco_places_wanted",
            "Places that were asked for; those that were filled, divided by these, are the fill "
            "rate.",
            _SHOP,
            registry=registry,
        )
        self.empty = Counter(
            "depict_reco_empty_answers", "Answers without any display.", _SHOP, registry=registry
        )
        self.degraded = Counter(
            "depict_reco_degraded_answers",
            "Answers given without the database or the cache, which was away.",
            ("without",),
            registry=registry,
        )
        self.knowledge_age = Gauge(
            "depict_reco_knowledge_age_seconds",
            "Freshness lag: how long before its last answer a process had last asked the database "
            "what has changed; of all live processes the longest.",
            multiprocess_mode="livemax",
            registry=registry,
        )

    def count(self, exchange: Exchange) -> None:
        """Count one request."""
        question, answer = exchange.question, exchange.answer
        known = question is not None and answer is not None and answer.error is None
        # what a caller may write at will must not become a label
        shop = (question.tenant, question.type) if question is not None and known else ("", "")
        self.requests.labels(exchange.endpoint, *shop, str(exchange.status)).inc()
        self.seconds.labels(exchange.endpoint).observe(exchange.seconds)
        for name in exchange.degraded:
            self.degraded.labels(name).inc()
        if math.isfinite(age := directory().age):
            self.knowledge_age.set(age)
        if answer is None:
            return
        self.wanted.labels(*shop).inc(answer.wanted)
        for source, places in Tally(answer.sources).items():
            self.places.labels(*shop, source).inc(places)
        if not answer.displays:
            self.empty.labels(*shop).inc()


@functools.cache
def request_metrics() -> RequestMetrics:
    """Return the metrics of this process, in the registry that projects share."""
    return RequestMetrics(REGISTRY)


def count_request(exchange: Exchange, **kwargs: Any) -> None:
    """Receive the signal ``request_answered``."""
    request_metrics().count(exchange)
