"""The numbers that the page's script draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.utils.translation import gettext as _

from depict_reco.analytics.figures import Row
from depict_reco.analytics.statistics import Rate


def charts_of(over_time: Sequence[Row], by_position: Sequence[Row], currency: str) -> list[Any]:
    """Return what each chart shows: its place on the page, names, and columns of numbers."""
    days = [_seconds(row.label) for row in over_time]
    rates = {"click_rate": _("Click rate"), "cart_rate": _("Add-to-cart rate"),
             "conversion": _("Conversion")}  # fmt: skip
    charts = [
        _rates(f"reco-chart-{name}", title, days, over_time, name, time=True)
        for name, title in rates.items()
    ]
    now = [_revenue(row.now, currency) for row in over_time]
    before = [_revenue(row.before, currency) for row in over_time]
    charts.append(
        {
            "id": "reco-chart-revenue",
            "title": _("Attributed revenue"),
            "unit": currency,
            "time": True,
            "x_label": _("From"),
            "x": days,
            "series": [
                {"label": _("this period"), "values": now},
                {"label": _("period before"), "values": before, "before": True},
            ],
        }
    )
    places = [int(row.label) for row in by_position]
    charts.append(
        _rates(
            "reco-chart-position", _("Click rate by position"), places, by_position, "click_rate",
            time=False,
        )
    )  # fmt: skip
    return charts


def _rates(
    place: str, title: str, x: list[int], rows: Sequence[Row], measure: str, *, time: bool
) -> dict[str, Any]:
    now: list[Rate] = [getattr(row.now, measure) for row in rows]
    before: list[Rate] = [getattr(row.before, measure) for row in rows]
    return {
        "id": place,
        "title": title,
        "unit": "%",
        "time": time,
        "x_label": _("From") if time else _("Position"),
        "x": x,
        "series": [
            {
                "label": _("this period"),
                "values": [_hundredths(one.value) for one in now],
                "low": [_hundredths(one.low) for one in now],
                "high": [_hundredths(one.high) for one in now],
            },
            {
                "label": _("period before"),
                "values": [_hundredths(one.value) for one in before],
                "before": True,
            },
        ],
    }


def _revenue(figures: Any, currency: str) -> float:
    return float(figures.revenue_in(currency).attributed)


def _hundredths(part: float | None) -> float | None:
    return None if part is None else round(100 * part, 4)


def _seconds(day: str) -> int:
    """Return the beginning of a day as seconds in UTC; the script draws days, not hours."""
    found = date.fromisoformat(day)
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp())
