"""Request bodies: JSON whatever the content type says, and never more of it than is allowed.

Depict's clients send JSON as ``text/plain`` or even as a form, so the content type is not asked.
orjson reads it where it is installed, the standard library elsewhere; both accept and refuse the
same texts, which are those of RFC 8259 in UTF-8, with numbers that fit a double, without lone
surrogates, and nested at most ``MAX_DEPTH`` deep.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from depict_reco.api.errors import BodyTooLargeError, InvalidRequestError
from depict_reco.conf import settings

MAX_DEPTH = 100
_DRAINED_BYTES = 67_108_864
_CHUNK_BYTES = 65_536

# to the end where the closing quote is missing, or looking for it would take quadratic time
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', flags=re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")
_SURROGATES = re.compile(
    r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(?P<lone>u[dD][89a-fA-F])|.)", flags=re.DOTALL
)


class Readable(Protocol):
    """What bodies are read from: an HttpRequest, a file."""

    def read(self, size: int, /) -> bytes: ...


class JSONBodyParser(BaseParser):
    """Reads a body as JSON, at most ``MAX_BODY_BYTES`` of it."""

    media_type = "application/json"

    def parse(
        self,
        stream: Readable,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = read_body(stream, limit=settings.MAX_BODY_BYTES)
        if not body:
            raise InvalidRequestError.of("missing", "Field required", loc=("body",))
        try:
            return loads(body)
        except ValueError as error:
            position = getattr(error, "pos", getattr(error, "start", 0))
            raise InvalidRequestError.of(
                "json_invalid", "JSON decode error", loc=("body", position)
            ) from None


def body_stream(request: HttpRequest) -> Readable:
    """Return what the body of a request is read from.

    Under WSGI Django sees no body in a request without Content-Length, although a chunked one has
    a body; servers that mark its end say so, and then it can be read from the source.
    """
    environ = request.META
    if (
        "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        and not environ.get("CONTENT_LENGTH")
        and environ.get("wsgi.input_terminated")
    ):
        source: Readable = environ["wsgi.input"]
        return source
    return request


def read_body(stream: Readable, *, limit: int) -> bytes:
    """Return what a stream holds; raise BodyTooLargeError if that is more than ``limit`` bytes.

    Of a body that is too large the rest is thrown away in small pieces, since most clients read
    the answer only after they have sent everything; there is an end to that patience too.
    """
    body = stream.read(limit + 1)
    if len(body) <= limit:
        return body
    drained = len(body)
    del body
    while drained < _DRAINED_BYTES and (chunk := stream.read(_CHUNK_BYTES)):
        drained += len(chunk)
    raise BodyTooLargeError(limit)


def loads_with_json(body: bytes) -> Any:
    """Parse JSON with the standard library; raise ValueError where orjson would."""
    text = body.decode()
    _check_depth(body)
    if any(match["lone"] for match in _SURROGATES.finditer(text)):
        raise ValueError("A surrogate without its other half.")
    return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant)


def _check_depth(body: bytes) -> None:
    """Raise ValueError if arrays and objects are nested deeper than ``MAX_DEPTH``."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for byte in _STRINGS.sub(b"", body).translate(None, delete=_NO_BRACKETS):
        depth += 1 if byte in _OPENING else -1
        if depth > MAX_DEPTH:
            raise ValueError("Nested too deeply.")


def _integer(text: str) -> int | float:
    number = int(text) if len(text) <= 20 else None
    if number is not None and -(2**63) <= number < 2**64:
        return number
    return _float(text)


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("A number too large for a double.")
    return number


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON.")


def _choose() -> Callable[[bytes], Any]:
    """Return the fastest parser that is installed."""
    if importlib.util.find_spec("orjson") is None:
        return loads_with_json
    import orjson

    def loads_with_orjson(body: bytes) -> Any:
        """Parse JSON with orjson; raise ValueError where the text is not JSON."""
        value = orjson.loads(body)
        _check_depth(body)
        return value

    return loads_with_orjson


loads: Callable[[bytes], Any] = _choose()
