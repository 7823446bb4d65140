"""Whether this process is alive, and whether it should be sent requests.

``/healthz`` answers as long as the process can answer anything; it asks nobody. ``/readyz`` says
``ok``, ``degraded`` (answers go on, somebody should look) or ``failed`` (503: send requests
elsewhere). Everybody sees these words; tenants, markets and reasons are for operators.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseFailure
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from depict_reco.api.observing import observed
from depict_reco.api.operators import is_operator
from depict_reco.conf import settings
from depict_reco.models import Feed, FeedRun
from depict_reco.serving.readiness import MarketState, market_states
from depict_reco.tenants.directory import directory
from depict_reco.tenants.outages import CONNECTION_FAILURES, outages

logger = logging.getLogger(__name__)

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
_WORST_LAST = (OK, DEGRADED, FAILED)
_GOOD_RUNS = (FeedRun.Status.SUCCEEDED, FeedRun.Status.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    status: str
    message: str = ""


@observed
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive."""
    return _answer({"status": OK}, status=200)


@observed
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether this process should be sent requests."""
    database = _database()
    states = [] if database.status == FAILED else list(market_states())
    database = _database()  # loading the markets may have found it gone
    feeds = {} if database.status != OK else _feeds()
    now = timezone.now()
    checks = {
        "database": database,
        "cache": Check(status=DEGRADED if "cache" in outages().names else OK),
        "markets": _markets(states, known=database.status != FAILED),
        "data": _data(states, feeds, now=now),
    }
    overall = _worst(check.status for check in checks.values())
    body: dict[str, Any] = {"status": overall}
    if is_operator(request):
        body["checks"] = {name: asdict(check) for name, check in checks.items()}
        body["markets"] = [_described(state, feeds, now=now) for state in states]
    else:
        body["checks"] = {name: {"status": check.status} for name, check in checks.items()}
    return _answer(body, status=503 if overall == FAILED else 200)


def _database() -> Check:
    try:
        directory().refresh()
    except DatabaseFailure:
        return Check(status=FAILED, message="It has not answered since this process started.")
    if directory().database_is_away:
        age = f"{outages().database.seconds:.0f} s"
        return Check(status=DEGRADED, message=f"It has not answered for {age}.")
    if directory().reading_fails:
        return Check(status=DEGRADED, message="Tenants cannot be read from it; the log says why.")
    return Check(status=OK)


def _markets(states: list[MarketState], *, known: bool) -> Check:
    if not known:
        return Check(status=FAILED, message="Nothing is known of any market.")
    missing = [state for state in states if not state.loaded]
    if missing:
        # as long as some shop is answered, an outage must not take every process out of service
        return Check(
            status=FAILED if len(missing) == len(states) else DEGRADED,
            message=f"{len(missing)} of {len(states)} are not loaded.",
        )
    if troubled := [state for state in states if state.problem]:
        return Check(
            status=DEGRADED,
            message=f"{len(troubled)} of {len(states)} have a broken model, or none.",
        )
    return Check(status=OK)


def _data(states: list[MarketState], feeds: dict[int, datetime], *, now: datetime) -> Check:
    stale = []
    if hours := settings.READY_MAX_MODEL_AGE_HOURS:
        age = timedelta(hours=hours)
        stale += [state for state in states if state.model_is_older(age, now=now)]
    if hours := settings.READY_MAX_FEED_AGE_HOURS:
        oldest = now - timedelta(hours=hours)
        never = _never_fed(since=oldest)
        stale += [
            state
            for state in states
            if state.market_pk in never or feeds.get(state.market_pk, now) < oldest
        ]
    if not stale:
        return Check(status=OK)
    names = dict.fromkeys(f"{state.tenant}/{state.market}" for state in stale)
    return Check(status=DEGRADED, message=f"Model or feed is too old: {', '.join(names)}.")


def _feeds() -> dict[int, datetime]:
    """Return when each market's last good feed run ended; a market without feeds is not in it."""
    try:
        return dict(_good_runs().values_list("market").annotate(Max("finished_at")))
    except DatabaseFailure as error:
        _note_failure(error)
        return {}


def _never_fed(*, since: datetime) -> set[int]:
    """Return the markets with a feed in use that never had a good run, and no first one since."""
    if directory().database_is_away:
        return set()
    feeds = Feed.objects.filter(~Exists(_good_runs().filter(feed=OuterRef("pk"))), active=True)
    tried_long_ago = Q(first_run=None) | Q(first_run__lt=since)
    feeds = feeds.annotate(first_run=Min("runs__started_at")).filter(tried_long_ago).order_by()
    try:
        return set(feeds.values_list("market", flat=True))
    except DatabaseFailure as error:
        _note_failure(error)
        return set()


def _good_runs() -> QuerySet[FeedRun]:
    return FeedRun.objects.filter(status__in=_GOOD_RUNS, finished_at__isnull=False).order_by()


def _note_failure(error: DatabaseFailure) -> None:
    if isinstance(error, CONNECTION_FAILURES):
        outages().database.begin()
    else:
        logger.error("The feeds cannot be read.", exc_info=error)


def _described(state: MarketState, feeds: dict[int, datetime], *, now: datetime) -> dict[str, Any]:
    fed_at = feeds.get(state.market_pk)
    return {
        "tenant": state.tenant,
        "market": state.market,
        "status": (DEGRADED if state.problem else OK) if state.loaded else FAILED,
        "message": state.problem,
        "products": state.products,
        "model_version": state.model_version,
        "model_age_seconds": _seconds(now, state.model_made_at),
        "feed_age_seconds": _seconds(now, fed_at),
    }


def _seconds(now: datetime, then: datetime | None) -> int | None:
    return None if then is None else int((now - then).total_seconds())


def _worst(statuses: Iterable[str]) -> str:
    return max(statuses, key=_WORST_LAST.index)


def _answer(body: dict[str, Any], *, status: int) -> HttpResponse:
    response = JsonResponse(body, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
