"""Whether a served artifact still lies in the storage as it was written.

A process serves what it has loaded whatever becomes of the files; this is how somebody learns of
it before the next process, which would have to load them, starts.
"""

from __future__ import annotations

import functools

from depict_reco.artifacts import store
from depict_reco.exceptions import ArtifactBrokenError


class Inspection:
    """What was found at the last look at each artifact; files are read only when they changed."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[dict[str, tuple[int, ...]], str]] = {}

    def problem(self, path: str) -> str:
        """Return what is wrong with the files of an artifact; empty if nothing is.

        Of a remote storage nothing is known without fetching it all, so nothing is said.
        """
        present = store.fingerprints(path)
        if present is None:
            return ""
        last = self._found.get(path)
        if last is None or last[0] != present:
            last = self._found[path] = (present, _problem(path))
        return last[1]


def _problem(path: str) -> str:
    try:
        store.verify(path)
    except ArtifactBrokenError as error:
        return str(error)
    return ""


@functools.cache
def inspection() -> Inspection:
    """Return what this process has found."""
    return Inspection()
