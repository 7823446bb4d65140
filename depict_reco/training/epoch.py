"""A moment as seconds since the epoch, worked out by the database.

A driver makes a datetime in some three microseconds, which is more than all the rest of a row.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FloatField, Func
from django.db.models.sql.compiler import SQLCompiler


class _Seconds(FloatField):
    """A float that Django hands out as the driver gave it, without a converter per row."""

    def get_internal_type(self) -> str:
        return "Seconds"


class Epoch(Func):
    """Seconds since the epoch of a DateTimeField, microseconds behind the point."""

    template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) AS double precision)"
    output_field = _Seconds()
    arity = 1

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        """Read the text that Django stores: YYYY-MM-DD HH:MM:SS, with .ffffff unless that is 0."""
        template = (
            "(CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS REAL)"
            " + CAST('0' || substr(%(expressions)s, 20) AS REAL))"
        )
        return self.as_sql(compiler, connection, template=template, **context)
