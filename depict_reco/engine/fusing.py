"""Adding up what several models say of the same question, in one go.

Each of a dozen small arrays costs little to work on and much to begin with; so the lists of all
models are laid one after the other, and each step is taken once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from depict_reco.engine.slots import distinct
from depict_reco.engine.sparse import EMPTY, Floats, Ints, Scored


class Voice(NamedTuple):
    """What one model says: items, which may repeat, and their scores.

    ``items`` int32 (n,), ``scores`` float32 (n,); ``weight`` of the evidence, greater than 0.
    """

    items: Ints
    scores: Floats
    weight: float


def fused(voices: Sequence[Voice], *, n_items: int, but: Ints) -> Scored:
    """Return the weighed evidence of all voices, without some items.

    The same as adding up ``without(sum_by_item(items, scores), but).evidence(weight)`` of each
    voice, up to the rounding of sums; an item without evidence may be there or not.
    """
    voices = [voice for voice in voices if len(voice.items)]
    if not voices:
        return EMPTY
    # what is left out stands first, so that the first ranks are its own
    items = np.concatenate([but, *(voice.items for voice in voices)])
    scores = np.concatenate([voice.scores for voice in voices])
    places, ranks = distinct(items, size=n_items, newest=False)
    # a table with one row per voice and one column per item
    n_voices, size = len(voices), len(places)
    rows = np.arange(0, n_voices * size, size, dtype=ranks.dtype)
    cells = rows.repeat([len(voice.items) for voice in voices])
    cells += ranks[len(but) :]
    table = np.bincount(cells, weights=scores, minlength=n_voices * size)
    sums = table.astype(np.float32).reshape(n_voices, size)
    sums[:, ranks[: len(but)]] = 0.0
    tops = sums.max(axis=1).tolist()
    # the root of a score over the best one is the root of the score over that of the best one
    heard = [
        voice.weight / sqrt(top) if top > 0.0 else 0.0
        for voice, top in zip(voices, tops, strict=True)
    ]
    if sums.min() < 0.0:
        roots = np.sqrt(np.abs(sums))
        np.copysign(roots, sums, out=roots)
    else:
        roots = np.sqrt(sums, out=sums)
    return Scored(items[places], np.array(heard, dtype=np.float32) @ roots)
