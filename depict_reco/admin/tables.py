"""JSON that was measured or reported, as tables that a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import localize, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

_LIST_SHOWN = 20
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def money(amount: Decimal | None, currency: str) -> str:
    """Return an amount as people write it: at least two decimals, no needless zeros."""
    if amount is None:
        return ""
    exponent = amount.normalize().as_tuple().exponent
    decimals = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{number_format(amount, decimal_pos=decimals)} {currency}".strip()


def moment(time: datetime | None) -> str:
    """Return a time as the admin writes times."""
    return "-" if time is None else str(localize(_local(time)))


def day(time: datetime) -> str:
    """Return the day of a time as the admin writes days."""
    return str(localize(_local(time).date()))


def _local(time: datetime) -> datetime:
    return timezone.localtime(time) if timezone.is_aware(time) else time


def text_of(value: Any) -> str:
    """Return a scalar or a short list as text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-4 <= abs(value) < 1000 or value == 0 else f"{value:,.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(text_of(entry) for entry in value[:_LIST_SHOWN])
        return f"{shown} …" if len(value) > _LIST_SHOWN else shown
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(entry)}" for key, entry in value.items())
    return _maybe_time(str(value))


def _maybe_time(text: str) -> str:
    """Return an ISO time as the admin writes times, and any other text as it is."""
    if _TIME.match(text):
        with suppress(ValueError):
            return moment(datetime.fromisoformat(text))
    return text


def rows_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString:
    """Return a table with a head; cells are escaped unless they are marked safe."""
    return format_html(
        '<table class="reco-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col">{}</th>', ((header,) for header in headers)),
        format_html_join(
            "",
            "<tr>{}</tr>",
            (
                (
                    format_html_join(
                        "",
                        "<td>{}</td>",
                        ((c if hasattr(c, "__html__") else text_of(c),) for c in row),
                    ),
                )
                for row in rows
            ),
        ),
    )


def mapping_table(mapping: Mapping[str, Any]) -> SafeString:
    """Return a mapping as a table: scalars as lines, groups of groups as a grid.

    ``{"model": {"hr": 0.3, "mrr": 0.1}, "popular": {"hr": 0.1, "mrr": 0.0}}`` becomes a grid
    with a line for each model and a column for each measure.
    """
    if not mapping:
        return format_html("{}", "-")
    if _is_grid(mapping):
        columns = list(dict.fromkeys(key for inner in mapping.values() for key in inner))
        return rows_table(
            ["", *columns],
            ([_head(name), *(inner.get(c) for c in columns)] for name, inner in mapping.items()),
        )
    return format_html(
        '<table class="reco-table"><tbody>{}</tbody></table>',
        format_html_join(
            "",
            '<tr><th scope="row">{}</th><td>{}</td></tr>',
            (
                (
                    _spoken(name),
                    mapping_table(value)
                    if isinstance(value, Mapping) and value
                    else text_of(value),
                )
                for name, value in mapping.items()
            ),
        ),
    )


def _is_grid(mapping: Mapping[str, Any]) -> bool:
    return len(mapping) > 1 and all(
        isinstance(inner, Mapping)
        and inner
        and not any(isinstance(value, Mapping) for value in inner.values())
        for inner in mapping.values()
    )


def _head(name: str) -> SafeString:
    return format_html("<strong>{}</strong>", _spoken(name))


def _spoken(name: str) -> str:
    return str(name).replace("_", " ")
