"""The page that Prometheus reads."""

from __future__ import annotations

import os
import re
from pathlib import Path

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)

from depict_reco.api.operators import is_operator
from depict_reco.contrib.prometheus.markets import MarketCollector

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus-client: where processes put their counts together."""

_LIVE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer all metrics of all processes to an operator, and nothing to anybody else."""
    if not is_operator(request):
        return JsonResponse({"detail": "Metrics are for operators."}, status=403)
    of_requests: CollectorRegistry = REGISTRY
    if folder := os.environ.get(MULTIPROCESS_DIR):
        _forget_the_dead(Path(folder))
        of_requests = CollectorRegistry(support_collectors_without_names=True)
        multiprocess.MultiProcessCollector(of_requests, path=folder)
    of_markets = CollectorRegistry(auto_describe=False)
    of_markets.register(MarketCollector())
    body = generate_latest(of_requests) + generate_latest(of_markets)
    response = HttpResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)
    response.headers["Cache-Control"] = "no-store"
    return response


def _forget_the_dead(folder: Path) -> None:
    """Leave out the gauges of processes that are gone; their counters go on counting."""
    for file in folder.glob("gauge_live*.db"):
        match = _LIVE.fullmatch(file.name)
        if match is not None and not _is_alive(int(match[1])):
            multiprocess.mark_process_dead(int(match[1]), path=str(folder))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and somebody else's
        return True
    return True
