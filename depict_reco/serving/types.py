"""The recommendation types of a tenant, kept in this process until the tenant changes."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass

from django.db import Error as DatabaseFailure

from depict_reco.exceptions import TypeKeyError
from depict_reco.serving.models import RecommendationType, require_room
from depict_reco.serving.strategies import CHAINS, validate_parameters
from depict_reco.tenants.directory import TenantEntry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeEntry:
    """An active recommendation type."""

    pk: int
    name: str
    kind: str
    market_pk: int | None
    strategy: str
    chain: tuple[str, ...]
    excluded_categories: tuple[str, ...]
    exploration: float
    """Share of the places that new products take turns in."""
    default_limit: int


class TypeBook:
    """The types of all tenants that this process was asked about."""

    def __init__(self) -> None:
        self._types: dict[int, tuple[int, tuple[TypeEntry, ...]]] = {}

    def types_of(self, tenant: TenantEntry) -> tuple[TypeEntry, ...]:
        """Return the active types of a tenant; one query after each change of the tenant."""
        revision, types = self._types.get(tenant.pk, (None, ()))
        if revision != tenant.revision:
            try:
                types = tuple(_read(tenant.pk))
            except DatabaseFailure:
                if revision is None:
                    raise
                logger.warning("The database does not answer; the types of %s stay.", tenant.slug)
                return types
            self._types[tenant.pk] = (tenant.revision, types)
        return types

    def find(self, tenant: TenantEntry, market_pk: int, name: str) -> TypeEntry | None:
        """Return the type of this name; one of the market itself goes first."""
        found = None
        for entry in self.types_of(tenant):
            if entry.name == name and entry.market_pk in (None, market_pk):
                if entry.market_pk is not None:
                    return entry
                found = entry
        return found


def _read(tenant_pk: int) -> list[TypeEntry]:
    rows = RecommendationType.objects.active().filter(tenant=tenant_pk).order_by("name", "pk")
    return [_entry(row) for row in rows if _has_ids(row)]


def _has_ids(row: RecommendationType) -> bool:
    """Whether recommendation ids can name a type; one written past ``save()`` may not fit."""
    try:
        require_room(row.pk)
    except TypeKeyError as error:
        logger.error("Type %s is not answered. %s", row.name, error)
        return False
    return True


def _entry(row: RecommendationType) -> TypeEntry:
    parameters = row.parameters
    try:
        validate_parameters(parameters)
    except ValueError as error:  # written past the checks: one bad row must not stop a shop
        logger.warning("The parameters of type %s (%s) are not used: %s", row.name, row.pk, error)
        parameters = {}
    return TypeEntry(
        pk=row.pk,
        name=row.name,
        kind=row.kind,
        market_pk=row.market_id,
        strategy=row.strategy,
        chain=tuple(parameters.get("chain") or CHAINS[row.strategy]),
        excluded_categories=tuple(parameters.get("exclude_category_ids", ())),
        exploration=float(parameters.get("exploration", 0)),
        default_limit=row.default_limit,
    )


@functools.cache
def type_book() -> TypeBook:
    """Return the types known to this process."""
    return TypeBook()
