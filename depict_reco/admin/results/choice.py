"""What the results are about: shop, market, days, type and variant, as the boxes above say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from depict_reco.admin.filters import FEW
from depict_reco.admin.lookups import LookupSelect
from depict_reco.analytics.figures import Period
from depict_reco.analytics.reports import Scope, Step
from depict_reco.models import Market, RecommendationType, Tenant

DAYS = 28
OWN = "own"
_LENGTHS = {
    "7": _("last 7 days"),
    "28": _("last 28 days"),
    "90": _("last 90 days"),
    "365": _("last 365 days"),
}
_TYPES = 200
_VARIANTS = 16
_DAYS_BY_DAY, _DAYS_BY_WEEK = 92, 400


class _DateInput(forms.DateInput):
    """The browser's own calendar, which knows one format of dates."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ResultsForm(forms.Form):
    """Every box may be left out of the address; what cannot be is said beside it."""

    tenant = forms.ModelChoiceField(
        label=_("Shop"), queryset=Tenant.objects.order_by("slug"), empty_label=None
    )
    market = forms.ModelChoiceField(
        label=_("Market"), queryset=Market.objects.none(), required=False, empty_label=_("all")
    )
    days = forms.ChoiceField(
        label=_("Days"),
        required=False,
        choices=[*_LENGTHS.items(), (OWN, _("own dates"))],
    )
    start = forms.DateField(label=_("From"), required=False, widget=_DateInput())
    end = forms.DateField(label=_("To"), required=False, widget=_DateInput())
    type = forms.ChoiceField(label=_("Type"), required=False)
    variant = forms.TypedChoiceField(
        label=_("Variant"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("all")), *((str(n), str(n)) for n in range(_VARIANTS))],
    )

    currency = forms.CharField(label=_("Currency"), required=False, widget=forms.Select())

    data: Any

    def __init__(self, given: QueryDict, *, tenant: Tenant, today: date) -> None:
        self._today = today
        data = given.copy()
        data["tenant"] = str(tenant.pk)
        if not data.get("days"):
            data["days"] = OWN if data.get("start") or data.get("end") else str(DAYS)
        if data["days"] in _LENGTHS:
            data["end"] = today.isoformat()
            data["start"] = (today - timedelta(days=int(data["days"]) - 1)).isoformat()
        super().__init__(data)
        self._offer(tenant)

    def _offer(self, tenant: Tenant) -> None:
        fields: dict[str, Any] = self.fields
        if len(Tenant.objects.all()[: FEW + 1]) > FEW:
            fields["tenant"].widget = LookupSelect(url_name="admin:depict_reco_tenant_lookup")
            fields["tenant"].widget.choices = fields["tenant"].choices
            fields["tenant"].widget.attrs["class"] += " reco-resubmit"
        else:
            fields["tenant"].widget.attrs["class"] = "reco-resubmit"
        markets = Market.objects.filter(tenant=tenant).select_related("tenant").order_by("slug")
        fields["market"].queryset = markets
        fields["market"].label_from_instance = lambda market: market.slug
        for name in ("market", "type", "variant", "days", "currency"):
            fields[name].widget.attrs["class"] = "reco-submit"
        for name in ("market", "type", "variant", "currency"):  # another shop has others
            fields[name].widget.attrs["data-of-market"] = ""
        names = RecommendationType.objects.filter(tenant=tenant).order_by("name")
        chosen = self.data.get("type", "")
        known = dict.fromkeys([*names.values_list("name", flat=True).distinct()[:_TYPES]])
        if chosen:
            known[chosen] = None  # figures outlive their type
        fields["type"].choices = [("", _("all")), *((name, name) for name in known)]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        start, end = values.get("start"), values.get("end") or self._today
        if "start" in self.errors or "end" in self.errors:
            return values
        start = start or end - timedelta(days=DAYS - 1)
        try:
            values["period"] = Period(start=start, end=end)
        except ValueError as error:
            raise ValidationError(_("No such days: %(error)s."), params={"error": error}) from None
        return values

    def offer_currencies(self, currencies: Sequence[str]) -> str:
        """Let one be chosen, the first by itself; return which one is. Of a valid form."""
        given = self.cleaned_data["currency"]
        chosen = given if given in currencies else currencies[0]
        if len(currencies) > 1:
            fields: dict[str, Any] = self.fields
            fields["currency"].widget.choices = [(one, one) for one in currencies]
            self.data = {**self.data.dict(), "currency": chosen}
        return chosen

    @property
    def boxes(self) -> list[forms.BoundField]:
        """The boxes to show; a currency is chosen only where there are several."""
        fields: dict[str, Any] = self.fields
        return [box for box in self if box.name != "currency" or fields["currency"].widget.choices]

    @property
    def scope(self) -> Scope:
        """What a report is asked about; of a valid form."""
        values = self.cleaned_data
        return Scope(
            tenant_pk=values["tenant"].pk,
            market_pk=values["market"].pk if values["market"] else None,
            period=values["period"],
            type_name=values["type"],
            variant=values["variant"],
        )


def step_of(period: Period) -> Step:
    """Return how fine a period is drawn: never more points than an eye can tell apart."""
    if period.days <= _DAYS_BY_DAY:
        return Step.DAY
    return Step.WEEK if period.days <= _DAYS_BY_WEEK else Step.MONTH


def chosen_tenant(given: QueryDict) -> Tenant | None:
    """Return the shop that an address names, itself or by its market; else the first one."""
    tenants = Tenant.objects.order_by("slug")
    for name, path in (("tenant", "pk"), ("market", "markets__pk")):
        pk = given.get(name, "")
        if pk.isdecimal() and len(pk) < 19:
            found: Tenant | None = tenants.filter(**{path: pk}).first()
            if found:
                return found
    return tenants.first()
