"""From the recommendation id of an event to the place that the recommendation had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F

from depict_reco.catalog.models import Product
from depict_reco.serving.tracking import Recommendation, read_recommendation_id
from depict_reco.tenants.models import Tenant

_PER_QUERY = 500
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a product was recommended; the zero place stands for no recommendation."""

    type_pk: int = 0
    position: int = 0
    """1 is the first."""
    variant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a valid recommendation id says."""

    place: Place
    product_pk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProduct:
    """As much of a product as tells whether two are the same for a shopper."""

    market_pk: int
    product_id: str
    sku: str
    item_group_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownType:
    """Whose a recommendation type is."""

    tenant_pk: int
    market_pk: int | None
    """None: all markets of the tenant."""
    name: str


class Resolver:
    """Reads recommendation ids, and remembers the products and types that it has asked for."""

    def __init__(self) -> None:
        self._products: dict[int, KnownProduct | None] = {}
        self._types: dict[int, KnownType | None] = {}

    def resolve(self, ids: Iterable[str], *, tenant_pk: int, market_pk: int) -> dict[str, Resolved]:
        """Return what those of some ids stand for that are ours and of this very market.

        An id of another tenant or market is no attribution, and neither is one whose product and
        type are both gone: nothing tells any more whose it was.
        """
        read = {text: found for text in set(ids) if (found := read_recommendation_id(text))}
        self._look_up(read.values())
        resolved = {}
        for text, found in read.items():
            product = self._products[found.product_pk]
            type_ = self._types[found.type_pk]
            if product is None and type_ is None:
                continue
            if product is not None and product.market_pk != market_pk:
                continue
            if type_ is not None and (
                type_.tenant_pk != tenant_pk or type_.market_pk not in (None, market_pk)
            ):
                continue
            place = Place(found.type_pk, found.position + 1, found.variant)
            resolved[text] = Resolved(place=place, product_pk=found.product_pk)
        return resolved

    def product(self, pk: int) -> KnownProduct | None:
        """Return a product that a resolved id has named; None: it is gone."""
        return self._products[pk]

    def type_names(self) -> dict[int, str]:
        """Return the names of the types that it has come across and that are still there."""
        return {pk: found.name for pk, found in self._types.items() if found is not None}

    def look_up_types(self, type_pks: Iterable[int]) -> None:
        """Come across some types otherwise than by an id."""
        for pks in _chunks(set(type_pks) - self._types.keys()):
            self._types |= dict.fromkeys(pks) | types_with(pks)

    def _look_up(self, read: Iterable[Recommendation]) -> None:
        if len(self._products) > _REMEMBERED:
            self._products = {}
        found = list(read)
        for pks in _chunks({one.product_pk for one in found} - self._products.keys()):
            products = Product.objects.filter(pk__in=pks).only(
                "market_id", "product_id", "sku", "item_group_id"
            )
            known = {product.pk: _known(product) for product in products}
            self._products |= {pk: known.get(pk) for pk in pks}
        self.look_up_types(one.type_pk for one in found)


def types_with(pks: Iterable[int]) -> dict[int, KnownType]:
    """Return the recommendation types that there are of some primary keys."""
    types = Tenant.objects.filter(recommendation_types__pk__in=pks).annotate(
        type_pk=F("recommendation_types__pk"),
        type_market_pk=F("recommendation_types__market_id"),
        type_name=F("recommendation_types__name"),
    )
    return {
        pk: KnownType(tenant_pk=tenant_pk, market_pk=market_pk, name=name)
        for pk, tenant_pk, market_pk, name in types.values_list(
            "type_pk", "pk", "type_market_pk", "type_name"
        )
    }


def _known(product: Product) -> KnownProduct:
    return KnownProduct(
        market_pk=product.market_id,
        product_id=product.product_id,
        sku=product.sku,
        item_group_id=product.item_group_id,
    )


def _chunks(pks: set[int]) -> Iterable[list[int]]:
    ordered = sorted(pks)
    for start in range(0, len(ordered), _PER_QUERY):
        yield ordered[start : start + _PER_QUERY]
