"""The one way products get into the catalogue: compare a batch with what stands, write the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from depict_reco.catalog.categories import ensure_categories
from depict_reco.catalog.models import Product, catalog_change
from depict_reco.catalog.outcomes import RowOutcome, RowStatus, UpsertResult
from depict_reco.catalog.records import KEEP, Problem, ProductRecord
from depict_reco.conf import settings
from depict_reco.tenants.models import Market

_PLAIN_FIELDS = (
    "sku",
    "item_group_id",
    "main_product_id",
    "title",
    "description",
    "brand",
    "price",
    "sale_price",
    "currency",
    "image_url",
    "page_url",
    "in_stock",
    "quantity",
    "hidden",
    "active",
)
_LARGEST_BATCH = 2000

__all__ = ["RowOutcome", "RowStatus", "UpsertResult", "deactivate_products", "upsert_products"]


def upsert_products(
    market: Market, records: Sequence[ProductRecord], *, dry_run: bool = False
) -> UpsertResult:
    """Create or update the products of a market; a bad record never holds up a good one.

    Of two records with one id the first is taken and the second rejected. Each batch of
    ``IMPORT_BATCH_SIZE`` is one transaction, and one that changes nothing writes nothing.
    """
    size = batch_size()
    outcomes: list[RowOutcome] = []
    seen: set[str] = set()
    for start in range(0, len(records), size):
        outcomes += _upsert_batch(market, records[start : start + size], seen, dry_run=dry_run)
    return UpsertResult(outcomes=tuple(outcomes))


def deactivate_products(market: Market, pks: Iterable[int]) -> int:
    """Mark products as no longer in the feed; return how many were active until now."""
    missing, changed = list(pks), 0
    size = batch_size()
    for start in range(0, len(missing), size):
        with catalog_change(market.pk) as revision:
            changed += Product.objects.filter(
                market=market, active=True, pk__in=missing[start : start + size]
            ).update(active=False, revision=revision, updated_at=timezone.now())
    return changed


@dataclass(slots=True, kw_only=True)
class _Change:
    """A product as it is to be, with the names of the columns that differ."""

    product: Product
    new: bool
    columns: set[str]
    old_categories: frozenset[str]
    categories: frozenset[str]


@dataclass(slots=True, kw_only=True)
class _Plan:
    changes: list[_Change] = field(default_factory=list)
    outcomes: dict[str, RowOutcome] = field(default_factory=dict)


def _upsert_batch(
    market: Market, records: Sequence[ProductRecord], seen: set[str], *, dry_run: bool
) -> list[RowOutcome]:
    accepted: dict[str, ProductRecord] = {}
    rejected: dict[int, RowOutcome] = {}
    for position, record in enumerate(records):
        problems = record.problems()
        if not problems and record.product_id in seen:
            problems = [Problem(field="product_id", reason="occurs twice; the first one counts")]
        if problems:
            rejected[position] = _rejection(record, problems)
        else:
            accepted[record.product_id] = record
            seen.add(record.product_id)
    plan = _make_plan(market, accepted, first_change_only=not dry_run)
    if plan.changes and not dry_run:
        with catalog_change(market.pk) as revision:
            plan = _make_plan(market, accepted)  # once more, now that nobody else can write
            _write(market, plan, revision)
    return [
        rejected[position] if position in rejected else plan.outcomes[record.product_id]
        for position, record in enumerate(records)
    ]


def batch_size() -> int:
    """Return how many rows are written in one transaction."""
    return max(1, min(settings.IMPORT_BATCH_SIZE, _LARGEST_BATCH))


def _rejection(record: ProductRecord, problems: Sequence[Problem]) -> RowOutcome:
    return RowOutcome(
        product_id=record.product_id, status=RowStatus.REJECTED, problems=tuple(problems)
    )


def _make_plan(
    market: Market, records: dict[str, ProductRecord], *, first_change_only: bool = False
) -> _Plan:
    """Compare records with what stands; ``first_change_only`` just finds out if they differ."""
    stored = {
        product.product_id: product
        for product in Product.objects.filter(market=market).with_ids(records)
    }
    links = _stored_links(stored, records)
    plan = _Plan()
    for product_id, record in records.items():
        product = stored.get(product_id)
        if product is None and not record.describes:
            problem = Problem(field="title", reason="is needed for a product that is new")
            plan.outcomes[product_id] = _rejection(record, [problem])
            continue
        new = product is None
        if product is None:
            product = Product(market_id=market.pk, product_id=product_id, title=product_id)
        old = links.get(product.pk, frozenset()) if not new else frozenset()
        wanted = old if record.category_ids is KEEP else frozenset(record.category_ids)
        columns = _apply(record, product)
        status = RowStatus.UNCHANGED
        if new or columns or wanted != old:
            status = RowStatus.CREATED if new else RowStatus.UPDATED
            plan.changes.append(
                _Change(
                    product=product,
                    new=new,
                    columns=columns,
                    old_categories=old,
                    categories=wanted,
                )
            )
            if first_change_only:
                break
        plan.outcomes[product_id] = RowOutcome(product_id=product_id, status=status, pk=product.pk)
    return plan


def _stored_links(
    stored: dict[str, Product], records: dict[str, ProductRecord]
) -> dict[int, frozenset[str]]:
    """Return the category ids of the stored products whose records speak of categories."""
    pks = [p.pk for p in stored.values() if records[p.product_id].category_ids is not KEEP]
    links: dict[int, set[str]] = {}
    if pks:
        rows = Product.categories.through.objects.filter(product_id__in=pks)
        for pk, category_id in rows.values_list("product_id", "category__category_id"):
            links.setdefault(pk, set()).add(category_id)
    return {pk: frozenset(ids) for pk, ids in links.items()}


def _apply(record: ProductRecord, product: Product) -> set[str]:
    """Put a record's values into a product; return the names of the columns that changed."""
    values: dict[str, Any] = {}
    for name in _PLAIN_FIELDS:
        value = getattr(record, name)
        if value is not KEEP:
            values[name] = value
    if record.additional_image_urls is not KEEP:
        values["additional_image_urls"] = list(record.additional_image_urls)
    if record.attributes is not KEEP:
        attributes = (
            {**product.attributes, **record.attributes} if record.merge else dict(record.attributes)
        )
        values["attributes"] = attributes
    if record.texts is not KEEP:
        texts = {locale: dict(text) for locale, text in record.texts.items()}
        if record.merge:
            stored = product.texts
            texts = {**stored, **{x: {**stored.get(x, {}), **text} for x, text in texts.items()}}
        values["texts"] = texts
    _settle_prices(values, product)
    changed = {name for name, value in values.items() if getattr(product, name) != value}
    for name in changed:
        setattr(product, name, values[name])
    return changed


def _settle_prices(values: dict[str, Any], product: Product) -> None:
    """Leave a sale price only where there is a higher price that it undercuts."""
    if "price" not in values and "sale_price" not in values:
        return
    price = values.get("price", product.price)
    sale_price = values.get("sale_price", product.sale_price)
    if price is None:
        price, sale_price = sale_price, None
    elif sale_price is not None and sale_price >= price:
        sale_price = None
    values["price"], values["sale_price"] = price, sale_price


def _write(market: Market, plan: _Plan, revision: int) -> None:
    now = timezone.now()
    for change in plan.changes:
        change.product.revision, change.product.updated_at = revision, now
    created = [change for change in plan.changes if change.new]
    updated = [change for change in plan.changes if not change.new]
    Product.objects.bulk_create([change.product for change in created])
    _read_missing_keys(market, created)
    for change in created:
        outcome = plan.outcomes[change.product.product_id]
        plan.outcomes[change.product.product_id] = RowOutcome(
            product_id=outcome.product_id, status=outcome.status, pk=change.product.pk
        )
    if updated:
        columns = {"revision", "updated_at"}.union(*(change.columns for change in updated))
        Product.objects.bulk_create(
            [change.product for change in updated],
            update_conflicts=True,
            unique_fields=["market", "product_id"],
            update_fields=sorted(columns),
        )
    _write_links(market, plan.changes)


def _read_missing_keys(market: Market, created: Sequence[_Change]) -> None:
    """Fill in primary keys where the database does not return them from a bulk insert."""
    without = {x.product.product_id: x.product for x in created if x.product.pk is None}
    if without:
        rows = Product.objects.filter(market=market).with_ids(without)
        for product_id, pk in rows.values_list("product_id", "pk"):
            without[product_id].pk = pk


def _write_links(market: Market, changes: Sequence[_Change]) -> None:
    relinked = [change for change in changes if change.categories != change.old_categories]
    wanted = {category_id for change in relinked for category_id in change.categories}
    added = {(x.product.pk, c) for x in relinked for c in x.categories - x.old_categories}
    removed = {(x.product.pk, c) for x in relinked for c in x.old_categories - x.categories}
    through = Product.categories.through
    if removed:
        rows = through.objects.filter(product_id__in={pk for pk, _ in removed})
        pairs = rows.values_list("pk", "product_id", "category__category_id")
        through.objects.filter(
            pk__in=[pk for pk, product, category in pairs if (product, category) in removed]
        ).delete()
    if added:
        keys = ensure_categories(market, wanted)
        through.objects.bulk_create(
            [through(product_id=pk, category_id=keys[c]) for pk, c in sorted(added)],
            ignore_conflicts=True,
        )
