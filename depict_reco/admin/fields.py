"""Form fields over JSON columns, for people who do not write JSON, and for those who do."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

_DEPTH = 20


class ListField(forms.CharField):
    """A JSON list of strings, edited one per line.

    With ``inline`` it is one line, the strings set apart by commas or blanks.
    """

    def __init__(self, *, inline: bool = False, rows: int = 4, **kwargs: Any) -> None:
        self.inline = inline
        widget: forms.Widget = (
            forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false"})
            if inline
            else forms.Textarea(
                attrs={"class": "vLargeTextField", "rows": rows, "spellcheck": "false"}
            )
        )
        super().__init__(**{"required": False, "widget": widget, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return (", " if self.inline else "\n").join(str(entry) for entry in value)
        return value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        parts = re.split(r"[,\s]+", text) if self.inline else text.splitlines()
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(data) != (initial or [])


class PriceField(forms.DecimalField):
    """An amount without the zeros that the column adds: 2.95, not 2.9500."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"required": False, "max_digits": 14, "decimal_places": 4, "min_value": 0, **kwargs}
        )
        self.widget.attrs["class"] = "vIntegerField"

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Decimal):
            return value
        plain = f"{value.normalize():f}"
        whole, _point, cents = plain.partition(".")
        return f"{whole}.{cents:0<2}"


class JsonField(forms.JSONField):
    """A JSON object, laid out for reading; says where the text is wrong."""

    def __init__(self, *, rows: int = 5, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs["widget"] = forms.Textarea(
            attrs={"class": "vLargeTextField reco-json", "rows": rows, "spellcheck": "false"}
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value or {}, ensure_ascii=False, indent=2)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else InvalidJSONInput(data or "")

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict) or self.disabled:
            return value
        if not value or not value.strip():
            return {}
        parsed = _parsed(value)
        if not isinstance(parsed, dict):
            raise ValidationError(
                _("This must be a JSON object: begin with { and end with }."), code="not_object"
            )
        return parsed


def _parsed(text: str) -> Any:
    try:
        parsed = json.loads(text, parse_constant=_refused)
        if _depth(parsed) > _DEPTH:
            raise ValidationError(_("This is nested too deeply."), code="depth")
        if "\\u0000" in json.dumps(parsed):
            raise ValidationError(_("Null characters are not allowed."), code="null")
    except json.JSONDecodeError as problem:
        raise ValidationError(
            _("Not valid JSON in line %(line)d, column %(column)d: %(problem)s."),
            code="invalid",
            params={"line": problem.lineno, "column": problem.colno, "problem": problem.msg},
        ) from None
    except RecursionError:
        raise ValidationError(_("This is nested too deeply."), code="depth") from None
    return parsed


def _refused(name: str) -> Any:
    raise ValidationError(
        _("%(name)s is not a JSON value."), code="constant", params={"name": name}
    )


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max((_depth(entry) for entry in value), default=0)
    return 0
