"""What became of the records of a batch, row by row."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from depict_reco.catalog.records import Problem


class RowStatus(enum.StrEnum):
    """What became of one record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """What became of one record; ``pk`` is None for rejected rows and in a dry run's new ones."""

    product_id: str
    status: RowStatus
    pk: int | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertResult:
    """The outcomes of a batch, one per record, in the order of the records."""

    outcomes: tuple[RowOutcome, ...]

    def count(self, status: RowStatus) -> int:
        return sum(1 for outcome in self.outcomes if outcome.status is status)
