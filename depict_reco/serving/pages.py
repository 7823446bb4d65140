"""Recommendations for pages that the shop renders itself: in process, and never an error.

The template tag is a thin layer over ``recommendations``; a view, a Jinja2 global or an e-mail
calls it just as well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.db import Error as DatabaseFailure
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from depict_reco.conf import debug, settings
from depict_reco.events.consent import Consent, read_consent
from depict_reco.serving.models import MAX_LIMIT
from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import Answer, RecommendRequest
from depict_reco.serving.types import type_book
from depict_reco.tenants.directory import MarketEntry, TenantEntry, directory

logger = logging.getLogger(__name__)

SHOPPER_COOKIE = "_dep_id"
"""Holds the shopper's id; Depict's client and ours write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """A recommended product, with the fields of the wire as a template wants them."""

    product_id: str
    main_product_id: str
    item_group_id: str
    sku: str
    title: str
    brand: str
    price: Decimal | None
    """What it costs now; None where the shop has not said."""
    original_price: Decimal | None
    """What it costs without its discount."""
    currency: str
    image_url: str
    image_urls: list[str]
    page_url: str
    """Carries the recommendation id, so that the visit can be told apart."""
    in_stock: bool
    recommendation_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    """What ``DISPLAY_ATTRIBUTES`` adds."""

    @property
    def discounted(self) -> bool:
        return self.price != self.original_price

    @property
    def page_path(self) -> str:
        """The page's address without its host: stays on whatever host shows the page."""
        return urlsplit(self.page_url)._replace(scheme="", netloc="").geturl()

    @classmethod
    def from_wire(cls, values: Mapping[str, Any]) -> Display:
        """Read the flat form of a display."""
        known = {name: value for name, value in values.items() if name in _FIELDS}
        rest = values.keys() - known.keys() - {"sale_price"}
        known |= {name: _money(values[name]) for name in ("price", "original_price")}
        return cls(**known, attributes={name: values[name] for name in values if name in rest})


_FIELDS = frozenset(one.name for one in fields(Display)) - {"attributes"}


class Recommendations(list[Display]):
    """Displays, best first; empty where there is nothing to say, and ``problem`` tells why."""

    def __init__(
        self,
        displays: Iterable[Display] = (),
        *,
        type: str,
        problem: str = "",
        question: RecommendRequest | None = None,
        answer: Answer | None = None,
    ) -> None:
        super().__init__(displays)
        self.type = type
        self.problem = problem
        """What went wrong, in words for a developer; not for shoppers."""
        self.question = question
        self.answer = answer

    def __html__(self) -> SafeString:
        """Show them as a plain list; ``depict_reco/recommendations.html`` can be overridden."""
        context = {"recommendations": self, "problem": self.problem if debug() else ""}
        return SafeString(render_to_string("depict_reco/recommendations.html", context).strip())

    __str__ = __html__


def recommendations(
    type: str,
    *,
    request: HttpRequest | None = None,
    tenant: Any = None,
    market: Any = None,
    locale: str | None = None,
    product: Any = None,
    product_ids: Any = (),
    category: Any = None,
    limit: Any = None,
    session: Any = None,
    user: Any = None,
    consent: Any = None,
) -> Recommendations:
    """Return what to recommend; whatever goes wrong is logged and leaves an empty list.

    Tenant, market, products and category are given as objects of the app or by their ids. What is
    not given is taken from the request (session, locale), the settings, or what there is only one
    of (tenant, market).
    """
    question, answer = None, None
    try:
        shop, place = _place(tenant, market)
        question = RecommendRequest(
            tenant=shop.slug,
            market=place.slug,
            type=str(type),
            product_ids=_product_ids(product_ids, product),
            category_id=_id(category, "category_id"),
            locale=locale or _locale(request, place),
            limit=_limit(limit),
            session_id=_shopper_id(session) or _cookie(request),
            user_id=_user_id(user),
            consent=_consent(consent),
        )
        if type_book().find(shop, place.pk, question.type) is None:
            raise ValueError(_unknown_type(shop, question.type))
        answer = recommend(question)
        wire = json.loads(answer.body, parse_float=Decimal)
        displays = [Display.from_wire(values) for values in wire["displays"]]
        return Recommendations(displays, type=question.type, question=question, answer=answer)
    except ValueError as error:
        problem = str(error)
        logger.warning("No recommendations of type %r: %s", type, problem)
    except DatabaseFailure as error:
        problem = f"The database does not answer: {error}"
        logger.error("No recommendations of type %r: %s", type, problem)
    except Exception as error:  # a page is worth more than what is recommended on it
        problem = f"{error.__class__.__name__}: {error}"
        logger.exception("No recommendations of type %r", type)
    return Recommendations(type=str(type), problem=problem, question=question, answer=answer)


def _place(tenant: Any, market: Any) -> tuple[TenantEntry, MarketEntry]:
    """Return the tenant and the market that are meant; raise ValueError saying what to name."""
    shop = _tenant(tenant, owner=getattr(market, "tenant_id", None))
    slug = _id(market, "slug") or settings.DEFAULT_MARKET
    if not slug and len(shop.markets) == 1:
        slug = next(iter(shop.markets))
    if not slug:
        raise ValueError(
            f"Tenant {shop.slug!r} has {len(shop.markets)} active markets: pass market=, or set "
            "DEFAULT_MARKET."
        )
    place = shop.markets.get(slug)
    if place is None:
        raise ValueError(f"Tenant {shop.slug!r} has no active market {slug!r}.")
    return shop, place


def _tenant(given: Any, *, owner: int | None) -> TenantEntry:
    name = _id(given, "slug") or settings.DEFAULT_TENANT
    if owner is not None:
        found = directory().tenant_by_pk(owner)
    elif name:
        found = directory().tenant(name)
    else:
        known = directory().tenants()
        if len(known) != 1:
            raise ValueError(
                f"There are {len(known)} active tenants: pass tenant=, or set DEFAULT_TENANT."
            )
        found = known[0]
    if found is None:
        raise ValueError(f"There is no active tenant {name or owner!r}.")
    return found


def _unknown_type(shop: TenantEntry, name: str) -> str:
    names = sorted({entry.name for entry in type_book().types_of(shop)})
    return f"Tenant {shop.slug!r} has no active type {name!r} here; it has {', '.join(names)}."


def _product_ids(several: Any, one: Any) -> tuple[str, ...]:
    """Return ids, oldest first; a single string is one id, not its letters."""
    if isinstance(several, str) or not isinstance(several, Iterable):
        several = [several]
    found = (_id(given, "product_id") for given in (*several, one))
    return tuple(name for name in found if name)


def _id(given: Any, attribute: str) -> str | None:
    """Return the id of an object or mapping that has one, else what is given, as text."""
    if isinstance(given, Mapping):
        given = given.get(attribute)
    given = getattr(given, attribute, given)
    return None if given is None or given == "" else str(given)


def _limit(given: Any) -> int | None:
    if given is None or given == "":
        return None
    try:
        limit = int(given)
    except (TypeError, ValueError):
        limit = 0
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be a number from 1 to {MAX_LIMIT}, not {given!r}.")
    return limit


def _shopper_id(given: Any) -> str | None:
    if given is None or given == "":
        return None
    if isinstance(given, str | int):
        return str(given)
    raise ValueError(
        f"session must be the id that the shopper's events carry, not a {given.__class__.__name__}."
    )


def _user_id(given: Any) -> str | None:
    """Return the key of a signed-in user, or the id that is given."""
    if hasattr(given, "is_authenticated"):
        return str(given.pk) if given.is_authenticated else None
    return _id(given, "pk")


def _consent(given: Any) -> Consent:
    if isinstance(given, bool):
        return Consent.GRANTED if given else Consent.DENIED
    return read_consent(None if given is None else str(given))


def _cookie(request: HttpRequest | None) -> str | None:
    return request.COOKIES.get(SHOPPER_COOKIE) if request is not None else None


def _locale(request: HttpRequest | None, market: MarketEntry) -> str | None:
    """Return the market's locale that fits the language which the project chose, if it chose."""
    language = str(getattr(request, "LANGUAGE_CODE", "")).lower().replace("_", "-")
    if not language:
        return None
    by_name = {name.lower().replace("_", "-"): name for name in reversed(market.locales)}
    by_language = {name.partition("-")[0]: locale for name, locale in by_name.items()}
    return by_name.get(language) or by_language.get(language.partition("-")[0])


def _money(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(amount)
