"""The words in which an answer is explained; every figure in them was counted."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from depict_reco.engine.explain import Facts
from depict_reco.engine.occurrences import Count

_BOUGHT_PARTS = frozenset({"baskets", "linear"})
_STEP_PARTS = frozenset({"transitions", "latest", "fresh"})


def met(part: str, facts: Facts, title: str) -> str:
    """Say how often two products met, as far as it bears on a part; ``title`` may be empty."""
    if part in _BOUGHT_PARTS:
        return in_baskets(facts.baskets, title) or in_visits(facts.visits, title) or _likely(title)
    if part == "crossed" and facts.wanted.both:
        return wanted_after_view(facts.wanted, title)
    # where the visits are orders, nothing is viewed and nothing comes next
    if not facts.visits.viewed and facts.baskets.both:
        return in_baskets(facts.baskets, title)
    found = came_next(facts.following, title) if part in _STEP_PARTS else ""
    return found or in_visits(facts.visits, title) or _likely(title)


def in_baskets(count: Count, title: str) -> str:
    """Say how often two products were bought together; nothing if they never were."""
    if not count.both:
        return ""
    values = {"both": count.both, "of": count.of, "title": title}
    if not title:
        text = ngettext(
            "bought together in %(both)d of %(of)d basket",
            "bought together in %(both)d of %(of)d baskets",
            count.of,
        )
    else:
        text = ngettext(
            "bought together with “%(title)s” in %(both)d of %(of)d basket",
            "bought together with “%(title)s” in %(both)d of %(of)d baskets",
            count.of,
        )
    return text % values


def in_visits(count: Count, title: str) -> str:
    """Say how often two products were in one visit; nothing if they never were."""
    if not count.both:
        return ""
    values = {"both": count.both, "of": count.of, "title": title}
    if count.viewed == count.both and title:
        text = ngettext(
            "viewed together with “%(title)s” in %(both)d of %(of)d visit",
            "viewed together with “%(title)s” in %(both)d of %(of)d visits",
            count.of,
        )
    elif count.viewed == count.both:
        text = ngettext(
            "viewed together in %(both)d of %(of)d visit",
            "viewed together in %(both)d of %(of)d visits",
            count.of,
        )
    elif title:
        text = ngettext(
            "in the same visit as “%(title)s” in %(both)d of %(of)d visit",
            "in the same visit as “%(title)s” in %(both)d of %(of)d visits",
            count.of,
        )
    else:
        text = ngettext(
            "in the same visit in %(both)d of %(of)d visit",
            "in the same visit in %(both)d of %(of)d visits",
            count.of,
        )
    return text % values


def wanted_after_view(count: Count, title: str) -> str:
    """Say in how many visits with a look at one product another was carted or bought."""
    values = {"both": count.both, "of": count.of, "title": title}
    if title:
        text = ngettext(
            "put into the cart or bought in %(both)d of %(of)d visit that viewed “%(title)s”",
            "put into the cart or bought in %(both)d of %(of)d visits that viewed “%(title)s”",
            count.of,
        )
    else:
        text = ngettext(
            "put into the cart or bought in %(both)d of %(of)d visit",
            "put into the cart or bought in %(both)d of %(of)d visits",
            count.of,
        )
    return text % values


def came_next(count: Count, title: str) -> str:
    """Say how often a product came right after another; nothing if it never did."""
    if not count.both:
        return ""
    values = {
        "share": percent(count.both / count.of), "both": count.both, "of": count.of, "title": title
    }  # fmt: skip
    if count.viewed == count.both and title:
        text = ngettext(
            "viewed next after “%(title)s” by %(share)s (%(both)d of %(of)d visit)",
            "viewed next after “%(title)s” by %(share)s (%(both)d of %(of)d visits)",
            count.of,
        )
    elif count.viewed == count.both:
        text = ngettext(
            "viewed next by %(share)s (%(both)d of %(of)d visit)",
            "viewed next by %(share)s (%(both)d of %(of)d visits)",
            count.of,
        )
    elif title:
        text = ngettext(
            "wanted next after “%(title)s” by %(share)s (%(both)d of %(of)d visit)",
            "wanted next after “%(title)s” by %(share)s (%(both)d of %(of)d visits)",
            count.of,
        )
    else:
        text = ngettext(
            "wanted next by %(share)s (%(both)d of %(of)d visit)",
            "wanted next by %(share)s (%(both)d of %(of)d visits)",
            count.of,
        )
    return text % values


def walked(via: str, title: str) -> str:
    """Say what lies between two products; either title may be empty."""
    if via and title:
        return _("related to “%(title)s” by way of “%(via)s”") % {"title": title, "via": via}
    if via:
        return _("related by way of “%(via)s”") % {"via": via}
    return _("two steps away in what people look at")


def alike(brand: str, category: str, words: str, title: str) -> str:
    """Say what two products have in common, each of which may be empty."""
    values = {"brand": brand, "category": category, "words": words, "title": title}
    if brand and category:
        text = _("same brand and category: %(brand)s, %(category)s")
    elif category:
        text = _("same category: %(category)s")
    elif brand:
        text = _("same brand: %(brand)s")
    elif words:
        text = _("same words: %(words)s")
    elif title:
        text = _("reads like “%(title)s”")
    else:
        text = _("reads alike")
    return text % values


def trending(category: str) -> str:
    """Say that a product is on the rise, in a category or anywhere."""
    if category:
        return _("trending in %(category)s") % {"category": category}
    return _("trending in this market")


def popular(category: str) -> str:
    """Say that many want a product, in a category or anywhere."""
    if category:
        return _("popular in %(category)s") % {"category": category}
    return _("popular in this market")


def new_since(days: int) -> str:
    """Say that a product is new."""
    if days < 1:
        return _("new since today")
    text = ngettext("new since %(days)d day", "new since %(days)d days", days)
    return text % {"days": days}


def seen_before(back: int) -> str:
    """Say how many products ago a shopper dealt with this one."""
    if back < 1:
        return _("what this shopper dealt with last")
    text = ngettext(
        "this shopper dealt with it %(back)d product before the last",
        "this shopper dealt with it %(back)d products before the last",
        back,
    )
    return text % {"back": back}


def bought_before(times: int, ago: int, every: int) -> str:
    """Say how often a shopper bought a product, and how often that is done; days are whole."""
    bought = ngettext(
        "bought by this shopper %(times)d time", "bought by this shopper %(times)d times", times
    )
    last = ngettext("last %(ago)d day ago", "last %(ago)d days ago", ago)
    due = ngettext("due about every %(every)d day", "due about every %(every)d days", every)
    values = {"times": times, "ago": ago, "every": every}
    return ", ".join(text % values for text in (bought, last, due))


def percent(share: float) -> str:
    """Return a share as people write it: whole from 1 % on, with two digits below."""
    hundredths = 100.0 * share
    if hundredths >= 1.0:
        return f"{hundredths:.0f} %"
    return f"{number_format(float(f'{hundredths:.2g}'))} %"


def _likely(title: str) -> str:
    if title:
        return _("in visits and baskets like those with “%(title)s”") % {"title": title}
    return _("in visits and baskets like this one")
