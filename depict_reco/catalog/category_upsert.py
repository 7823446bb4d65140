"""The one way categories get into the catalogue by themselves: names, parents, pages."""

from __future__ import annotations

from collections.abc import Sequence

from depict_reco.catalog.categories import ensure_categories
from depict_reco.catalog.models import Category, catalog_change
from depict_reco.catalog.outcomes import RowOutcome, RowStatus, UpsertResult
from depict_reco.catalog.records import KEEP, CategoryRecord, Problem
from depict_reco.tenants.models import Market


def upsert_categories(
    market: Market, records: Sequence[CategoryRecord], *, dry_run: bool = False
) -> UpsertResult:
    """Create or update categories of a market in one transaction.

    A parent that does not exist yet is made. A record whose parent is one of its own children,
    or theirs, is rejected.
    """
    outcomes = _Upsert(market, records).plan()
    if dry_run or all(x.status in (RowStatus.UNCHANGED, RowStatus.REJECTED) for x in outcomes):
        return UpsertResult(outcomes=tuple(outcomes))
    with catalog_change(market.pk):
        upsert = _Upsert(market, records)  # once more, now that nobody else can write
        return UpsertResult(outcomes=tuple(upsert.write(upsert.plan())))


class _Upsert:
    """Records beside the whole tree of a market, which is small."""

    def __init__(self, market: Market, records: Sequence[CategoryRecord]) -> None:
        self._market = market
        self._records = records
        self._stored = {x.category_id: x for x in Category.objects.filter(market=market)}
        ids = {category.pk: category.category_id for category in self._stored.values()}
        self._parents: dict[str, str] = {
            x.category_id: ids[x.parent_id] for x in self._stored.values() if x.parent_id in ids
        }

    def plan(self) -> list[RowOutcome]:
        """Decide on each record; the tree in mind changes with each that is taken."""
        outcomes: list[RowOutcome] = []
        seen: set[str] = set()
        for record in self._records:
            problems = record.problems()
            if not problems and record.category_id in seen:
                reason = "occurs twice; the first one counts"
                problems = [Problem(field="category_id", reason=reason)]
            if not problems and self._makes_a_circle(record):
                problems = [Problem(field="parent_id", reason="is below the category itself")]
            if problems:
                status = RowStatus.REJECTED
            else:
                seen.add(record.category_id)
                status = self._status(record)
                if record.parent_id is not KEEP:
                    self._parents[record.category_id] = record.parent_id
            stored = self._stored.get(record.category_id)
            outcomes.append(
                RowOutcome(
                    product_id=record.category_id,
                    status=status,
                    pk=stored.pk if stored and not problems else None,
                    problems=tuple(problems),
                )
            )
        return outcomes

    def _makes_a_circle(self, record: CategoryRecord) -> bool:
        ancestor = "" if record.parent_id is KEEP else record.parent_id
        while ancestor:
            if ancestor == record.category_id:
                return True
            ancestor = self._parents.get(ancestor, "")
        return False

    def _status(self, record: CategoryRecord) -> RowStatus:
        stored = self._stored.get(record.category_id)
        if stored is None:
            return RowStatus.CREATED
        given = (
            (record.name, stored.name),
            (record.page_url, stored.page_url),
            (record.parent_id, self._parents.get(record.category_id, "")),
        )
        same = all(new is KEEP or new == old for new, old in given)
        return RowStatus.UNCHANGED if same else RowStatus.UPDATED

    def write(self, outcomes: Sequence[RowOutcome]) -> list[RowOutcome]:
        """Write what was planned; return the outcomes with the keys of new categories."""
        taken = [
            record
            for record, outcome in zip(self._records, outcomes, strict=True)
            if outcome.status in (RowStatus.CREATED, RowStatus.UPDATED)
        ]
        named = {record.category_id for record in taken}
        named |= {x.parent_id for x in taken if x.parent_id is not KEEP and x.parent_id}
        keys = ensure_categories(self._market, named)
        rows = Category.objects.filter(market=self._market).in_bulk(
            {keys[record.category_id] for record in taken}
        )
        for record in taken:
            category = rows[keys[record.category_id]]
            if record.name is not KEEP:
                category.name = record.name
            if record.page_url is not KEEP:
                category.page_url = record.page_url
            if record.parent_id is not KEEP:
                category.parent_id = keys[record.parent_id] if record.parent_id else None
        Category.objects.bulk_update(rows.values(), ["name", "page_url", "parent"], batch_size=200)
        return [
            outcome
            if outcome.pk is not None or outcome.status is RowStatus.REJECTED
            else RowOutcome(
                product_id=outcome.product_id,
                status=outcome.status,
                pk=keys[outcome.product_id],
            )
            for outcome in outcomes
        ]
