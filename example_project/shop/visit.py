"""What the shop remembers of a visit, per market: the basket and the products looked at."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

VIEWED_KEPT = 20


class Visit:
    """The basket and the views of one session in one market."""

    def __init__(self, session: SessionBase, *, market: str) -> None:
        self._session = session
        self._market = market

    @property
    def basket(self) -> dict[str, int]:
        """Product id → quantity, oldest first."""
        return dict(self._session.get("basket", {}).get(self._market, {}))

    @property
    def viewed(self) -> list[str]:
        """The products looked at, oldest first, each once."""
        return list(self._session.get("viewed", {}).get(self._market, []))

    def view(self, product_id: str) -> None:
        """Note that a product was looked at."""
        viewed = [known for known in self.viewed if known != product_id] + [product_id]
        self._write("viewed", viewed[-VIEWED_KEPT:])

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

    def _write(self, name: str, value: object) -> None:
        self._session[name] = {**self._session.get(name, {}), self._market: value}
