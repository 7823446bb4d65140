"""Reports over HTTP, as JSON and as a table for spreadsheets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from depict_reco.analytics import reports
from depict_reco.analytics.figures import RATES, Period, Row
from depict_reco.analytics.reports import Breakdown, Freshness, Scope, Step
from depict_reco.analytics.spreadsheet import csv_response
from depict_reco.api.management.schema import Bodies
from depict_reco.api.management.serializers import find_market, find_tenant
from depict_reco.api.management.viewset import ManagementViewSet
from depict_reco.models import ApiKey, DailyCounter

DEFAULT_DAYS = 28


class ReportFilters(filters.FilterSet):
    """What a report is about."""

    tenant = filters.CharFilter("market__tenant__slug", label="Slug of the tenant.")
    market = filters.CharFilter("market__slug", label="Slug of the market; empty: all together.")
    type = filters.CharFilter("type_name", label="Name of a recommendation type; empty: all.")
    variant = filters.NumberFilter(
        "variant", min_value=0, max_value=15, label="Variant of an experiment; empty: all."
    )
    start = filters.DateFilter(
        "day", lookup_expr="gte", label=f"First day; empty: {DEFAULT_DAYS} days up to the last."
    )
    end = filters.DateFilter("day", lookup_expr="lte", label="Last day; empty: today.")
    by = filters.ChoiceFilter(
        choices=[(one.value, one.value) for one in Breakdown],
        method="leave",
        label="What each line stands for; empty: total.",
    )
    step = filters.ChoiceFilter(
        choices=[(one.value, one.value) for one in Step],
        method="leave",
        label="Span of each line by time; empty: day.",
    )

    class Meta:
        model = DailyCounter
        fields: list[str] = []

    def leave(self, rows: Any, name: str, value: str) -> Any:
        """Change nothing: it says how the report looks, not what it reads."""
        return rows


class RateSerializer(serializers.Serializer):
    """A share of trials, with the interval that holds the true one with 95 % confidence."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    hits = serializers.IntegerField()
    trials = serializers.IntegerField()


class RevenueSerializer(serializers.Serializer):
    """Revenue in one currency, returns taken off."""

    currency = serializers.CharField()
    direct = serializers.DecimalField(max_digits=None, decimal_places=4)
    assisted = serializers.DecimalField(max_digits=None, decimal_places=4)
    all = serializers.DecimalField(max_digits=None, decimal_places=4)
    direct_share = serializers.FloatField(allow_null=True)
    attributed_share = serializers.FloatField(allow_null=True)


class FiguresSerializer(serializers.Serializer):
    """What recommendations brought; docs/analytics.md defines each figure."""

    served = serializers.IntegerField(help_text="An estimate.")
    visible = serializers.IntegerField()
    clicks = serializers.IntegerField()
    direct_carts = serializers.IntegerField()
    assisted_carts = serializers.IntegerField()
    direct_orders = serializers.IntegerField()
    assisted_orders = serializers.IntegerField()
    all_orders = serializers.IntegerField()
    click_rate = RateSerializer()
    cart_rate = RateSerializer()
    conversion = RateSerializer()
    revenue = RevenueSerializer(many=True)


class ReportRowSerializer(serializers.Serializer):
    """One line, with the period before beside it."""

    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    now = FiguresSerializer()
    before = FiguresSerializer()
    significant = serializers.DictField(
        child=serializers.BooleanField(allow_null=True),
        help_text="By rate, whether chance hardly explains the change; null: too little to say.",
    )


class PeriodSerializer(serializers.Serializer):
    """Days, both included."""

    start = serializers.DateField()
    end = serializers.DateField()


class ReportSerializer(serializers.Serializer):
    """A report."""

    period = PeriodSerializer()
    previous = PeriodSerializer()
    counted_at = serializers.DateTimeField(
        allow_null=True, help_text="When all events that were there had been counted."
    )
    time_zone = serializers.CharField(allow_blank=True, help_text="Whose days these are.")
    rows = ReportRowSerializer(many=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    period: Period
    previous: Period
    freshness: Freshness
    breakdown: Breakdown
    rows: list[Row]


class ReportView(ManagementViewSet):
    """What recommendations brought. For keys with the scope `export`, and for staff."""

    queryset = DailyCounter.objects.live()
    serializer_class = ReportSerializer
    filterset_class = ReportFilters
    pagination_class = None  # type: ignore[assignment]
    key_scope = ApiKey.Scope.EXPORT
    act_permissions = {"list": ("view_dailycounter",), "table": ("view_dailycounter",)}
    bodies = {
        "list": Bodies(answer=ReportSerializer, single=True),
        "table": Bodies(media_types=("text/csv",)),
    }

    def list(self, request: Request) -> Response:
        """Show a report"""
        report = self._report()
        return Response(
            {
                "period": PeriodSerializer(report.period).data,
                "previous": PeriodSerializer(report.previous).data,
                "counted_at": report.freshness.counted_at,
                "time_zone": report.freshness.time_zone,
                "rows": [_row(row) for row in report.rows],
            }
        )

    @action(detail=False, methods=["get"], url_path="csv")
    def table(self, request: Request) -> HttpResponse:
        """Show a report as CSV, with the same parameters"""
        report = self._report()
        name = f"report-{report.period.start}-{report.period.end}"
        return csv_response(report.rows, report.breakdown, name=name)

    def _report(self) -> _Report:
        chosen = ReportFilters(self.request.query_params, queryset=DailyCounter.objects.none())
        if not chosen.is_valid():
            raise serializers.ValidationError(chosen.errors)
        values = chosen.form.cleaned_data
        end = values["end"] or reports.today()
        try:
            start = values["start"] or end - timedelta(days=DEFAULT_DAYS - 1)
            period = Period(start=start, end=end)
            previous = period.previous
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError({"start": [str(error)]}) from None
        breakdown = Breakdown(values["by"] or Breakdown.TOTAL)
        return _Report(
            period=period,
            previous=previous,
            freshness=reports.freshness(),
            breakdown=breakdown,
            rows=reports.report(
                self._scope(values, period), breakdown, step=Step(values["step"] or Step.DAY)
            ),
        )

    def _scope(self, values: dict[str, Any], period: Period) -> Scope:
        context, slug = self.get_serializer_context(), values["tenant"] or None
        market = None
        if values["market"]:
            market = find_market(context, tenant=slug, market=values["market"])
        tenant_pk = find_tenant(context, slug).pk if market is None else market.tenant_id
        variant = values["variant"]
        return Scope(
            tenant_pk=tenant_pk,
            market_pk=None if market is None else market.pk,
            type_name=values["type"] or "",
            variant=None if variant is None else int(variant),
            period=period,
        )


def _row(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "now": FiguresSerializer(row.now).data,
        "before": FiguresSerializer(row.before).data,
        "significant": {name: row.change(name).significant for name in RATES},
    }
