"""Cross-origin rules of the storefront, in one place.

Pages of a shop call from another origin, and Depict's client calls with credentials; browsers
then want the page's own origin echoed, never ``*``. An origin is echoed when a tenant names it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from depict_reco.tenants.directory import TenantEntry, directory
from depict_reco.tenants.origins import normalize_origin

ALLOWED_METHODS = "POST, GET, OPTIONS"
ALLOWED_HEADERS = "content-type, x-api-key, x-debug, force-new-displays"
EXPOSED_HEADERS = "Retry-After, X-Request-ID, X-Degraded"
PREFLIGHT_SECONDS = 600


def origin_of(request: HttpRequest | Request) -> str | None:
    """Return the origin of the page that sends a request, if the request tells.

    Browsers leave the Origin header out of some GET requests; the referring page stands in.
    """
    if origin := request.META.get("HTTP_ORIGIN"):
        return str(origin)
    referer = request.META.get("HTTP_REFERER")
    if not referer:
        return None
    try:
        parts = urlsplit(referer)
        return normalize_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return None


def preflight(request: HttpRequest | Request) -> HttpResponse:
    """Answer an OPTIONS request; a browser sends it without any key."""
    response = HttpResponse(content_type="text/plain")
    if "HTTP_ORIGIN" in request.META:
        response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


def allow_origin(
    response: HttpResponse, request: HttpRequest | Request, *, tenant: TenantEntry | None
) -> None:
    """Let the calling page read a response, if its origin is one of the tenant's.

    Without a tenant (refusals and preflights, which tell nothing of anybody) any tenant's will do.
    """
    response.headers["Vary"] = "Origin"
    origin = request.META.get("HTTP_ORIGIN")
    if origin and _is_allowed(origin, tenant):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


def _is_allowed(origin: str, tenant: TenantEntry | None) -> bool:
    if tenant is not None:
        return origin in tenant.origins
    try:
        return directory().is_known_origin(origin)
    except DatabaseFailure:  # a process that has never reached the database knows no origin
        return False
