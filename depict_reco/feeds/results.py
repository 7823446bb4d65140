"""What an import did, in one object for command, admin and API alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from depict_reco.exceptions import FeedError
from depict_reco.feeds.models import FeedRun

REJECTIONS_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One reason for which a row was not taken."""

    line: int
    """Where the row begins in the feed."""
    item: int
    """Which row it is, counted from 1."""
    product_id: str
    """Empty where the row has none."""
    field: str
    """Empty where the row as a whole is at fault."""
    reason: str

    def __str__(self) -> str:
        about = " ".join(filter(None, (self.product_id and repr(self.product_id), self.field)))
        return f"line {self.line}: {about + ': ' if about else ''}{self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import has come."""

    rows: int
    bytes_read: int
    bytes_total: int | None


ReportProgress = Callable[[ImportProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import did; ``error`` is set when it failed, and what it did before stands."""

    market: str
    source: str
    status: str
    """One of ``FeedRun.Status``."""
    full: bool
    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    deactivated: int = 0
    rejections: tuple[Rejection, ...] = ()
    """The first of them."""
    message: str = ""
    seconds: float = 0.0
    run_id: int | None = None
    error: FeedError | None = None

    @property
    def failed(self) -> bool:
        return self.status == FeedRun.Status.FAILED

    @property
    def changed(self) -> bool:
        """Whether the catalogue is (or, in a dry run, would be) another one than before."""
        return bool(self.created or self.updated or self.deactivated)

    def raise_error(self) -> None:
        """Raise the error of an import that failed."""
        if self.failed:
            raise self.error or FeedError(self.message)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON has it."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "error"}
        values["status"] = str(self.status)
        values["rejections"] = [asdict(rejection) for rejection in self.rejections]
        values["seconds"] = round(self.seconds, 3)
        return values

    def summary(self) -> str:
        """Return the result in one line."""
        counts = ", ".join(
            f"{getattr(self, name):,} {name}"
            for name in ("created", "updated", "unchanged", "rejected", "deactivated")
        )
        said = {
            FeedRun.Status.FAILED: f"failed: {self.message}",
            FeedRun.Status.UNCHANGED: "not changed at the source",
        }.get(FeedRun.Status(self.status), "" if self.changed else "nothing changed")
        prefix = f"{self.market}: dry run: " if self.dry_run else f"{self.market}: "
        return prefix + "; ".join(filter(None, (said, f"{counts} in {self.seconds:.1f} s")))
