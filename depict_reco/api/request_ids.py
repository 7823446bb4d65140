"""The id of a request, by which its answer and its log records find each other.

It imports no models: a project's LOGGING leads here before the apps are ready.
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

from django.http import HttpRequest

HEADER = "X-Request-ID"

current_request_id: ContextVar[str] = ContextVar("depict_reco_request_id", default="")
"""The id of the request that is being answered; empty outside of one."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", flags=re.ASCII)


def request_id_of(request: HttpRequest) -> str:
    """Return the id of a request: what it brings along, if that is well-formed, or a new one.

    It stays with the request, for what is logged of it later.
    """
    given: str | None = getattr(request, "reco_request_id", None)
    if given is None:
        given = request.META.get("HTTP_X_REQUEST_ID")
        if given is None or not _WELL_FORMED.fullmatch(given):
            given = f"{random.getrandbits(64):016x}"
        request.reco_request_id = given  # type: ignore[attr-defined]
    return given
