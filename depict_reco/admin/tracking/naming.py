"""Findings about products and recommendations that events name."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from depict_reco.admin import links
from depict_reco.admin.tracking.findings import Finding, Level, by_share, examples, number
from depict_reco.admin.tracking.recommendations import Origin
from depict_reco.admin.tracking.sample import Sample, Seen
from depict_reco.models import Product


def naming_findings(sample: Sample) -> Iterator[Finding]:
    """Say which names in events mean nothing here."""
    named = [one for one in sample.events if one.product_id or one.sku]
    if not Product.objects.filter(market=sample.market).exists():
        if named:
            yield _no_catalogue(sample)
    else:
        yield from _unknown_products(sample, named)
        yield from _unknown_skus(sample, named)
    yield from _recommendations(sample)


def _no_catalogue(sample: Sample) -> Finding:
    return Finding(
        code="no_catalogue",
        level=Level.ERROR,
        title=_("Events arrive, but the market has no products."),
        advice=_(
            "Import the product feed of this market: without it nothing can be recommended, and "
            "no event is matched with a product."
        ),
        url=links.list_url(Product, market=sample.market.pk),
    )


def _unknown_products(sample: Sample, named: list[Seen]) -> Iterator[Finding]:
    """Group product ids that the catalogue does not have by what they seem to be."""
    names = sample.names
    ids = [one.product_id for one in named if one.product_id]
    wrong = [one for one in ids if one not in names.product_ids]
    groups = [one for one in wrong if one in names.groups]
    skus = [one for one in wrong if one in names.skus and one not in names.groups]
    elsewhere = [one for one in wrong if one in names.elsewhere and one not in {*groups, *skus}]
    explained = {*groups, *skus, *elsewhere}
    rest = [one for one in wrong if one not in explained]
    if groups:
        yield Finding(
            code="group_ids",
            level=by_share(len(groups), len(ids)),
            title=_("%(n)s events name an item group instead of a product.")
            % {"n": number(len(groups))},
            advice=_(
                "The pages send the id of the parent product. Send the id of the variant that "
                "is shown, as the feed has it under product_id."
            ),
            examples=examples(groups),
        )
    if skus:
        yield Finding(
            code="sku_as_id",
            level=Level.NOTE,
            title=_("%(n)s events name a SKU where a product id belongs.")
            % {"n": number(len(skus))},
            advice=_(
                "They are understood, but may be taken for another product where a SKU and an "
                "id are alike. Send the feed's product_id."
            ),
            examples=examples(skus),
        )
    if elsewhere:
        markets = sorted({names.elsewhere[one] for one in elsewhere})
        yield Finding(
            code="other_market",
            level=by_share(len(elsewhere), len(ids)),
            title=_("%(n)s events name products that only another market has.")
            % {"n": number(len(elsewhere))},
            advice=_(
                "Their pages name this market, but show products of %(markets)s. Call setMarket "
                "with the market whose products the page shows, or import these into this one."
            )
            % {"markets": ", ".join(markets)},
            examples=examples(elsewhere),
        )
    if rest:
        yield _not_in_catalogue(sample, rest, of=len(ids))


def _not_in_catalogue(sample: Sample, strange: list[str], *, of: int) -> Finding:
    return Finding(
        code="unknown_products",
        level=by_share(len(strange), of),
        title=_("%(n)s of %(all)s events name products that the catalogue does not have.")
        % {"n": number(len(strange)), "all": number(of)},
        advice=_(
            "Neither product id, SKU nor item group. Compare the examples with the ids of the "
            "feed: often a prefix, leading zeros or another spelling; or the feed is older "
            "than the shop, or leaves these products out."
        ),
        examples=examples(strange),
        url=links.list_url(Product, market=sample.market.pk),
    )


def _unknown_skus(sample: Sample, named: list[Seen]) -> Iterator[Finding]:
    bought = [one for one in named if one.type == "purchase" and one.sku]
    wrong = [one.sku for one in bought if not sample.names.know(one)]
    if wrong:
        yield Finding(
            code="unknown_skus",
            level=by_share(len(wrong), len(bought)),
            title=_("%(n)s of %(all)s purchases name SKUs that the catalogue does not have.")
            % {"n": number(len(wrong)), "all": number(len(bought))},
            advice=_(
                "Their sales count, but teach the models nothing. Purchases are matched by SKU: "
                "map the feed's column with the SKU (--map sku=…), or send in the purchase what "
                "the feed has."
            ),
            examples=examples(wrong),
        )


def _recommendations(sample: Sample) -> Iterator[Finding]:
    with_id = [one for one in sample.live if one.recommendation_id]

    def of(origin: Origin) -> list[str]:
        ids = (one.recommendation_id for one in with_id)
        return [text for text in ids if sample.shown[text].origin == origin]

    if strange := of(Origin.UNREADABLE):
        shaped = sum(len(text.replace("-", "")) == 32 for text in strange)
        yield Finding(
            code="unreadable_ids",
            level=by_share(len(strange), len(with_id)),
            title=_("%(n)s events carry a recommendation id that is not genuine.")
            % {"n": number(len(strange))},
            advice=_key_changed() if shaped * 2 >= len(strange) else _not_an_id(),
            examples=examples(strange),
        )
    if foreign := of(Origin.OTHER_TENANT):
        yield Finding(
            code="other_tenant_ids",
            level=by_share(len(foreign), len(with_id)),
            title=_("%(n)s events carry a recommendation id of another tenant.")
            % {"n": number(len(foreign))},
            advice=_(
                "The page asks for recommendations under one tenant and reports events under "
                "another. Use one tenant name in both; these events are credited to nobody."
            ),
            examples=examples(foreign),
        )
    if astray := of(Origin.OTHER_MARKET):
        yield Finding(
            code="other_market_ids",
            level=by_share(len(astray), len(with_id)),
            title=_("%(n)s events carry a recommendation id of another market.")
            % {"n": number(len(astray))},
            advice=_(
                "The page asks for recommendations in one market and reports events in another. "
                "Call setMarket with the same name; these events are credited to nobody."
            ),
            examples=examples(astray),
        )


def _key_changed() -> str:
    return _(
        "They look like ids of another installation: SECRET_KEY was changed without keeping the "
        "old one in SECRET_KEY_FALLBACKS, the web servers have different keys, or the cards were "
        "rendered by another service."
    )


def _not_an_id() -> str:
    return _(
        "They do not look like recommendation ids at all. The card's data-recommendation-id must "
        "be the recommendation_id of its display, not a product id."
    )
