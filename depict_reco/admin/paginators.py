"""Pages of big tables: nothing is counted beyond a limit."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import connections, models
from django.utils.functional import cached_property

COUNT_LIMIT = 10_000


def count_up_to(queryset: models.QuerySet[Any], limit: int = COUNT_LIMIT) -> int:
    """Count rows, but stop at one more than ``limit``."""
    return queryset.order_by()[: limit + 1].count()


class CappedPaginator(Paginator):
    """Offers the first COUNT_LIMIT rows in pages and says when there are more."""

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        return count_up_to(rows) if isinstance(rows, models.QuerySet) else len(rows)

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNT_LIMIT)

    @property
    def capped(self) -> bool:
        """Whether there are rows that the pages leave out."""
        return self._counted > COUNT_LIMIT

    @cached_property
    def estimate(self) -> int | None:
        """The planner's idea of how many rows there are; None where it has none."""
        rows = self.object_list
        if not self.capped or not isinstance(rows, models.QuerySet) or rows.query.where:
            return None
        connection = connections[rows.db]
        if connection.vendor != "postgresql":
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples FROM pg_class WHERE oid = %s::regclass",
                [connection.ops.quote_name(rows.model._meta.db_table)],
            )
            number = int(cursor.fetchone()[0])
        return number if number > COUNT_LIMIT else None
