"""The endpoints that take events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from depict_reco.api.cors import origin_of
from depict_reco.api.errors import InvalidRequestError, Location
from depict_reco.api.event_serializers import EventSerializer, TrackV2RequestSerializer
from depict_reco.api.fields import StrictListField
from depict_reco.api.permissions import key_of
from depict_reco.api.pressure import taking_events
from depict_reco.api.refusing import note_refused_request
from depict_reco.api.throttling import configured_event_throttles
from depict_reco.api.views import StorefrontView, consent_of
from depict_reco.conf import settings
from depict_reco.events.accept import Accepted, accept_events
from depict_reco.events.consent import Consent
from depict_reco.events.models import Event
from depict_reco.events.records import NewEvent
from depict_reco.events.transactions import patient
from depict_reco.events.wire import order_events, shopper_event
from depict_reco.tenants.directory import MarketEntry, TenantEntry
from depict_reco.tenants.models import ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The events of a request that happened in one market."""

    tenant: str
    market: str
    loc: Location
    """Where the body names the market."""
    events: list[NewEvent]


class EventsView(StorefrontView):
    """Base of the endpoints that take events: all that a request brings, or none."""

    key_scope = ApiKey.Scope.EVENTS
    _body: Any = None

    def post(self, request: Request) -> HttpResponse:
        with taking_events():
            batches = self.batches(self.read_body(request))
            accepted = self._accept(request, batches, consent=consent_of(request))
        body = {"accepted": accepted.stored, "duplicates": accepted.duplicates}
        return HttpResponse(json.dumps(body).encode(), content_type="application/json")

    def batches(self, values: Any) -> list[Batch]:
        """Return what a valid body brings."""
        raise NotImplementedError

    def get_throttles(self) -> list[BaseThrottle]:
        return configured_event_throttles(self.request)

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        note_refused_request(exc, body=self._body, origin=origin_of(self.request))
        return super().handle_exception(exc)

    def _validated(self, data: Any, *, within: str) -> Any:
        self._body = data
        return super()._validated(data, within=within)

    def _accept(self, request: Request, batches: Sequence[Batch], *, consent: Consent) -> Accepted:
        places = [self._place(request, batch) for batch in batches]
        accepted = Accepted(stored=0, duplicates=0)
        if len(batches) == 1:
            [(tenant, market)] = places
            return accept_events(
                batches[0].events,
                tenant=tenant,
                market=market,
                consent=consent,
                withdraw_share=_withdraw_share(request),
            )
        with patient(using=router.db_for_write(Event), seconds=settings.EVENT_PATIENCE_SECONDS):
            for batch, (tenant, market) in zip(batches, places, strict=True):
                accepted += accept_events(
                    batch.events, tenant=tenant, market=market, consent=consent
                )
        return accepted

    def _place(self, request: Request, batch: Batch) -> tuple[TenantEntry, MarketEntry]:
        """Return tenant and market of a batch; raise unless its caller may speak for them."""
        tenant = self.enter(request, batch.tenant)
        market = tenant.markets.get(batch.market)
        if market is None:
            known = ", ".join(map(repr, tenant.markets)) or "none"
            raise InvalidRequestError.of(
                "unknown_market",
                f"The shop has no open market {batch.market[:100]!r}; it has {known}",
                loc=batch.loc,
            )
        return tenant, market


def _withdraw_share(request: Request) -> float:
    """Return how much of a market a caller may take out of answers; anybody can forge an origin."""
    if key_of(request) is not None:
        return 1.0
    return settings.PAGES_WITHDRAW_SHARE if settings.PAGES_MAY_WITHDRAW else 0.0


class CreateEventsView(EventsView):
    """``POST /create-events``: what shoppers do on pages."""

    serializer = StrictListField(child=EventSerializer())

    def batches(self, values: list[dict[str, Any]]) -> list[Batch]:
        _check_length(values, loc=("body",))
        now = timezone.now()
        batches: dict[tuple[str, str], Batch] = {}
        for index, item in enumerate(values):
            place = item["tenant"], item["market"]
            if place not in batches:
                tenant, market = place
                batches[place] = Batch(
                    tenant=tenant, market=market, loc=("body", index, "market"), events=[]
                )
            batches[place].events.append(shopper_event(item, now=now))
        return list(batches.values())


class CreateEventsV2View(EventsView):
    """``POST /v2/create-events``: orders, whose they are, and products that are not to be had."""

    serializer = TrackV2RequestSerializer()

    def batches(self, values: dict[str, Any]) -> list[Batch]:
        _check_length(values["events"], loc=("body", "events"))
        now = timezone.now()
        events = [event for item in values["events"] for event in order_events(item, now=now)]
        _check_length(events, loc=("body", "events"))
        return [
            Batch(
                tenant=values["tenant"],
                market=values["market"],
                loc=("body", "market"),
                events=events,
            )
        ]


class TrackV2View(CreateEventsV2View):
    """``POST /v2/track``: the older name of ``/v2/create-events``."""


def _check_length(events: Sequence[Any], *, loc: Location) -> None:
    most = settings.MAX_EVENTS_PER_REQUEST
    if len(events) > most:
        raise InvalidRequestError.of(
            "too_long",
            f"List should have at most {most} items after validation, not {len(events)}",
            loc=loc,
        )
