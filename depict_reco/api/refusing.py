"""Say to the people of a shop which requests with events were refused, and why."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions

from depict_reco.api.errors import BodyTooLargeError, InvalidRequestError
from depict_reco.api.pressure import OverloadedError
from depict_reco.events.models import RefusalReason
from depict_reco.events.refusals import note_refusal, wrong_fields
from depict_reco.tenants.directory import directory
from depict_reco.tenants.origins import normalize_origin

_REASONS: dict[type[Exception], RefusalReason] = {
    exceptions.NotAuthenticated: RefusalReason.NO_KEY,
    exceptions.AuthenticationFailed: RefusalReason.NO_KEY,
    exceptions.PermissionDenied: RefusalReason.FORBIDDEN,
    exceptions.Throttled: RefusalReason.TOO_MANY,
    BodyTooLargeError: RefusalReason.TOO_LARGE,
    OverloadedError: RefusalReason.UNAVAILABLE,
}


def note_refused_request(error: Exception, *, body: Any, origin: str | None = None) -> None:
    """Note why a request was refused; ``body`` is what it sent, as far as that was read.

    ``origin`` is that of the page that sent it: who may not has to know which one to open.
    """
    tenant, market = _names_in(body)
    if isinstance(error, InvalidRequestError):
        reason, detail = _fault(error), wrong_fields(error.entries)
    elif type(error) in _REASONS:
        reason, detail = _REASONS[type(error)], ""
    else:
        return
    entry = directory().tenant(tenant) if tenant else None
    if tenant and entry is None:
        reason = RefusalReason.UNKNOWN_TENANT
    if reason == RefusalReason.NO_KEY:
        detail = _named(origin)
    note_refusal(reason, tenant_pk=entry.pk if entry else None, market=market, detail=detail)


def _fault(error: InvalidRequestError) -> RefusalReason:
    for entry in error.entries:
        if entry["type"] == "unknown_market":
            return RefusalReason.UNKNOWN_MARKET
        if entry["type"] == "missing" and entry["loc"][-1] == "market":
            return RefusalReason.NO_MARKET
    return RefusalReason.INVALID


def _named(origin: str | None) -> str:
    """Return an origin as a detail; nothing for what is none, for that may be anything."""
    try:
        return f"origin {normalize_origin(origin)}" if origin else ""
    except ValueError:
        return ""


def _names_in(body: Any) -> tuple[str, str]:
    """Return the slugs of tenant and market that a body, valid or not, names first."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return "", ""
    tenant, market = first.get("tenant"), first.get("market")
    return (tenant if isinstance(tenant, str) else ""), (market if isinstance(market, str) else "")
