"""What each source has to say of the products that it named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _

from depict_reco.engine.explain import POPULARITY, Question, Reason, explain
from depict_reco.engine.model import ShopModel
from depict_reco.engine.popularity import PRIORS
from depict_reco.serving import wording
from depict_reco.serving.candidates import Context, filling_category, read_like, trail
from depict_reco.serving.exploration import NEW_SECONDS
from depict_reco.serving.naming import Naming

_MOST = 3
"""Explanations of one product."""
_LEAST = 0.05
"""Least share of an explanation beside the first."""
_SEEDS = 20
"""Newest products of a request that an answer is compared with word by word."""
_BUYERS = 100
"""Products bought last by which similar shoppers are found, as for a ranking."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One reason for a product to be in an answer."""

    text: str
    share: float
    """Of everything that speaks for the product."""
    source: str
    """The source that put it there."""
    part: str
    """The part of a blend that says so; of other sources the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """What the sources of one ranking looked at."""

    context: Context
    naming: Naming

    @property
    def model(self) -> ShopModel | None:
        return self.context.snapshot.model

    def of(self, source: str, codes: list[int]) -> list[tuple[Explanation, ...]]:
        """Say of some products why a source named them, the strongest reason first."""
        if source in _BLENDS:
            question, asked = _BLENDS[source]
            return self._blended(source, question, asked(self.context), codes)
        said = _WORDS[source]
        return [
            (Explanation(text=said(self, code), share=1.0, source=source, part=source),)
            for code in codes
        ]

    def _blended(
        self, source: str, question: Question, asked: list[int], codes: list[int]
    ) -> list[tuple[Explanation, ...]]:
        snapshot = self.context.snapshot
        query = self.context.items(asked)
        answered = snapshot.item_of_code[codes].tolist()
        # a shopper's history is not on the page: what is meant of it must be named
        named = len(query) > 1 or not set(asked) <= set(self.context.anchors)
        found = explain(_present(self.model), question, query, answered)
        return [
            _merged(source, [(self._words(reason, code, named), reason) for reason in reasons])
            for code, reasons in zip(codes, found, strict=True)
        ]

    def _words(self, reason: Reason, code: int, named: bool) -> str:
        """Say what a part of a blend says of a product; nothing where it speaks against it."""
        if reason.share <= 0:
            return ""
        if reason.part == POPULARITY:
            return self._fashion(code)
        if reason.item is None or reason.facts is None:
            return ""
        near = int(self.context.snapshot.code_of_item[reason.item])
        title = self.naming.title(near) if named else ""
        if reason.part == "content":
            return self.naming.likeness(near, code, title=title)
        if reason.part == "walks":
            return wording.walked(self._title_of_item(reason.via), title)
        return wording.met(reason.part, reason.facts, title)

    def _title_of_item(self, item: int | None) -> str:
        """Return the title of an item of the model; nothing of one that is gone."""
        code = -1 if item is None else int(self.context.snapshot.code_of_item[item])
        return self.naming.title(code) if code >= 0 and self.naming.exists(code) else ""

    def _fashion(self, code: int) -> str:
        model = _present(self.model)
        item = self.context.snapshot.item_of_code[code]
        priors = dict(zip(PRIORS, model.popularity.priors[:, item].tolist(), strict=True))
        if priors["recent"] > priors["lasting"]:
            return _("wanted more of late than before")
        return wording.popular("")

    def liked(self, code: int, name: str) -> bool:
        """Whether a product has any popularity, or trend."""
        item = int(self.context.snapshot.item_of_code[code])
        if self.model is None or item < 0:
            return False
        return bool(getattr(self.model.popularity, name)[item] > 0)

    def days_known(self, code: int) -> int:
        """Return since how many days a product is in the catalogue."""
        age = timezone.now().timestamp() - float(self.context.snapshot.columns.first_seen[code])
        return max(int(age // _DAY), 0)

    def filling(self) -> str:
        """Return the name of the category that answers are filled from; nothing for none."""
        pk = filling_category(self.context)
        members = self.context.snapshot.columns.codes_in(0 if pk is None else pk)
        return self.naming.category(pk) if len(members) else ""


def _trending(reasons: Reasons, code: int) -> str:
    category = reasons.filling()
    return (
        wording.trending(category)
        if reasons.liked(code, "trending")
        else _wanted(reasons, code, category)
    )


def _popular(reasons: Reasons, code: int) -> str:
    return _wanted(reasons, code, "" if reasons.context.category is None else reasons.filling())


def _wanted(reasons: Reasons, code: int, category: str) -> str:
    if reasons.liked(code, "popular"):
        return wording.popular(category)
    if category:
        return _("from the category %(category)s") % {"category": category}
    return _filler(reasons, code)


def _newest(reasons: Reasons, code: int) -> str:
    days = reasons.days_known(code)
    if days * _DAY < NEW_SECONDS:
        return wording.new_since(days)
    return _("among the newest in the catalogue")


def _exploration(reasons: Reasons, code: int) -> str:
    text = _("%(new)s, shown to learn who likes it")
    return text % {"new": wording.new_since(reasons.days_known(code))}


def _filler(reasons: Reasons, code: int) -> str:
    if reasons.liked(code, "popular"):
        return wording.popular("")
    return _("fills the list: little is known of it yet")


def _recently_viewed(reasons: Reasons, code: int) -> str:
    history = list(dict.fromkeys(reasons.context.history[::-1]))
    return wording.seen_before(history.index(code))


def _content(reasons: Reasons, code: int) -> str:
    """Name what the product has in common with that of the request which it is most like."""
    seeds = read_like(reasons.context)[-_SEEDS:]
    common = [reasons.naming.common(seed, code) for seed in seeds]
    best = max(range(len(seeds)), key=lambda at: ([bool(part) for part in common[at]], at))
    title = reasons.naming.title(seeds[best]) if len(seeds) > 1 else ""
    return wording.alike(*common[best], title)


def _buy_again(reasons: Reasons, code: int) -> str:
    repeat, snapshot = _present(reasons.model).repeat, reasons.context.snapshot
    item = int(snapshot.item_of_code[code])
    ages = [age for one, age in reasons.context.bought if one == code]
    if ages:
        return wording.bought_before(
            times=len({age // 1 for age in ages}),  # a product counts once a day
            ago=max(round(min(ages)), 0),
            every=max(round(float(repeat.interval[item])), 1),
        )
    bought = np.array([one for one, _ in sorted(reasons.context.bought, key=lambda pair: pair[1])])
    own = snapshot.item_of_code[bought]
    own = np.array(list(dict.fromkeys(own[own >= 0].tolist())))[:_BUYERS]
    if item in repeat.neighbours(own).items:
        return _("bought by shoppers who buy the same")
    return _("bought by many in this market")


_BLENDS: dict[str, tuple[Question, Callable[[Context], list[int]]]] = {
    "substitutes": (Question.SUBSTITUTES, lambda context: context.anchors),
    "upsell": (Question.SUBSTITUTES, lambda context: context.anchors),
    "complements": (Question.COMPLEMENTS, lambda context: context.anchors),
    "sessions": (Question.NEXT_ITEMS, trail),
}
"""Sources that ask the model, and what with."""
_WORDS: dict[str, Callable[[Reasons, int], str]] = {
    "content": _content,
    "trending": _trending,
    "popular": _popular,
    "newest": _newest,
    "recently_viewed": _recently_viewed,
    "buy_again": _buy_again,
    "catalogue": _filler,
    "exploration": _exploration,
}
EXPLAINED = frozenset((*_BLENDS, *_WORDS))
"""Names of the sources that can be explained: all of them."""


def _merged(source: str, said: Iterable[tuple[str, Reason]]) -> tuple[Explanation, ...]:
    """Return the strongest explanations; parts that say the same count as one."""
    found: dict[str, Explanation] = {}
    for text, reason in said:
        if not text:
            continue
        before = found.get(text)
        found[text] = Explanation(
            text=text,
            share=reason.share + (before.share if before else 0.0),
            source=source,
            part=before.part if before else reason.part,
        )
    ranked = sorted(found.values(), key=lambda one: -one.share)
    kept = [one for one in ranked if one.share >= _LEAST]
    return tuple((kept or ranked)[:_MOST])


def _present(model: ShopModel | None) -> ShopModel:
    if model is None:
        raise LookupError("A source that asks the model has named something without one.")
    return model
