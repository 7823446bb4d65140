"""What is looked up when Prometheus asks: the state of each market, its ages."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import Error as DatabaseFailure
from django.db.models import Max
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from depict_reco.models import Event, FeedRun
from depict_reco.serving.readiness import MarketState, market_states
from depict_reco.tenants.directory import directory
from depict_reco.tenants.outages import CONNECTION_FAILURES, outages

logger = logging.getLogger(__name__)

_MARKET = ("tenant", "market")
_GOOD_RUNS = (FeedRun.Status.SUCCEEDED, FeedRun.Status.UNCHANGED)


class MarketCollector(Collector):
    """Tells of markets as the process that is asked knows them; ages as the database does."""

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; those that need a database that is away are left out."""
        try:
            states = list(market_states())
        except DatabaseFailure:
            states = []
        now = timezone.now()
        yield _gauge(
            "depict_reco_outage_seconds",
            "How long a server has been away; 0: it is there.",
            [(("database",), outages().database.seconds)],
            labels=("server",),
        )
        yield _gauge(
            "depict_reco_market_ok",
            "1 if a market has its published model, whole; 0 if readiness complains.",
            [(_name(one), 0.0 if one.problem or not one.loaded else 1.0) for one in states],
        )
        yield _gauge(
            "depict_reco_products",
            "Products of a market in memory.",
            [(_name(one), float(one.products)) for one in states],
        )
        yield _gauge(
            "depict_reco_changes_aside",
            "Changed products kept beside the image of a catalogue, until another one is made.",
            [(_name(one), float(one.changes)) for one in states],
        )
        yield _gauge(
            "depict_reco_market_lag_seconds",
            "How long what a market is answered from has been behind the directory; 0: it is not.",
            [(_name(one), one.lag_seconds) for one in states if one.loaded],
        )
        yield _gauge(
            "depict_reco_model_age_seconds",
            "Time since the served model was made.",
            _ages(states, {one.market_pk: one.model_made_at for one in states}, now=now),
        )
        yield from _from_the_database(states, now=now)


def _from_the_database(states: list[MarketState], *, now: datetime) -> Iterable[Metric]:
    if not states or directory().database_is_away:
        return
    runs = FeedRun.objects.filter(status__in=_GOOD_RUNS, finished_at__isnull=False).order_by()
    try:
        fed = dict(runs.values_list("market").annotate(Max("finished_at")))
        newest = {one.market_pk: _newest_event(one.market_pk) for one in states}
    except CONNECTION_FAILURES:
        outages().database.begin()
        return
    except DatabaseFailure:  # the other metrics are as true as before
        logger.exception("The ages of feeds and events cannot be read.")
        return
    yield _gauge(
        "depict_reco_feed_age_seconds",
        "Time since the last good feed run of a market.",
        _ages(states, fed, now=now),
    )
    yield _gauge(
        "depict_reco_event_age_seconds",
        "Time since the newest event of a market.",
        _ages(states, newest, now=now),
    )


def _newest_event(market_pk: int) -> datetime | None:
    events = Event.objects.filter(market=market_pk).order_by("-time")
    return events.values_list("time", flat=True).first()


def _ages(
    states: list[MarketState], times: dict[int, datetime | None], *, now: datetime
) -> list[tuple[tuple[str, ...], float]]:
    return [
        (_name(one), (now - then).total_seconds())
        for one in states
        if (then := times.get(one.market_pk)) is not None
    ]


def _name(state: MarketState) -> tuple[str, ...]:
    return state.tenant, state.market


def _gauge(
    name: str,
    text: str,
    values: list[tuple[tuple[str, ...], float]],
    *,
    labels: tuple[str, ...] = _MARKET,
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
