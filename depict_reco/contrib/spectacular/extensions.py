"""Extensions of drf-spectacular; importing them is enough, also for a project's own document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiViewExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.fields import empty

from depict_reco.api.authentication import KEY_HEADER, KEY_PARAMETER
from depict_reco.api.event_serializers import CurrencyField, OrderEventField
from depict_reco.api.fields import (
    StrictChoiceField,
    StrictDictField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
    StrictStringField,
    StrictStringOrNumberField,
)
from depict_reco.api.management.schema import ErrorSerializer
from depict_reco.contrib.spectacular.storefront import (
    COMPONENTS,
    OPERATIONS,
    Operation,
    component,
)


class QueryKeyScheme(OpenApiAuthenticationExtension):
    target_class = "depict_reco.api.authentication.QueryKeyAuthentication"
    name = "APIKeyQuery"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "query", "name": KEY_PARAMETER}


class HeaderKeyScheme(OpenApiAuthenticationExtension):
    target_class = "depict_reco.api.authentication.HeaderKeyAuthentication"
    name = "APIKeyHeader"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "header", "name": KEY_HEADER}


class CookieKeyScheme(OpenApiAuthenticationExtension):
    target_class = "depict_reco.api.authentication.CookieKeyAuthentication"
    name = "APIKeyCookie"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": KEY_HEADER}


class StrictSerializerExtension(OpenApiSerializerExtension):
    """Strict serializers accept what a JSON Schema accepts; this is that schema."""

    target_class = "depict_reco.api.fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        fields = self.target.fields
        return {
            "type": "object",
            "title": type(self.target).__name__.removesuffix("Serializer"),
            "properties": {
                name: _property(name, field, auto_schema) for name, field in fields.items()
            },
            "required": [name for name, field in fields.items() if field.required],
            # where unknown fields are let pass, there is still no reason to send any
            "additionalProperties": False,
        }


def _property(name: str, field: serializers.Field, auto_schema: AutoSchema) -> dict[str, Any]:
    schema = _schema_of(field, auto_schema)
    if field.allow_null:
        schema = {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    if "$ref" in schema:
        schema = {"allOf": [schema]}  # its component has a title of its own
    else:
        schema["title"] = _title(name)
    if field.help_text:
        schema["description"] = str(field.help_text)
    if field.default is not empty and not field.required:
        schema["default"] = field.default() if callable(field.default) else field.default
    return schema


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def _titled(name: str) -> dict[str, Any]:
    return {"type": "string", "title": _title(name)}


def _schema_of(field: serializers.Field, auto_schema: AutoSchema) -> dict[str, Any]:
    match field:
        case CurrencyField():
            return {"type": "string", "pattern": field.pattern.pattern}
        case StrictStringOrNumberField():
            number: dict[str, Any] = {"type": "number"}
            if field.least is not None:
                number["minimum"] = field.least
            return {"anyOf": [number, {"type": "string"}]}
        case StrictStringField():
            return {"type": "string", **_bounds(minLength=field.min_length)}
        case StrictChoiceField():
            return _choice(list(field.choices))
        case StrictIntegerField():
            bounds = _bounds(minimum=field.min_value, maximum=field.max_value)
            return {"type": "integer", **bounds}
        case StrictListField():
            bounds = _bounds(minItems=field.min_length, maxItems=field.max_length)
            return {"type": "array", "items": _schema_of(field.child, auto_schema), **bounds}
        case StrictDictField():
            return {"type": "object", "additionalProperties": _schema_of(field.child, auto_schema)}
        case StrictSerializer():
            reference: dict[str, Any] = auto_schema.resolve_serializer(field, "response").ref
            return reference
        case OrderEventField():
            return {"anyOf": [_schema_of(option, auto_schema) for option in field.options.values()]}
    raise TypeError(f"{type(field).__name__} has no schema")


def _choice(choices: list[str]) -> dict[str, Any]:
    if len(choices) == 1:
        return {"const": choices[0]}
    return component(next(n for n, one in COMPONENTS.items() if one.get("enum") == choices))


def _bounds(**limits: int | None) -> dict[str, int]:
    return {name: limit for name, limit in limits.items() if limit}


class StorefrontSchema(AutoSchema):
    """Tells what the table of operations has for a view."""

    view: Any

    @property
    def _operation(self) -> Operation:
        return OPERATIONS[type(self.view).__name__]

    def get_operation_id(self) -> str:
        return self._operation.id

    def get_tags(self) -> list[str]:
        return [self._operation.tag]

    def get_summary(self) -> str:
        return self._operation.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self._operation.description

    def get_request_serializer(self) -> Any:
        return self.view.serializer

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        if isinstance(serializer, StrictListField):
            return {**_schema_of(serializer, self), "title": "Request"}, True
        return super()._get_request_for_media_type(serializer, direction)

    def is_deprecated(self) -> bool:
        return self._operation.deprecated

    def get_override_parameters(self) -> list[Any]:
        if self.method == "GET":
            return [
                OpenApiParameter(
                    name, _titled(name), required=True, description=str(field.help_text)
                )
                for name, field in self.view.serializer.fields.items()
            ]
        if self._operation.tag.startswith("Recommendations"):
            return [_REFERER]
        return [*_OF_EVENTS] if self._operation.reads_headers else []

    def get_response_serializers(self) -> Any:
        return _REFUSALS if self.method == "GET" else {**_REFUSALS, 413: _TOO_LARGE}

    def map_renderers(self, attribute: str) -> list[str]:
        return ["application/json"]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answer: dict[str, Any] = {"schema": self._operation.answer}
        if self._operation.example is not None:
            answer["example"] = self._operation.example
        done = {"description": "Successful Response", "content": {"application/json": answer}}
        return {"200": done, **super()._get_response_bodies(direction)}

    def _get_serializer_name(self, serializer: Any, direction: Any, *args: Any) -> str:
        # bodies of requests and answers have names of their own in the contract
        name: str = super()._get_serializer_name(serializer, "response", *args)
        return name


_REFERER = OpenApiParameter(
    "referer",
    _titled("referer"),
    OpenApiParameter.HEADER,
    description="The page; its origin counts where the header Origin is absent.",
)
_OF_EVENTS = (
    _REFERER,
    *(
        OpenApiParameter(
            name,
            {"type": "string", "title": name.title()},
            OpenApiParameter.HEADER,
            description=description,
        )
        for name, description in (
            ("user-agent", "Accepted and not used."),
            ("x-forwarded-for", "Counts requests per address, as far as proxies are trusted."),
            ("x-forwarded-host", "Accepted and not used."),
        )
    ),
)
_TOO_LARGE = OpenApiResponse(ErrorSerializer, description="The body is too large.")
_REFUSALS = {
    401: OpenApiResponse(ErrorSerializer, description="No key, or not a valid one."),
    403: OpenApiResponse(ErrorSerializer, description="The key of another shop, or a closed shop."),
    422: OpenApiResponse(component("HTTPValidationError"), description="Validation Error"),
    429: OpenApiResponse(ErrorSerializer, description="Too many requests; see `Retry-After`."),
    503: OpenApiResponse(ErrorSerializer, description="Not at the moment; see `Retry-After`."),
}


class StorefrontExtension(OpenApiViewExtension):
    """The storefront's views answer bytes that serving has made; this says what is in them."""

    target_class = "depict_reco.api.views.StorefrontView"
    match_subclasses = True

    def view_replacement(self) -> type:
        view = self.target
        if view.__name__ not in OPERATIONS:
            return view
        return type(view.__name__, (view,), {"schema": StorefrontSchema()})
