"""Which item of a model is which item group of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from depict_reco.artifacts.current import ItemIds, LoadedArtifact
from depict_reco.serving.columns import Columns
from depict_reco.serving.mapped import Texts


def pair(
    columns: Columns, artifact: LoadedArtifact | None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the item group of each item, and the item of each; -1 where there is none."""
    item_ids: Sequence[str] = artifact.item_ids if artifact else ()
    same = in_common(item_ids, columns.image.group_ids) if isinstance(item_ids, ItemIds) else 0
    code_of_item = np.arange(len(item_ids), dtype=np.int32)
    if same < len(item_ids):
        find = columns.codes_by_group(since=same).get
        code_of_item[same:] = [find(item_id, -1) for item_id in item_ids[same:]]
    item_of_code = np.full(columns.n_codes, -1, dtype=np.int32)
    present = np.flatnonzero(code_of_item >= 0)
    item_of_code[code_of_item[present]] = present
    return code_of_item, item_of_code


def in_common(item_ids: ItemIds, group_ids: Texts) -> int:
    """Return how many ids both begin with.

    Mostly that is all of them, since both follow the order in which products came.
    """
    ours, theirs = item_ids.indptr, group_ids.indptr
    count = min(len(ours), len(theirs))
    differs = np.flatnonzero(ours[:count] != theirs[:count])
    count = int(differs[0]) if len(differs) else count
    size = int(ours[count - 1])
    text = np.frombuffer(group_ids.buffer, np.uint8, count=size, offset=group_ids.offset)
    differs = np.flatnonzero(item_ids.text[:size] != text)
    size = int(differs[0]) if len(differs) else size
    return int(np.searchsorted(ours[:count], size, side="right")) - 1
