"""How the management API reads and answers: JSON in, JSON out, whatever the project prefers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from depict_reco.api.parsers import loads, read_body
from depict_reco.conf import settings


class Conflict(APIException):
    """The act does not go together with the state that things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = _("This is not possible now.")
    default_code = "conflict"


class BoundedJSONParser(BaseParser):
    """Reads JSON bodies up to ``MANAGEMENT_MAX_BODY_BYTES``."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = read_body(stream, limit=settings.MANAGEMENT_MAX_BODY_BYTES)
        try:
            return loads(body)
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON whatever the client says it prefers, and reads nothing else."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
