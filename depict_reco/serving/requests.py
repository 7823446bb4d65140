"""A question, and its answer, as serving sees them; HTTP and commands translate from and to it."""

from __future__ import annotations

from dataclasses import dataclass

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
    debug: bool = False
    """Whether displays name the source that produced them, as ``logic``."""

    @property
    def shopper_ids(self) -> tuple[str, ...]:
        """The distinct ids that the shopper is known by; sentinels are left out."""
        given = (self.user_id, self.session_id, self.dsid)
        return tuple(dict.fromkeys(i for i in given if i is not None and i not in NOBODY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, ready to be sent."""

    body: bytes
    """The JSON object of the response."""
    product_ids: tuple[str, ...] = ()
    """What is recommended, best first."""
    sources: tuple[str, ...] = ()
    """Per product, the source that put it there."""
    wanted: int = 0
    """How many products were to be named."""
    error: str | None = None
