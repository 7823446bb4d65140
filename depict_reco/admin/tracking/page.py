"""The page “Tracking status”."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.admin.market_choice import MarketForm, chosen_market
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import moment
from depict_reco.admin.tracking import arrivals
from depict_reco.admin.tracking.findings import Finding, number
from depict_reco.admin.tracking.flow import flow_findings
from depict_reco.admin.tracking.naming import naming_findings
from depict_reco.admin.tracking.refused import refused_findings
from depict_reco.admin.tracking.sample import Sample, take_sample
from depict_reco.events.models import EventType
from depict_reco.models import Market, TrackingStatus

_FOLDER = "admin/depict_reco/tracking"


@admin.register(TrackingStatus)
class TrackingStatusAdmin(ReadOnlyAdmin):
    """No list of rows, but one page of a market, for those who may look at events."""

    @property
    def media(self) -> Media:
        return super().media + Media(js=["depict_reco/tracking.js"])

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("depict_reco.view_event")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.status_view), name="depict_reco_trackingstatus_changelist"),
            path("news/", wrap(self.news_view), name="depict_reco_trackingstatus_news"),
            path("findings/", wrap(self.findings_view), name="depict_reco_trackingstatus_findings"),
        ]

    def status_view(self, request: HttpRequest) -> HttpResponse:
        """Show the last events and what is to be mended."""
        market = self._market(request)
        form = MarketForm(market=market)
        last = arrivals.last_key()  # before the events: none may fall between the two
        context = {
            **self.admin_site.each_context(request),
            "title": _("Tracking status"),
            "opts": self.opts,
            "media": self.media + form.media,
            "form": form,
            "market": market,
            "last": last,
        }
        if market is not None:
            context |= {"arrivals": arrivals.newest(market), **_findings_context(market)}
            urls = ("news", "findings")
            context |= {f"{name}_url": self._url(name, market) for name in urls}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{_FOLDER}/page.html", context)

    def news_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the lines of events that came since the last question."""
        market = self._named_market(request)
        text = request.GET.get("after", "")
        after = int(text) if text.isdecimal() and len(text) < 19 else 0
        last = arrivals.last_key()
        rows = arrivals.since(market, after=after, now=timezone.now())
        html = render_to_string(f"{_FOLDER}/rows.html", {"arrivals": rows}, request)
        return JsonResponse({"after": max(last, after), "rows": html.strip()})

    def findings_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the findings as they are now."""
        context = _findings_context(self._named_market(request))
        return JsonResponse(
            {"findings": render_to_string(f"{_FOLDER}/findings.html", context, request)}
        )

    def _market(self, request: HttpRequest) -> Market | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return chosen_market(request)

    def _named_market(self, request: HttpRequest) -> Market:
        market = self._market(request)
        if market is None or str(market.pk) != request.GET.get("market"):
            raise Http404
        return market

    def _url(self, name: str, market: Market) -> str:
        full = f"admin:depict_reco_trackingstatus_{name}"
        return f"{reverse(full, current_app=self.admin_site.name)}?market={market.pk}"


def findings_of(sample: Sample) -> list[Finding]:
    """Return all findings about a market, the worst first."""
    found = [
        *refused_findings(sample),
        *flow_findings(sample),
        *naming_findings(sample),
    ]
    return sorted(found, key=lambda one: -one.level)


def _findings_context(market: Market) -> dict[str, Any]:
    sample = take_sample(market, now=timezone.now())
    kinds = dict(EventType.choices)
    return {
        "findings": findings_of(sample),
        "events": len(sample.events),
        "live": len(sample.live),
        "oldest": moment(sample.events[-1].time) if sample.events else "",
        "counts": [
            (kinds.get(type_, type_), number(count)) for type_, count in sample.counts.most_common()
        ],
        "checked_at": sample.now,
    }
