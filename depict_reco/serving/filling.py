"""Putting recommendation ids into displays, which are kept with gaps where they belong.

``_compiled.c`` does it where that could be built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from depict_reco.serving.mapped import Texts
from depict_reco.serving.tracking import ids_of

compiled: Callable[..., bytes] | None
"""None where this installation has no compiled part."""

try:
    from depict_reco.serving import _compiled  # type: ignore[attr-defined]
except ImportError:
    compiled = None
else:
    compiled = _compiled.fill


def filled(displays: list[bytes | int], blocks: bytes, *, gap: bytes, texts: Texts) -> bytes:
    """Return the JSON array of displays with an id in the gaps of each.

    Parameters
    ----------
    displays
        The texts themselves, or which of ``texts`` they are.
    blocks
        The ids, as ``recommendation_blocks`` returns them.
    """
    if compiled is not None:
        return compiled(displays, blocks, gap, texts.buffer, texts.indptr, texts.offset)
    parts = [
        display.replace(gap, name.encode())
        for display, name in zip(looked_up(displays, texts), ids_of(blocks), strict=True)
    ]
    return b"[" + b",".join(parts) + b"]"


def looked_up(displays: Sequence[bytes | int], texts: Texts) -> list[bytes]:
    """Return the texts of displays."""
    return [texts[one] if isinstance(one, int) else one for one in displays]
