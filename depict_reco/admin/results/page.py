"""The page “Results”."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.results.charts import charts_of
from depict_reco.admin.results.choice import ResultsForm, chosen_tenant, step_of
from depict_reco.admin.results.tables import Table, cards_of, table_of
from depict_reco.analytics.figures import Row
from depict_reco.analytics.reports import Breakdown, Freshness, Scope, freshness, report, today
from depict_reco.analytics.spreadsheet import csv_response
from depict_reco.models import Market, Results, Tenant, TrackingStatus

_UPLOT = "depict_reco/vendor/uplot"


@admin.register(Results)
class ResultsAdmin(ReadOnlyAdmin):
    """No list of rows, but one page of a shop, for those who may look at daily counters."""

    @property
    def media(self) -> Media:
        own = Media(
            js=[f"{_UPLOT}/uPlot.iife.min.js", "depict_reco/results.js"],
            css={"all": [f"{_UPLOT}/uPlot.min.css"]},
        )
        return super().media + own

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("depict_reco.view_dailycounter")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.results_view), name="depict_reco_results_changelist"),
            path("csv/", wrap(self.csv_view), name="depict_reco_results_csv"),
        ]

    def results_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the recommendations of a shop brought."""
        tenant, form, fresh = self._asked(request)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Results"),
            "opts": self.opts,
            "media": self.media + (form.media if form else Media()),
            "form": form,
            "tenant": tenant,
            "fresh": fresh,
            "tracking_url": _tracking_url(tenant, request.GET.get("market", "")),
        }
        if form is not None and form.is_valid() and fresh.counted_at is not None:
            context |= self._figures(request, form)
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/depict_reco/results/page.html", context)

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """Answer one of the tables as a file."""
        tenant, form, _fresh = self._asked(request)
        name = request.GET.get("breakdown", "")
        if tenant is None or form is None or not form.is_valid() or name not in list(Breakdown):
            raise Http404
        scope, breakdown = form.scope, Breakdown(name)
        rows = report(scope, breakdown, step=step_of(scope.period))
        parts = ("results", tenant.slug, scope.period.start, scope.period.end, name)
        return csv_response(rows, breakdown, name="-".join(map(str, parts)))

    def _asked(self, request: HttpRequest) -> tuple[Tenant | None, ResultsForm | None, Freshness]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        tenant, fresh = chosen_tenant(request.GET), freshness()
        if tenant is None:
            return None, None, fresh
        return tenant, ResultsForm(request.GET, tenant=tenant, today=today()), fresh

    def _figures(self, request: HttpRequest, form: ResultsForm) -> dict[str, Any]:
        scope = form.scope
        step = step_of(scope.period)
        [total] = report(scope, Breakdown.TOTAL)
        currencies = _currencies(scope, total)
        currency = form.offer_currencies(currencies)
        over_time = report(scope, Breakdown.TIME, step=step)
        positions = report(scope, Breakdown.POSITION)

        def table(
            rows: list[Row], breakdown: Breakdown, own: Mapping[str, str] | None = None
        ) -> Table:
            url = self._csv_url(request, breakdown)
            return table_of(rows, breakdown, currency=currency, step=step, csv_url=url, own=own)

        types = report(scope, Breakdown.TYPE)
        tables = [table(types, Breakdown.TYPE), table(positions, Breakdown.POSITION)]
        if scope.market_pk is None:
            markets = report(scope, Breakdown.MARKET)
            own = dict(
                Market.objects.filter(tenant=scope.tenant_pk).values_list("slug", "currency")
            )
            tables += [table(markets, Breakdown.MARKET, own)] if len(markets) > 1 else []
        variants = report(scope, Breakdown.VARIANT)
        tables += [table(variants, Breakdown.VARIANT)] if len(variants) > 1 else []
        tables.append(table(over_time, Breakdown.TIME))
        return {
            "scope": scope,
            "step": step,
            "empty": not types,
            "sales": total.now.all_orders or total.before.all_orders,
            "total": total,
            "cards": cards_of(total, sorted(currencies, key=lambda one: one != currency)),
            "charts": charts_of(over_time, positions, currency),
            "currency": currency,
            "currencies": currencies,
            "tables": [one for one in tables if one.lines],
        }

    def _csv_url(self, request: HttpRequest, breakdown: Breakdown) -> str:
        query = request.GET.copy()
        query["breakdown"] = breakdown.value
        url = reverse("admin:depict_reco_results_csv", current_app=self.admin_site.name)
        return f"{url}?{query.urlencode()}"


def _tracking_url(tenant: Tenant | None, market: str) -> str:
    """Return where to look at the events of the chosen market, or of the shop's first one."""
    if tenant is None:
        return ""
    markets = Market.objects.filter(tenant=tenant).order_by("slug")
    chosen = markets.filter(pk=market).first() if market.isdecimal() else None
    found = chosen or markets.first()
    return links.list_url(TrackingStatus, **({"market": found.pk} if found else {}))


def _currencies(scope: Scope, total: Row) -> list[str]:
    """Return the currencies that something was sold in, the one with most revenue first.

    Where nothing was sold, that of the first market.
    """
    sold = [one.currency for each in (total.now, total.before) for one in each.revenue
            if one.all or one.attributed]  # fmt: skip
    if sold:
        known = list(dict.fromkeys(sold))
        return sorted(
            known,
            key=lambda one: (-total.now.revenue_in(one).all, -total.before.revenue_in(one).all),
        )
    markets = Market.objects.filter(tenant=scope.tenant_pk).order_by("slug")
    if scope.market_pk is not None:
        markets = markets.filter(pk=scope.market_pk)
    return [markets.values_list("currency", flat=True).first() or ""]
