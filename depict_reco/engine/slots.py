"""Telling apart numbers that repeat, without sorting them.

A slot for each number that may occur says where it was met last. Making the slots anew for each
question costs more than the question, so each thread keeps its own and leaves them clean.
"""

from __future__ import annotations

import functools
import threading

import numpy as np
from numpy.typing import NDArray

MOST = 1 << 22
"""Slots that a thread keeps at most; each takes 4 bytes."""

_FEWEST = 1 << 16


def distinct(
    numbers: NDArray[np.integer], *, size: int, newest: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.integer]]:
    """Return where each distinct number stands last, and which of them each number is.

    Parameters
    ----------
    numbers
        int (n,), from 0 to ``size`` - 1; may repeat.
    newest
        False where any of the places of a number will do, which is found sooner.

    Returns
    -------
    places
        int (k,), in no order; ``numbers[places]`` are the k distinct numbers.
    ranks
        int (n,), from 0 to k - 1; ``numbers[places][ranks]`` are the numbers.
    """
    if size > MOST:
        return _by_sorting(numbers)
    kept = _of_this_thread()
    last: NDArray[np.int32] | None = getattr(kept, "slots", None)
    if last is None or len(last) < size:
        last = np.full(max(_FEWEST, 1 << (size - 1).bit_length()), -1, dtype=np.int32)
    kept.slots = None  # they are not clean until the end, which an interrupt may prevent
    every = np.arange(len(numbers), dtype=np.int32)
    numbers = numbers.astype(np.intp)  # once, or each look-up does it
    if newest:
        np.maximum.at(last, numbers, every)
    else:
        last[numbers] = every  # numpy does not promise which of them stays
    places = (last.take(numbers) == every).nonzero()[0]
    found = numbers.take(places)
    last[found] = every[: len(found)]
    ranks = last.take(numbers)
    last[found] = -1
    kept.slots = last
    return places, ranks


def _by_sorting(
    numbers: NDArray[np.integer],
) -> tuple[NDArray[np.intp], NDArray[np.integer]]:
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    last = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=last[:-1])
    ranks = np.empty_like(order)
    ranks[order] = np.cumsum(last) - last
    return order[last], ranks


@functools.cache
def _of_this_thread() -> threading.local:
    return threading.local()
