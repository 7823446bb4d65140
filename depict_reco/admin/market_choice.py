"""The box that says which market a page is about."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from depict_reco.admin.filters import FEW
from depict_reco.admin.lookups import LookupSelect
from depict_reco.models import Market


class MarketSelect(LookupSelect):
    """All markets while they are few, else a box that searches."""

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        attrs = super().build_attrs(base_attrs, extra_attrs)
        attrs["class"] += " reco-resubmit"
        return attrs


class MarketForm(forms.Form):
    """Chooses a market, at once."""

    market = forms.ModelChoiceField(
        label=_("Market"), queryset=Market.objects.select_related("tenant"), empty_label=None
    )

    def __init__(self, *, market: Market | None) -> None:
        super().__init__(initial={"market": market and market.pk})
        field: Any = self.fields["market"]
        if len(Market.objects.all()[: FEW + 1]) > FEW:
            field.widget = MarketSelect(url_name="admin:depict_reco_market_lookup")
            field.widget.choices = field.choices
        else:
            field.widget.attrs["class"] = "reco-submit"


def chosen_market(request: HttpRequest) -> Market | None:
    """Return the market that an address names, or the first one; None: there is none."""
    markets = Market.objects.select_related("tenant").order_by("tenant__slug", "slug", "pk")
    pk = request.GET.get("market", "")
    chosen = markets.filter(pk=pk).first() if pk.isdecimal() and len(pk) < 19 else None
    return chosen or markets.first()
