"""A report as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from django.http import HttpResponse

from depict_reco.analytics.figures import COUNTS, RATES, Figures, Row
from depict_reco.analytics.reports import Breakdown
from depict_reco.events.export import harmless

_REVENUES = {
    "direct": "direct_revenue",
    "assisted": "assisted_revenue",
    "all": "all_revenue",
    "attributed_share": "attributed_share",
}


def csv_response(rows: Sequence[Row], breakdown: Breakdown, *, name: str) -> HttpResponse:
    """Return all lines of a report, unrounded, each with the period before behind it.

    The first column has the name of the breakdown; there are columns of money for each currency.
    """
    currencies = list(
        dict.fromkeys(
            one.currency for row in rows for side in (row.now, row.before) for one in side.revenue
        )
    )
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.write("\ufeff")  # spreadsheets take it for UTF-8 only so
    writer = csv.writer(response)
    heads = _heads(currencies)
    writer.writerow([breakdown.value, *heads, *(f"{head}_before" for head in heads)])
    for row in rows:
        now, before = (_cells(one, currencies) for one in (row.now, row.before))
        writer.writerow([harmless(row.label), *now, *before])
    return response


def _heads(currencies: Sequence[str]) -> list[str]:
    return [
        *("served_estimate" if name == "served" else name for name in COUNTS),
        *(f"{name}{end}" for name in RATES for end in ("", "_low", "_high")),
        *(f"{name}_{currency}" for currency in currencies for name in _REVENUES.values()),
    ]


def _cells(figures: Figures, currencies: Sequence[str]) -> list[object]:
    cells: list[object] = [getattr(figures, name) for name in COUNTS]
    for name in RATES:
        rate = getattr(figures, name)
        cells += [rate.value, rate.low, rate.high]
    for currency in currencies:
        revenue = figures.revenue_in(currency)
        cells += [getattr(revenue, name) for name in _REVENUES]
    return cells
