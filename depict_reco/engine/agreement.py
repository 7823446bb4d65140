"""How alike two rankings are, without saying which is better.

Rankings need not name the same items, nor as many: both measures are for the first places of
long lists of which the rest is not known.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def overlap(first: Sequence[Hashable], second: Sequence[Hashable], *, k: int) -> float | None:
    """Return which share of the first ``k`` places two rankings have in common, in any order.

    Parameters
    ----------
    first, second
        Items, best first, each at most once.
    k
        Places that count, at least 1; fewer where both rankings are shorter.

    Returns
    -------
    float or None
        Between 0 (nothing in common) and 1; None if both rankings are empty.
    """
    one, other = set(first[:k]), set(second[:k])
    places = max(len(one), len(other))
    return len(one & other) / places if places else None


def rank_biased_overlap(
    first: Sequence[Hashable], second: Sequence[Hashable], *, p: float = 0.9
) -> float | None:
    """Return the rank-biased overlap of two rankings, extrapolated from what is known of them.

    Parameters
    ----------
    first, second
        Items, best first, each at most once; of any lengths.
    p
        Chance, between 0 and 1, that a reader of a ranking looks at the next place: with 0.9 the
        first ten places carry 86 % of the weight.

    Returns
    -------
    float or None
        Between 0 (nothing in common) and 1 (equal); None if both rankings are empty.

    Notes
    -----
    RBO_EXT for lists of uneven lengths: Webber, Moffat and Zobel, "A similarity measure for
    indefinite rankings", ACM TOIS 28 (4), 2010, equation 32.
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}, but must lie between 0 and 1")
    short, long = sorted((list(first), list(second)), key=len)
    s, n = len(short), len(long)
    if not s:
        return 0.0 if n else None
    in_short: set[Hashable] = set()
    in_long: set[Hashable] = set()
    common, common_at_s, total = 0, 0, 0.0
    for depth in range(1, n + 1):
        item = long[depth - 1]
        in_long.add(item)
        common += item in in_short
        if depth <= s:
            other = short[depth - 1]
            in_short.add(other)
            common += other in in_long
            common_at_s = common
        agreement = common / depth
        if depth > s:
            agreement += common_at_s * (depth - s) / (s * depth)
        total += agreement * p**depth
    rest = ((common - common_at_s) / n + common_at_s / s) * p**n
    return (1 - p) / p * total + rest
