"""Compare the answers of two hosts to the same requests, as far as they were recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rest_framework.exceptions import ValidationError

from depict_reco.api.errors import InvalidRequestError
from depict_reco.api.serializers import recommend_request
from depict_reco.engine.agreement import overlap, rank_biased_overlap
from depict_reco.management.bodies import is_v3, serializer_of
from depict_reco.models import Market
from depict_reco.serving.models import MAX_LIMIT
from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import RecommendRequest
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.serving.types import type_book
from depict_reco.tenants.directory import directory

Names = tuple[str, ...]
"""What a product is called in a display: its id first."""

_NAMES = ("product_id", "main_product_id", "item_group_id", "sku")
_UNKNOWN_NAMED = 10
_REJECTIONS_NAMED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A line that could not be compared."""

    line: int
    reason: str


@dataclass(slots=True)
class Tally:
    """What was found for one type."""

    requests: int = 0
    overlaps: list[float] = field(default_factory=list)
    rbos: list[float] = field(default_factory=list)
    wanted: int = 0
    shown: dict[str, int] = field(default_factory=lambda: {"ours": 0, "theirs": 0})
    empty: dict[str, int] = field(default_factory=lambda: {"ours": 0, "theirs": 0})
    products: dict[str, set[str]] = field(default_factory=lambda: {"ours": set(), "theirs": set()})
    unknown: Counter[str] = field(default_factory=Counter)
    """Products that the other host showed and our catalogue does not have."""

    def add(
        self,
        ours: list[str],
        theirs: list[str],
        *,
        wanted: int,
        k: int,
        p: float,
        unknown: set[str],
    ) -> None:
        self.requests += 1
        self.wanted += wanted
        for name, answer in (("ours", ours), ("theirs", theirs)):
            self.shown[name] += min(len(answer), wanted)
            self.empty[name] += not answer
            self.products[name].update(answer)
        self.unknown.update(name for name in theirs if name in unknown)
        shared, biased = overlap(ours, theirs, k=k), rank_biased_overlap(ours, theirs, p=p)
        if shared is not None and biased is not None:  # else both are empty
            self.overlaps.append(shared)
            self.rbos.append(biased)

    def as_dict(self, *, catalogue: int) -> dict[str, Any]:
        """Return the figures by name; shares between 0 and 1, None where there is nothing."""
        return {
            "requests": self.requests,
            "overlap": _mean(self.overlaps),
            "rbo": _mean(self.rbos),
            "coverage": {n: _share(len(found), catalogue) for n, found in self.products.items()},
            "empty": {n: _share(count, self.requests) for n, count in self.empty.items()},
            "fill": {n: _share(count, self.wanted) for n, count in self.shown.items()},
            "unknown_products": len(self.unknown),
            "unknown_named_most": dict(self.unknown.most_common(_UNKNOWN_NAMED)),
        }


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What came of a file."""

    market: Market
    k: int
    p: float
    tallies: dict[str, Tally] = field(default_factory=dict)
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    """The first of the lines that could not be compared."""
    asked: int = 0
    """Requests that this installation answered just now, none being recorded."""

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values, for JSON."""
        catalogue = _catalogue(self.market)
        columns = catalogue.columns
        size = int(columns.eligible.sum())
        return {
            "market": str(self.market),
            "k": self.k,
            "p": self.p,
            "recommendable": size,
            "compared": sum(tally.requests for tally in self.tallies.values()),
            "asked_now": self.asked,
            "rejected": self.rejected,
            "rejections": [{"line": one.line, "reason": one.reason} for one in self.rejections],
            "types": {
                name: tally.as_dict(catalogue=size) for name, tally in sorted(self.tallies.items())
            },
        }


def compare(
    market: Market,
    lines: Iterable[bytes],
    *,
    k: int,
    p: float,
    progress: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare, line by line, what the other host answered with what ours does.

    A line is a JSON object with ``request`` (the body) and ``theirs`` (the other host's answer),
    and may have ``ours``, an answer recorded of this installation; without it, the engine is
    asked now. The request is about ``market`` whatever
    it says: hosts name tenants and markets in their own ways.
    """
    found = Comparison(market=market, k=k, p=p)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                _compare_line(found, line)
            except ValueError as error:
                found.rejected += 1
                if len(found.rejections) < _REJECTIONS_NAMED:
                    found.rejections.append(Rejection(line=number, reason=str(error)))
        progress()
    return found


def _compare_line(found: Comparison, line: bytes) -> None:
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError("is no JSON object")
    request = _request(record.get("request"), found.market)
    theirs = list(_names(record.get("theirs"), "theirs"))
    if record.get("ours") is None:
        found.asked += 1
        ours: list[Names] = [(name,) for name in recommend(request).product_ids]
    else:
        ours = list(_names(record["ours"], "ours"))
    unknown: set[str] = set()
    tally = found.tallies.setdefault(request.type, Tally())
    tally.add(
        _items(ours, found.market, set()),
        _items(theirs, found.market, unknown),
        wanted=_wanted(request, found.market) or max(len(ours), len(theirs)),
        k=found.k,
        p=found.p,
        unknown=unknown,
    )


def _request(body: Any, market: Market) -> RecommendRequest:
    if not isinstance(body, dict):
        raise ValueError("has no request, or one that is no JSON object")
    own = {"merchant" if is_v3(body) else "tenant": market.tenant.slug, "market": market.slug}
    try:
        values = serializer_of(body).run_validation({**body, **own})
    except ValidationError as error:
        entries = InvalidRequestError.from_validation(error, within="request").entries
        places = (
            f"{'.'.join(map(str, entry['loc']))}: {entry['msg'].lower()}" for entry in entries[:3]
        )
        raise ValueError(", ".join(places)) from None
    return recommend_request(values, variants=is_v3(body), debug=False)


def _names(answer: Any, whose: str) -> Iterator[Names]:
    """Yield the names of each product of an answer, in either form, best first."""
    displays = answer.get("displays") if isinstance(answer, dict) else answer
    if not isinstance(displays, list):
        raise ValueError(f"{whose} has no list of displays")
    for display in displays:
        if not isinstance(display, dict):
            raise ValueError(f"{whose} has a display that is no JSON object")
        variants, index = display.get("variant_displays"), display.get("variant_index", 0)
        if isinstance(variants, list) and isinstance(index, int) and 0 <= index < len(variants):
            display = variants[index] if isinstance(variants[index], dict) else display
        names = tuple(str(display[name]) for name in _NAMES if display.get(name) not in (None, ""))
        if not names:
            raise ValueError(f"{whose} has a display without a product id")
        yield names


def _items(products: list[Names], market: Market, unknown: set[str]) -> list[str]:
    """Return the item group of each product, once: hosts may show other members of it.

    A product that the catalogue does not have keeps its name, which goes into ``unknown``.
    """
    columns = _catalogue(market).columns
    items: dict[str, None] = {}
    for names in products:
        code = next((c for name in names if (c := columns.code_of(name)) is not None), None)
        if code is None:
            unknown.add(names[0])
        items[names[0] if code is None else f"group {code}"] = None
    return list(items)


def _catalogue(market: Market) -> Any:
    tenant = directory().tenant(market.tenant.slug)
    entry = tenant.markets.get(market.slug) if tenant else None
    if entry is None:
        raise ValueError(f"{market} is closed")
    return snapshot_book().get(entry)


def _wanted(request: RecommendRequest, market: Market) -> int:
    tenant = directory().tenant(market.tenant.slug)
    entry = type_book().find(tenant, market.pk, request.type) if tenant else None
    return min(request.limit or (entry.default_limit if entry else 0), MAX_LIMIT)


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _share(count: int, of: int) -> float | None:
    return round(count / of, 4) if of else None
