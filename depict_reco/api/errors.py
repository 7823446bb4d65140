"""Refusals on the wire: ``{"detail": …}``, in the words that Depict's clients and pydantic use."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.settings import api_settings

from depict_reco.tenants.outages import CONNECTION_FAILURES, outages

logger = logging.getLogger(__name__)

MAX_ERRORS = 1000
"""Errors listed in one answer; a small body could otherwise ask for a huge one."""

_ABOUT_THE_WHOLE = frozenset({"model_attributes_type", "invalid"})

Location = tuple[str | int, ...]


class InvalidRequestError(exceptions.APIException):
    """The request is not valid: 422 with one entry for each thing that is wrong."""

    status_code = 422
    default_detail = "The request is not valid."
    default_code = "invalid"

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.entries = list(entries)

    @classmethod
    def of(cls, type: str, message: str, *, loc: Location) -> InvalidRequestError:
        """Return the refusal for one thing that is wrong."""
        return cls([{"loc": list(loc), "msg": message, "type": type}])

    @classmethod
    def from_validation(
        cls, error: exceptions.ValidationError, *, within: str = "body"
    ) -> InvalidRequestError:
        """Return the refusal that says what a DRF validation error says."""
        return cls(list(islice(_entries(error.detail, (within,)), MAX_ERRORS)))


class BodyTooLargeError(exceptions.APIException):
    """The body is larger than allowed: 413."""

    status_code = 413
    default_code = "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes.")


class DatabaseAwayError(exceptions.APIException):
    """The database does not answer, and what was asked is not known here: 503."""

    status_code = 503
    default_detail = "The service cannot answer this at the moment."
    default_code = "unavailable"
    wait = 1


def error_response(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Turn an exception into its answer; None for one that nobody foresaw.

    It has the signature of a DRF exception handler.
    """
    known = _as_api_exception(error)
    if known is None:
        return None
    if isinstance(known, InvalidRequestError):
        detail: Any = known.entries
    else:
        detail = known.detail
    response = HttpResponse(
        json.dumps({"detail": detail}).encode(),
        status=known.status_code,
        content_type="application/json",
    )
    if header := getattr(known, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(known, "wait", None):
        response["Retry-After"] = str(int(wait))
    if isinstance(known, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.ValidationError):
        return InvalidRequestError.from_validation(error)
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return exceptions.ParseError("The request cannot be read.")
    if isinstance(error, CONNECTION_FAILURES):
        known = outages().database.lasts  # a trace with each request would fill the log
        logger.error("The database does not answer.", exc_info=None if known else error)
        return DatabaseAwayError()
    return None


def _entries(detail: Any, loc: Location) -> Iterator[dict[str, Any]]:
    """Walk the nested details of DRF and yield flat entries with their places."""
    if isinstance(detail, exceptions.ErrorDetail):
        yield {"loc": list(loc), "msg": str(detail), "type": detail.code}
    elif isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from _entries(inner, loc if _is_about_the_whole(key, inner) else (*loc, key))
    else:
        for index, inner in enumerate(detail):
            is_message = isinstance(inner, exceptions.ErrorDetail)
            yield from _entries(inner, loc if is_message else (*loc, index))


def _is_about_the_whole(key: Any, detail: Any) -> bool:
    """Whether an entry is DRF's "non_field_errors" rather than a field that is called so."""
    return (
        key == api_settings.NON_FIELD_ERRORS_KEY
        and isinstance(detail, Sequence)
        and all(getattr(inner, "code", None) in _ABOUT_THE_WHOLE for inner in detail)
    )
