"""Fields that accept exactly what a JSON Schema of the contract accepts.

DRF's own fields are lenient (``"5"`` is a number to them, ``5`` a string); these are not. Their
messages and codes are pydantic's, in English whatever the language of the request: programs
read them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty
from rest_framework.settings import api_settings

from depict_reco.api.errors import MAX_ERRORS

_MISSING = [ErrorDetail("Field required", code="missing")]
_EXTRA = [ErrorDetail("Extra inputs are not permitted", code="extra_forbidden")]

_NO_OBJECT = [
    ErrorDetail(
        "Input should be a valid dictionary or object to extract fields from",
        code="model_attributes_type",
    )
]


class StrictStringField(serializers.CharField):
    """A JSON string, taken as it is."""

    default_error_messages = {
        "string_type": "Input should be a valid string",
        "string_too_short": "String should have at least {least}",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_blank", not kwargs.get("min_length"))
        super().__init__(trim_whitespace=False, **kwargs)

    @property
    def takes_any(self) -> bool:
        """Whether every string will do, so that nobody need ask."""
        return not self.min_length

    def run_validation(self, data: Any = empty) -> str | None:
        if isinstance(data, str):
            if self.min_length and len(data) < self.min_length:
                self.fail("string_too_short", least=_count(self.min_length, "character"))
            return data
        if data is None and self.allow_null:
            return None
        self.fail("string_type")


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction: 5 and 5.0, but neither true nor "5"."""

    default_error_messages = {
        "int_type": "Input should be a valid integer",
        "int_from_float": "Input should be a valid integer, got a number with a fractional part",
        "greater_than_equal": "Input should be greater than or equal to {min_value}",
        "less_than_equal": "Input should be less than or equal to {max_value}",
    }

    def run_validation(self, data: Any = empty) -> int | None:
        if data is None and self.allow_null:
            return None
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("int_type")
        if isinstance(data, float) and not data.is_integer():
            self.fail("int_from_float")
        if self.min_value is not None and data < self.min_value:
            self.fail("greater_than_equal", min_value=self.min_value)
        if self.max_value is not None and data > self.max_value:
            self.fail("less_than_equal", max_value=self.max_value)
        return int(data)


class StrictStringOrNumberField(StrictStringField):
    """A JSON string or number, taken as it is; ``true`` is neither."""

    default_error_messages = {
        "string_type": "Input should be a valid string or number",
        "greater_than_equal": "Input should be greater than or equal to {least}",
    }

    def __init__(self, *, least: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least
        """Of numbers; texts are not looked into."""

    def run_validation(self, data: Any = empty) -> Any:
        if isinstance(data, int | float) and not isinstance(data, bool):
            if self.least is not None and data < self.least:
                self.fail("greater_than_equal", least=self.least)
            return data
        return super().run_validation(data)


class StrictChoiceField(serializers.ChoiceField):
    """One of a few JSON strings."""

    default_error_messages = {"enum": "Input should be {expected}"}

    def run_validation(self, data: Any = empty) -> str | None:
        if data is None and self.allow_null:
            return None
        if not isinstance(data, str) or data not in self.choices:
            *others, last = (repr(str(choice)) for choice in self.choices)
            self.fail("enum", expected=f"{', '.join(others)} or {last}" if others else last)
        return data


class StrictListField(serializers.ListField):
    """A JSON array whose items the child field accepts."""

    default_error_messages = {
        "list_type": "Input should be a valid list",
        "too_short": "List should have at least {least} after validation, not {actual}",
        "too_long": "List should have at most {most} after validation, not {actual}",
    }

    def run_validation(self, data: Any = empty) -> list[Any] | None:
        if data is None and self.allow_null:
            return None
        if not isinstance(data, list):
            self.fail("list_type")
        if self.min_length is not None and len(data) < self.min_length:
            self.fail("too_short", least=_count(self.min_length, "item"), actual=len(data))
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("too_long", most=_count(self.max_length, "item"), actual=len(data))
        if _takes_any(self.child) and {str}.issuperset(map(type, data)):
            return data
        values = _validate_each(self.child, enumerate(data))
        return list(values.values())


class StrictDictField(serializers.DictField):
    """A JSON object whose values the child field accepts."""

    default_error_messages = {"dict_type": "Input should be a valid dictionary"}

    def run_validation(self, data: Any = empty) -> dict[str, Any] | None:
        if data is None and self.allow_null:
            return None
        if not isinstance(data, dict):
            self.fail("dict_type")
        return _validate_each(self.child, data.items())


class StrictSerializer(serializers.Serializer[Any]):
    """A JSON object with these fields.

    ``run_validation`` keeps nothing on the serializer, so that one instance with its fields
    serves all requests: making DRF's fields anew for each costs more than using them.
    """

    refuses_unknown_fields = True
    ignores: frozenset[str] = frozenset()
    """Fields that may be there, whatever they hold, and that nobody reads."""

    @cached_property
    def _strict_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return dict(self.fields)

    @cached_property
    def _any_string(self) -> frozenset[str]:
        """The fields that take every string as it is."""
        return frozenset(name for name, field in self._strict_fields.items() if _takes_any(field))

    def run_validation(self, data: Any = empty) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: _NO_OBJECT})
        fields = self._strict_fields
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in fields.items():
            if name in data:
                if type(data[name]) is str and name in self._any_string:
                    values[name] = data[name]  # most of them, and a call costs more than a look
                    continue
                try:
                    values[name] = field.run_validation(data[name])
                except ValidationError as error:
                    errors[name] = error.detail
            elif field.required:
                errors[name] = _MISSING
            elif field.default is not empty:
                values[name] = field.get_default()
        if self.refuses_unknown_fields and not data.keys() <= fields.keys():
            unknown = (name for name in data if name not in fields and name not in self.ignores)
            errors.update(
                (name, _EXTRA) for name, _ in zip(unknown, range(MAX_ERRORS), strict=False)
            )
        if errors:
            raise ValidationError(errors)
        return values


def _takes_any(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    return type(field) is StrictStringField and field.takes_any


def _validate_each(child: serializers.Field[Any, Any, Any, Any], items: Any) -> dict[Any, Any]:
    """Return what a field makes of each (key, value); raise with the details of those refused."""
    values: dict[Any, Any] = {}
    errors: dict[Any, Any] = {}
    for key, value in items:
        try:
            values[key] = child.run_validation(value)
        except ValidationError as error:
            errors[key] = error.detail
            if len(errors) >= MAX_ERRORS:
                break
    if errors:
        raise ValidationError(errors)
    return values


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
