"""A market in which one can follow, by name, what a shopper does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from depict_reco.models import Event, Market, Product, RecommendationType
from depict_reco.serving.tracking import recommendation_ids

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass
class Shopping:
    """Makes recommendations and events of a market; each event is later than the one before."""

    market: Market
    time: datetime = MONDAY
    made: list[Event] = field(default_factory=list)

    def shown(
        self, product_id: str, *, type: str = "similar", position: int = 0, variant: int = 0
    ) -> str:
        """Return the recommendation id of a product that was shown at a place."""
        product = Product.objects.get(market=self.market, product_id=product_id)
        type_pk = RecommendationType.objects.get(
            tenant=self.market.tenant, market=None, name=type
        ).pk
        ids = recommendation_ids(
            [product.pk] * (position + 1), type_pk=type_pk, now=self.time, variant=variant
        )
        return ids[position]

    def event(self, type: str, shopper: str = "ann", **fields: Any) -> Event:
        """Store one event; ``after`` says how long after the last one it happened."""
        self.time += fields.pop("after", timedelta(minutes=1))
        fields.setdefault("time", self.time)
        fields.setdefault("session_id", shopper)
        fields.setdefault("deduplication_id", f"shopping-{Event.objects.count()}-{id(fields)}")
        event = Event.objects.create(
            tenant_id=self.market.tenant_id, market=self.market, type=type, **fields
        )
        self.made.append(event)
        return event

    def click(self, rec: str, shopper: str = "ann", **fields: Any) -> Event:
        return self.event("click", shopper, recommendation_id=rec, **fields)

    def buy(
        self,
        product_id: str,
        shopper: str = "ann",
        *,
        order: str = "order-1",
        price: str | None = "100",
        **fields: Any,
    ) -> Event:
        return self.event(
            "purchase",
            shopper,
            product_id=product_id,
            transaction_id=order,
            price=None if price is None else Decimal(price),
            **fields,
        )
