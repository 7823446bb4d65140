"""What the shop remembers of a visit, per market: the basket and the last order.

What the shopper looked at is not here: the page tells the recommender, which answers from it.
"""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.base import SessionBase


class Visit:
    """The basket and the last order of one session in one market."""

    def __init__(self, session: SessionBase, *, market: str) -> None:
        self._session = session
        self._market = market

    @property
    def basket(self) -> dict[str, int]:
        """Product id → quantity, oldest first."""
        return dict(self._session.get("basket", {}).get(self._market, {}))

    @property
    def order(self) -> dict[str, Any] | None:
        """The last order, as the event of its purchase says it."""
        order: dict[str, Any] | None = self._session.get("order", {}).get(self._market)
        return order

    def put(self, product_id: str) -> None:
        """Put one more of a product into the basket."""
        basket = self.basket
        basket[product_id] = basket.get(product_id, 0) + 1
        self._write("basket", basket)

    def remove(self, product_id: str) -> None:
        """Take a product out of the basket."""
        basket = self.basket
        basket.pop(product_id, None)
        self._write("basket", basket)

    def place(self, order: dict[str, Any]) -> None:
        """Keep an order, and empty the basket that it was made of."""
        self._write("order", order)
        self._write("basket", {})

    def _write(self, name: str, value: object) -> None:
        self._session[name] = {**self._session.get(name, {}), self._market: value}
