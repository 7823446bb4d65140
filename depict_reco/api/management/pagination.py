"""Pages of the management API: by cursor, so that page 1,000 costs what page 1 does."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

MAX_PAGE_SIZE = 1000


class OldestFirst(CursorPagination):
    """In the order in which the rows were made."""

    ordering = "pk"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size")
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_PAGE_SIZE):
            raise ValidationError(
                {"page_size": [_("Use a number from 1 to %(max)s.") % {"max": MAX_PAGE_SIZE}]}
            )
        return int(text)

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        position = None if cursor is None or cursor.position is None else str(cursor.position)
        # positions are primary keys; whatever else somebody writes must not reach the database
        if position is not None and not (
            position.isascii() and position.isdecimal() and len(position) < 19
        ):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins: from `next` or `previous` of an answer.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": "Rows in a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_PAGE_SIZE,
                    "default": self.page_size,
                },
            },
        ]


class NewestFirst(OldestFirst):
    """What happened last comes first."""

    ordering = "-pk"
