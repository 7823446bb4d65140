"""Why each product is in an answer, in words: only for those who ask, at the cost of asking.

A ranking keeps no reasons. It is made as for any request, and what its sources looked at is looked
at once more for the products that were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from django.utils.translation import gettext as _

from depict_reco.serving.candidates import SOURCES
from depict_reco.serving.naming import Naming
from depict_reco.serving.reasons import Explanation, Reasons
from depict_reco.serving.recommend import Ranking, answer_of, rank
from depict_reco.serving.requests import Answer, RecommendRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A product that a source named and that was not answered."""

    product_id: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An answer with its reasons."""

    answer: Answer
    explanations: tuple[tuple[Explanation, ...], ...]
    """Of each product of the answer, the strongest reason first; at least one."""
    left_out: tuple[LeftOut, ...]
    """What would have stood among the first."""


def explained(request: RecommendRequest, *, left_out: int = 0) -> Explained:
    """Answer a request as ``recommend`` does, and say why; in the language that is active.

    Up to ``left_out`` products that would have been answered but may not be are named as well,
    which takes another ranking.
    """
    ranking = rank(request)
    answer = answer_of(ranking, request)
    if ranking is None:
        return Explained(answer=answer, explanations=(), left_out=())
    naming = Naming(ranking.context, codes=ranking.codes, locale=request.locale)
    reasons = Reasons(context=ranking.context, naming=naming)
    told: dict[int, tuple[Explanation, ...]] = {}
    for source in dict.fromkeys(ranking.sources):
        pairs = zip(ranking.codes, ranking.sources, strict=True)
        codes = [code for code, name in pairs if name == source]
        told |= zip(codes, reasons.of(source, codes), strict=True)
    return Explained(
        answer=answer,
        explanations=tuple(told[code] for code in ranking.codes),
        left_out=tuple(_left_out(ranking, naming, left_out)) if left_out else (),
    )


def _left_out(ranking: Ranking, naming: Naming, count: int) -> list[LeftOut]:
    """Return what the sources of an answer would name, best first, and may not."""
    context = ranking.context
    anything = replace(context, eligible=np.ones_like(context.eligible), asked=())
    found: dict[int, None] = {}
    for source in ranking.entry.chain:
        if source in ranking.sources or not ranking.sources:
            named = chain.from_iterable(part.tolist() for part in SOURCES[source](anything))
            codes = np.array(list(islice(named, context.limit)), dtype=np.int32)
            found |= dict.fromkeys(codes[~context.may(codes)].tolist())
    return [
        LeftOut(
            product_id=naming.row(code).product_id,
            title=naming.title(code),
            reason=_reason(ranking, code),
        )
        for code in islice(filter(naming.exists, found), count)
    ]


def _reason(ranking: Ranking, code: int) -> str:
    """Say why an item group may not be answered."""
    columns = ranking.context.snapshot.columns
    rows = [columns.row(at) for at in columns.rows_of(code)]
    excluded = {columns.tree.pks.get(name) for name in ranking.entry.excluded_categories}
    if any(row.eligible for row in rows):
        if excluded.isdisjoint(columns.categories_of(code)):
            return _("in the request")
        return _("in a category that the type leaves out")
    if any(row.visible for row in rows):
        return _("sold out")
    if any(row.active for row in rows):
        return _("hidden")
    return _("no longer in the feed")
