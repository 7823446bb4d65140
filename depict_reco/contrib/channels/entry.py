"""Who may open a socket: by the rules of the HTTP endpoints, which read them from a request."""

from __future__ import annotations

from enum import IntEnum
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseFailure
from django.db import close_old_connections
from rest_framework.exceptions import APIException, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.views import APIView

from depict_reco.api.authentication import configured_authenticators
from depict_reco.api.cors import origin_of
from depict_reco.api.permissions import MayAskStorefront
from depict_reco.api.refusing import note_refused_request
from depict_reco.api.throttling import configured_event_throttles
from depict_reco.tenants.directory import directory
from depict_reco.tenants.models import ApiKey
from depict_reco.tenants.outages import outages

_VIEW = cast("APIView", SimpleNamespace(key_scope=ApiKey.Scope.EVENTS))


class CloseCode(IntEnum):
    """Why a socket is closed; a client comes back after any of these but the first."""

    BANNED = 4100
    TRY_AGAIN_LATER = 1013


def request_of(scope: dict[str, Any]) -> Request:
    """Return the handshake of a socket as the request that it was."""
    request = ASGIRequest({**scope, "type": "http", "method": "GET"}, BytesIO())
    return Request(request, authenticators=configured_authenticators())


def entry(scope: dict[str, Any]) -> CloseCode | None:
    """Return why a socket must be closed at once, or None if it may stay open."""
    close_old_connections()
    try:
        request = request_of(scope)
        try:
            _let_in(request)
        except APIException as error:
            if outages().database.lasts or not directory().database_is_away:  # or it would hang
                note_refused_request(error, body=None, origin=origin_of(request))
            transient = isinstance(error, Throttled)
            return CloseCode.TRY_AGAIN_LATER if transient else CloseCode.BANNED
    except DatabaseFailure:
        return CloseCode.TRY_AGAIN_LATER
    finally:
        close_old_connections()
    return None


def check_sender(request: Request, tenant: str) -> None:
    """Raise unless a socket may send events of a tenant, by its slug; asked for each event."""
    permission = MayAskStorefront()
    if not (
        permission.has_permission(request, _VIEW)
        and permission.has_object_permission(request, _VIEW, tenant)
    ):
        raise PermissionDenied(permission.message)


def _let_in(request: Request) -> None:
    permission = MayAskStorefront()
    if not permission.has_permission(request, _VIEW):
        raise PermissionDenied(permission.message)
    for throttle in configured_event_throttles(request):
        if not throttle.allow_request(request, _VIEW):
            raise Throttled
