"""A question, and its answer, as serving sees them; HTTP and commands translate from and to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from depict_reco.events.consent import Consent
from depict_reco.serving.columns import Columns

UNKNOWN_TYPE = "(tenant, market, type) not yet configured. Please contact Depict."

NOBODY = frozenset({"", "server"})
"""Shopper ids that stand for no one: Depict's client sends ``server`` when it renders there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendRequest:
    """What to recommend, where, and for whom."""

    tenant: str
    market: str
    type: str
    product_ids: tuple[str, ...] = ()
    """Products the question is about, oldest first."""
    category_id: str | None = None
    locale: str | None = None
    limit: int | None = None
    """At most this many displays; None: the type's default."""
    user_id: str | None = None
    session_id: str | None = None
    dsid: str | None = None
    variants: bool = False
    """Whether displays take the form of v3 (``variant_displays``) rather than the flat one."""
    consent: Consent = Consent.UNKNOWN
    """What the shopper said about being remembered, as far as the caller tells."""
    debug: bool = False
    """Whether displays name the source that produced them, as ``logic``."""

    @property
    def shopper_ids(self) -> tuple[str, ...]:
        """The distinct ids that the shopper is known by; sentinels are left out."""
        given = (self.user_id, self.session_id, self.dsid)
        return tuple(dict.fromkeys(i for i in given if i is not None and i not in NOBODY))

    def without_ids(self) -> RecommendRequest:
        """The same question, asked by nobody in particular."""
        return replace(self, user_id=None, session_id=None, dsid=None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """An answer, ready to be sent."""

    body: bytes
    """The JSON object of the response."""
    columns: Columns | None = None
    rows: Sequence[int] = ()
    """The products of ``columns`` that are recommended, best first."""
    sources: tuple[str, ...] = ()
    """Per product, the source that put it there."""
    wanted: int = 0
    """How many products were to be named."""
    error: str | None = None
    market_pk: int = 0
    type_pk: int = 0
    """Who answered: the market and its type, 0 where there is none."""

    @property
    def displays(self) -> int:
        """How many products are named."""
        return len(self.rows)

    @property
    def product_ids(self) -> tuple[str, ...]:
        """What is recommended, best first; looked up only when somebody asks."""
        return tuple(self.columns.product_ids(np.asarray(self.rows))) if self.columns else ()
