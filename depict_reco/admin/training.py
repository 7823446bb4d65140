"""Pages of training runs, and the button that starts one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links, training_start
from depict_reco.admin.feeds import duration, status_badge
from depict_reco.admin.filters import MarketFilter
from depict_reco.admin.lookups import LookupSelect
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import mapping_table
from depict_reco.models import Market, TrainingRun
from depict_reco.training.pace import Phase


class TrainForm(forms.Form):
    market = forms.ModelChoiceField(
        label=_("Market"),
        queryset=Market.objects.select_related("tenant"),
        widget=LookupSelect(url_name="admin:depict_reco_market_lookup"),
    )


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    change_list_template = "admin/depict_reco/trainingrun/change_list.html"
    list_display = ["started_at", "market", "state", "stage", "events", "products", "took"]
    list_filter = [MarketFilter, "status"]
    related = ("market__tenant",)
    ordering = ["-pk"]
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["market", "state", "stage", "message", "versions"]}),
        (_("Times"), {"fields": [("started_at", "finished_at", "took"), "heartbeat_at", "worker"]}),
        (_("Read"), {"fields": [("events", "products")]}),
        (_("Seconds per phase"), {"fields": ["durations_shown"]}),
        (_("Measured accuracy"), {"fields": ["metrics_shown"], "classes": ["reco-wide"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.train_view)
        return [
            path("train/", view, name="depict_reco_trainingrun_train"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_train": training_start.may_train(request)}
        return super().changelist_view(request, context)

    def train_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the market and start its training."""
        if not training_start.may_train(request):
            raise PermissionDenied
        form = TrainForm(request.POST or None, initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            training_start.start(request, form.cleaned_data["market"])
            name = "admin:depict_reco_trainingrun_changelist"
            may_view = self.has_view_permission(request)
            return HttpResponseRedirect(reverse(name if may_view else "admin:index"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Train a model"),
            "opts": self.opts,
            "media": self.media + form.media,
            "form": form,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/depict_reco/trainingrun/train.html", context)

    @admin.display(description=_("status"))
    def state(self, run: TrainingRun) -> Any:
        return status_badge(run)

    @admin.display(description=_("took"))
    def took(self, run: TrainingRun) -> str:
        return duration(run)

    @admin.display(description=_("versions"))
    def versions(self, run: TrainingRun) -> Any:
        """The artifacts that came of the run and are still kept."""
        rows = [(links.link(links.page_url(row), row.version),) for row in run.artifacts.all()[:20]]
        return format_html_join(", ", "{}", rows) or "-"

    @admin.display(description=_("seconds per phase"))
    def durations_shown(self, run: TrainingRun) -> Any:
        """In the order of the phases, which PostgreSQL does not keep."""
        durations = run.durations
        return mapping_table({phase: durations[phase] for phase in Phase if phase in durations})

    @admin.display(description=_("measured accuracy"))
    def metrics_shown(self, run: TrainingRun) -> Any:
        return mapping_table(run.metrics)
