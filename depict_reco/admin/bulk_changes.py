"""Changes of many products at once, and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """A change of many products, and what is said about it."""

    action: str
    fields: dict[str, bool]
    question: Any
    done: Any
    logged: Any


HIDE = BulkChange(
    action="hide",
    fields={"hidden": True},
    question=ngettext_lazy("Hide %(n)d product?", "Hide %(n)d products?", "n"),
    done=ngettext_lazy("%(n)d product was hidden.", "%(n)d products were hidden.", "n"),
    logged=_("Hidden."),
)
UNHIDE = BulkChange(
    action="unhide",
    fields={"hidden": False},
    question=ngettext_lazy("Show %(n)d product again?", "Show %(n)d products again?", "n"),
    done=ngettext_lazy(
        "%(n)d product is no longer hidden.", "%(n)d products are no longer hidden.", "n"
    ),
    logged=_("No longer hidden."),
)
RESTOCK = BulkChange(
    action="restock",
    fields={"in_stock": True},
    question=ngettext_lazy(
        "Mark %(n)d product as in stock?", "Mark %(n)d products as in stock?", "n"
    ),
    done=ngettext_lazy("%(n)d product is in stock now.", "%(n)d products are in stock now.", "n"),
    logged=_("Marked as in stock."),
)
SELL_OUT = BulkChange(
    action="sell_out",
    fields={"in_stock": False},
    question=ngettext_lazy(
        "Mark %(n)d product as sold out?", "Mark %(n)d products as sold out?", "n"
    ),
    done=ngettext_lazy("%(n)d product is sold out now.", "%(n)d products are sold out now.", "n"),
    logged=_("Marked as sold out."),
)
