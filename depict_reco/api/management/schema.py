"""What the OpenAPI document says of the management API beyond its fields: names and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, OpenApiTypes
from rest_framework import serializers

JSON = "application/json"


class ErrorSerializer(serializers.Serializer):
    """Why a request was refused."""

    detail = serializers.CharField()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """What an action reads and answers, where that is not just the view's serializer."""

    request: type[serializers.BaseSerializer] | None = None
    answer: type[serializers.BaseSerializer] | None = None
    """None: the view's serializer."""
    status: int = 200
    single: bool = False
    """Whether a list is answered in one object of its own, not in pages."""
    media_types: tuple[str, ...] = (JSON,)
    """All but JSON are answered as text."""


_REFUSALS = {
    400: OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="Not valid: per field the reasons, or `detail` if it cannot be read at all.",
    ),
    401: OpenApiResponse(ErrorSerializer, description="No key or session, or not a valid one."),
    403: OpenApiResponse(ErrorSerializer, description="The key or the person may not do this."),
    404: OpenApiResponse(ErrorSerializer, description="There is none, or it is another tenant's."),
    409: OpenApiResponse(ErrorSerializer, description="Not possible in the present state."),
    413: OpenApiResponse(ErrorSerializer, description="The body is too large."),
    415: OpenApiResponse(ErrorSerializer, description="The body is not JSON."),
}


_SUMMARIES = {
    "list": "List {rows}",
    "retrieve": "Show {row}",
    "create": "Add {row}",
    "partial_update": "Change {row}",
    "destroy": "Delete {row}",
}


class ManagementSchema(AutoSchema):
    """Names operations by resource and act, wherever a project mounts them."""

    view: Any

    def get_operation_id(self) -> str:
        return f"management_{self.view.basename}_{self.view.action}".replace("-", "_")

    def get_summary(self) -> str:
        if text := getattr(self.view, self.view.action).__doc__:
            return str(text).splitlines()[0].rstrip(".")
        rows = self.view.basename.replace("-", " ")
        row = rows[:-3] + "y" if rows.endswith("ies") else rows[:-1]
        article = "an" if row[0] in "aeiou" else "a"
        return _SUMMARIES[self.view.action].format(rows=rows, row=f"{article} {row}")

    def get_tags(self) -> list[str]:
        return [f"Management: {self.view.basename}"]

    def get_request_serializer(self) -> Any:
        bodies = self.view.bodies.get(self.view.action)
        return super().get_request_serializer() if bodies is None else bodies.request

    def get_response_serializers(self) -> Any:
        bodies = self.view.bodies.get(self.view.action)
        if bodies is None:
            return super().get_response_serializers()
        answer = bodies.answer or self.view.serializer_class
        return {
            (bodies.status, kind): answer if kind == JSON else OpenApiTypes.STR
            for kind in bodies.media_types
        }

    def _is_list_view(self, serializer: Any = None) -> bool:
        bodies = self.view.bodies.get(self.view.action)
        if bodies is not None and bodies.single:
            return False
        return bool(super()._is_list_view(serializer))

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._refusals():
            bodies[str(status)] = self._get_response_for_code(
                _REFUSALS[status], str(status), media_types=[JSON]
            )
        return bodies

    def _refusals(self) -> list[int]:
        statuses = {401, 403}
        lists = self.view.action == "list"
        if self.get_request_serializer() is not None or lists:
            statuses.add(400)
        if lists or "{" in self.path:
            statuses.add(404)
        if self.method in ("POST", "PATCH"):
            statuses |= {409, 413, 415}
        return sorted(statuses)
