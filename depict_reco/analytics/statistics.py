"""How sure a rate is, and whether two of them differ by more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""Standard deviations that hold 95 % of a normal distribution."""
MIXED = "mixed"
"""Basis of a rate whose trials are of several kinds."""
_LEAST_EXPECTED = 5
"""Below so many expected hits or misses the normal approximation says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of trials that hit, such as clicks of displays seen."""

    hits: int
    trials: int
    basis: str = ""
    """What the trials are, where that is not always the same."""

    @property
    def value(self) -> float | None:
        """None where there is no trial, or where there are more hits than trials."""
        return self.hits / self.trials if 0 <= self.hits <= self.trials > 0 else None

    @property
    def low(self) -> float | None:
        """Lower end of the interval that holds the true rate with 95 % confidence."""
        return None if (ends := self._interval()) is None else ends[0]

    @property
    def high(self) -> float | None:
        """Upper end of the same interval."""
        return None if (ends := self._interval()) is None else ends[1]

    def _interval(self) -> tuple[float, float] | None:
        """Wilson's score interval, which holds for few trials and for rates near 0, too."""
        if (share := self.value) is None:
            return None
        n, square = self.trials, Z * Z
        middle = (share + square / (2 * n)) / (1 + square / n)
        half = Z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
        low = 0.0 if self.hits == 0 else max(0.0, middle - half)
        high = 1.0 if self.hits == n else min(1.0, middle + half)
        return low, high


def differ(one: Rate, other: Rate) -> bool | None:
    """Whether two rates differ at the 5 % level; None where there is too little to say.

    Nothing is said of rates whose trials are not the same kind of thing.

    The two-proportion z-test with the pooled rate.
    """
    if one.value is None or other.value is None or MIXED in (one.basis, other.basis):
        return None
    if one.basis != other.basis:
        return None
    pooled = (one.hits + other.hits) / (one.trials + other.trials)
    smaller = min(one.trials, other.trials)
    if smaller * min(pooled, 1 - pooled) < _LEAST_EXPECTED:
        return None
    error = math.sqrt(pooled * (1 - pooled) * (1 / one.trials + 1 / other.trials))
    return abs(one.value - other.value) > Z * error
