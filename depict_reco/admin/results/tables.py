"""The tables of the page: a line per type, position, market, variant or span of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from depict_reco.admin.results import wording
from depict_reco.admin.results.wording import Told
from depict_reco.analytics.figures import RATES, SEEN, SERVED, Row
from depict_reco.analytics.reports import Breakdown, Step
from depict_reco.analytics.statistics import MIXED

SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table."""

    label: str
    served: Told
    visible: Told
    click_rate: Told
    cart_rate: Told
    conversion: Told
    revenue: Told
    share: Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A report as a table."""

    breakdown: str
    title: str
    head: str
    """Of the column that names the lines."""
    served: bool
    """Whether anybody has counted what was served."""
    lines: tuple[Line, ...]
    more: int
    """Lines that are left out; the CSV file has them."""
    csv_url: str


def table_of(
    rows: Sequence[Row],
    breakdown: Breakdown,
    *,
    currency: str,
    step: Step,
    csv_url: str,
    own: Mapping[str, str] | None = None,
) -> Table:
    """Return a report as a table, its amounts in one currency, or in that of each line's own."""
    own = own or {}
    title, head = _titles()[breakdown]
    longest = {name: wording.longest_of(rows, name) for name in RATES}
    bars = breakdown != Breakdown.TIME
    return Table(
        breakdown=breakdown.value,
        title=title,
        head=head,
        served=any(row.now.served or row.before.served for row in rows),
        lines=tuple(
            Line(
                label=_label(row.label, breakdown, step),
                served=wording.amount(row, "served"),
                visible=wording.amount(row, "visible"),
                revenue=wording.revenue(row, own.get(row.label, currency)),
                share=wording.share(row, own.get(row.label, currency)),
                **{
                    name: wording.rate(row, name, longest=longest[name] if bars else None)
                    for name in RATES
                },
            )
            for row in rows[:SHOWN]
        ),
        more=max(0, len(rows) - SHOWN),
        csv_url=csv_url,
    )


def cards_of(total: Row, currencies: Sequence[str]) -> list[tuple[str, str, Told]]:
    """Return what stands in large print: heading, explanation and figure."""
    of = {
        SEEN: _("clicks per recommendation seen"),
        SERVED: _("clicks per recommendation served (estimate)"),
        MIXED: _("clicks per recommendation seen, or served (estimate) where none is reported"),
    }
    cards = [
        (_("Click rate"), of[total.now.click_rate.basis], wording.rate(total, "click_rate")),
        (_("Add-to-cart rate"), _("added to the cart per click"), wording.rate(total, "cart_rate")),
        (_("Conversion"), _("orders per click"), wording.rate(total, "conversion")),
    ]
    for currency in currencies:
        cards += [
            (
                _("Attributed revenue"),
                _("after a click, or a page that was opened by its recommendation id"),
                wording.revenue(total, currency),
            ),
            (_("Share of revenue"), _("attributed, of all sales"), wording.share(total, currency)),
        ]
    return cards


def _titles() -> dict[Any, tuple[str, str]]:
    return {
        Breakdown.TYPE: (_("By type"), _("Type")),
        Breakdown.POSITION: (_("By position"), _("Position")),
        Breakdown.MARKET: (_("By market"), _("Market")),
        Breakdown.VARIANT: (_("By variant"), _("Variant")),
        Breakdown.TIME: (_("Over time"), _("From")),
    }


def _label(label: str, breakdown: Breakdown, step: Step) -> str:
    if breakdown != Breakdown.TIME:
        return label
    pattern = "YEAR_MONTH_FORMAT" if step == Step.MONTH else "DATE_FORMAT"
    return str(date_format(date.fromisoformat(label), pattern))
