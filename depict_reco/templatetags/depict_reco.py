"""``{% load depict_reco %}``: recommendations on pages that the shop renders itself."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from depict_reco.analytics.served import note_served
from depict_reco.serving import pages

register = template.Library()


@register.simple_tag(takes_context=True)
def recommendations(
    context: Context,
    type: str,
    *,
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
) -> pages.Recommendations:
    """Ask for displays: ``{% recommendations type="similar" product=product as products %}``.

    Without ``as`` they are shown as a list. See ``serving.pages.recommendations``.
    """
    found = pages.recommendations(
        type,
        request=context.get("request"),
        tenant=tenant,
        market=market,
        locale=locale,
        product=product,
        product_ids=product_ids,
        category=category,
        limit=limit,
        session=session,
        user=user,
        consent=consent,
    )
    if found.answer is not None:
        note_served(
            market_pk=found.answer.market_pk,
            type_pk=found.answer.type_pk,
            type_name=found.type,
            displays=len(found),
        )
    return found
