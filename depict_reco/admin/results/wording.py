"""Figures as people read them: with their certainty, and with what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from depict_reco.analytics.figures import Change, Row
from depict_reco.analytics.statistics import Rate

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One figure, the one before, and what to think of the difference."""

    value: str
    interval: str = ""
    """Between which bounds the true rate lies with 95 % confidence."""
    count: str = ""
    """What the rate was counted from."""
    before: str = ""
    change: str = ""
    trend: str = ""
    """``up`` or ``down`` where chance hardly explains it; empty otherwise."""
    bar: tuple[str, str, str] | None = None
    """Length of a bar, begin and length of its interval, in hundredths of the longest."""


def rate(row: Row, measure: str, *, longest: float | None = None) -> Told:
    """Tell a rate of a row; ``longest`` is the rate that a bar of full length stands for."""
    now: Rate = getattr(row.now, measure)
    change = row.change(measure)
    low, high = now.low, now.high
    return Told(
        value=percent(now.value),
        interval=""
        if low is None or high is None
        else _("%(low)s to %(high)s") % {"low": percent(low), "high": percent(high)},
        count=_("%(hits)s of %(trials)s") % {"hits": whole(now.hits), "trials": whole(now.trials)},
        before=percent(change.before),
        change=relative(change),
        trend=_trend(change),
        bar=_bar(now, longest),
    )


def amount(row: Row, measure: str) -> Told:
    """Tell a number of a row that was counted."""
    change = row.change(measure)
    return Told(
        value=whole(getattr(row.now, measure)),
        before=whole(getattr(row.before, measure)),
        change=relative(change),
    )


def revenue(row: Row, currency: str) -> Told:
    """Tell the attributed revenue of a row."""
    now, before = row.now.revenue_in(currency), row.before.revenue_in(currency)
    return Told(
        value=money(now.attributed, currency),
        count=_("%(direct)s direct, %(assisted)s assisted")
        % {"direct": money(now.direct), "assisted": money(now.assisted)},
        before=money(before.attributed, currency),
        change=relative(row.revenue_change(currency)),
    )


def share(row: Row, currency: str) -> Told:
    """Tell the attributed share of all revenue."""
    now, before = row.now.revenue_in(currency), row.before.revenue_in(currency)
    change = Change(now=now.attributed_share, before=before.attributed_share)
    return Told(
        value=percent(now.attributed_share),
        count=money(now.all, currency),
        before=percent(before.attributed_share),
        change=relative(change),
    )


def percent(part: float | None) -> str:
    """Return a share with as many digits as tell something."""
    if part is None:
        return NOTHING
    hundredths = 100 * part
    places = 2 if 0 < hundredths < 10 else 1 if 10 <= hundredths < 100 else 0
    return f"{_rounded(hundredths, places)} %"


def whole(number: int) -> str:
    return str(number_format(number, use_l10n=True, force_grouping=True))


def money(value: Decimal, currency: str = "") -> str:
    """Return an amount; the hundredths of large ones are noise."""
    places = 0 if abs(value) >= 1000 else 2
    return f"{_rounded(value, places)} {currency}".strip()


def relative(change: Change) -> str:
    """Return by how much something grew or shrank, with its sign."""
    if change.relative is None:
        return ""
    hundredths = 100 * change.relative
    places = 0 if abs(hundredths) >= 10 else 1
    text = _rounded(abs(hundredths), places)
    sign = "+" if hundredths > 0 else "\N{MINUS SIGN}" if hundredths < 0 else "±"
    return f"{sign}{text} %"


def _rounded(value: Decimal | float, places: int) -> str:
    # number_format() would cut the other digits off
    text = number_format(Decimal(f"{value:.{places}f}"), use_l10n=True, force_grouping=True)
    return str(text)


def _trend(change: Change) -> str:
    if not change.significant or change.difference is None:
        return ""
    return "up" if change.difference > 0 else "down"


def _bar(now: Rate, longest: float | None) -> tuple[str, str, str] | None:
    if not longest or now.value is None or now.low is None or now.high is None:
        return None
    low, high = now.low / longest, min(1.0, now.high / longest)
    return _hundredths(now.value / longest, low, max(0.0, high - low))


def _hundredths(*parts: float) -> Any:
    return tuple(f"{100 * min(1.0, part):.1f}" for part in parts)


def longest_of(rows: Sequence[Row], measure: str) -> float | None:
    """Return the highest rate among rows, for bars to be compared by.

    By the upper end of its interval: but one that is sure of nothing would dwarf the others, so
    at most double the highest rate.
    """
    rates: list[Rate] = [getattr(row.now, measure) for row in rows]
    values = [one.value for one in rates if one.value is not None]
    highs = [one.high for one in rates if one.high is not None]
    return min(max(highs), 2 * max(values)) or None if values else None
