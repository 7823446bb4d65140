"""What can be seen of a request from outside: its id, a line in the log, a signal for metrics.

``observed`` goes around every view of the API. The signal costs nothing while nobody listens, nor
does the log while it is off.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse
from rest_framework.views import set_rollback

from depict_reco.api.request_ids import HEADER, current_request_id, request_id_of
from depict_reco.serving.requests import Answer, RecommendRequest
from depict_reco.signals import request_answered
from depict_reco.tenants.directory import KeyEntry
from depict_reco.tenants.outages import outages

logger = logging.getLogger("depict_reco.requests")

DEGRADED_HEADER = "X-Degraded"
_LONGEST_NAME = 100
"""Of a name in the log; those that exist are no longer, a caller may send any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and what was answered, for those who count and log."""

    request: HttpRequest
    response: HttpResponse
    """The project's own page of failures where the view failed in a way that nobody foresaw."""
    seconds: float
    degraded: tuple[str, ...]
    """What the answer had to do without: ``database``, ``cache``."""

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def endpoint(self) -> str:
        """The name of the address, such as ``recommend-for-products``."""
        match = self.request.resolver_match
        return (match.url_name if match is not None else None) or ""

    @property
    def question(self) -> RecommendRequest | None:
        return getattr(self.response, "question", None)

    @property
    def answer(self) -> Answer | None:
        return getattr(self.response, "answer", None)

    @property
    def key(self) -> KeyEntry | None:
        """The key that the request came with, where one was looked at and found good."""
        return getattr(self.request, "reco_key", None)


class AnswerResponse(HttpResponse):
    """An answer of the recommender on the wire; it knows what was asked and what was found."""

    def __init__(self, question: RecommendRequest, answer: Answer) -> None:
        super().__init__(answer.body, content_type="application/json")
        self.question = question
        self.answer = answer


def observed(view: Callable[..., Any]) -> Callable[..., Any]:
    """Give the requests of a view an id, and tell of them when they are answered."""

    @functools.wraps(view)
    def with_id(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        request_id = request_id_of(request)
        token = current_request_id.set(request_id)
        failure = None
        try:
            try:
                response = view(request, *args, **kwargs)
            except Exception as error:
                failure = error
                set_rollback()
                # what Django would do further out, where the page could be given no id
                response = response_for_exception(request, error)
            response.headers[HEADER] = request_id
            if away := outages().names:
                response.headers[DEGRADED_HEADER] = ", ".join(away)
            # receivers is empty as long as nobody has connected: nothing is made up for nobody
            if request_answered.receivers or failure or logger.isEnabledFor(logging.INFO):
                _tell(request, response, time.perf_counter() - started, failure)
            return response
        finally:
            current_request_id.reset(token)

    return with_id


def _tell(
    request: HttpRequest, response: HttpResponse, seconds: float, failure: Exception | None
) -> None:
    exchange = Exchange(
        request=request, response=response, seconds=seconds, degraded=outages().names
    )
    request_answered.send_robust(sender=Exchange, exchange=exchange)
    if exchange.status >= 500:
        logger.error(*_line(exchange), extra=_facts(exchange), exc_info=failure)
    else:
        logger.info(*_line(exchange), extra=_facts(exchange))


def _line(exchange: Exchange) -> tuple[str, str | None, str, int, float]:
    request = exchange.request
    return (
        "%s %s %d %.1f ms",
        request.method,
        request.path,  # without the query, which may hold a key
        exchange.status,
        exchange.seconds * 1000,
    )


def _facts(exchange: Exchange) -> dict[str, Any]:
    """Return what a log record says beyond its line; no shopper, session, key or address."""
    facts: dict[str, Any] = {
        "endpoint": exchange.endpoint,
        "method": exchange.request.method,
        "status": exchange.status,
        "milliseconds": round(exchange.seconds * 1000, 3),
    }
    if exchange.key is not None:
        facts["key_name"] = exchange.key.name
    if exchange.degraded:
        facts["degraded"] = list(exchange.degraded)
    if (question := exchange.question) is not None:
        names = {"tenant": question.tenant, "market": question.market, "type": question.type}
        facts |= {fact: name[:_LONGEST_NAME] for fact, name in names.items()}
    if (answer := exchange.answer) is not None:
        facts |= {"displays": answer.displays, "sources": dict(Counter(answer.sources))}
        if answer.error is not None:
            facts["error"] = answer.error
    return facts
