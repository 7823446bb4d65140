"""Pages of feeds and of what their imports did."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.background import CannotStartError, start_command
from depict_reco.admin.base import BaseAdmin
from depict_reco.admin.fields import JsonField
from depict_reco.admin.filters import MarketFilter, MarketTenantFilter, ParameterFilter
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import moment, rows_table, text_of
from depict_reco.models import Feed, FeedRun

_RUNS_SHOWN = 10


class FeedForm(forms.ModelForm):
    mapping = JsonField(
        label=_("Mapping"),
        rows=5,
        help_text=_('Our field → the feed\'s column, such as {"product_id": "Artikelnummer"}.'),
    )
    local_files = False
    """Whether this person may name a file of the server."""

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"].strip()
        if not (self.local_files or links.is_web_address(source)) and (
            source != self.instance.source
        ):
            raise ValidationError(
                _("Give an http(s) address. Only a superuser may name a file on the server.")
            )
        return source

    def clean_mapping(self) -> dict[str, str]:
        mapping: dict[str, str] = self.cleaned_data["mapping"]
        for field, column in mapping.items():
            if not isinstance(column, str) or not column:
                raise ValidationError(
                    _("“%(field)s” must name one column of the feed."), params={"field": field}
                )
        return mapping


@admin.register(Feed)
class FeedAdmin(BaseAdmin):
    form = FeedForm
    list_display = ["name", "market", "last_run", "source_shown", "active"]
    list_filter = [MarketTenantFilter, MarketFilter, "active"]
    related = ("market__tenant",)
    search_fields = ["name", "source", "market__slug", "market__tenant__slug"]
    search_help_text = _("Part of a name, source, market or tenant.")
    ordering = ["market__tenant__slug", "market__slug", "name"]
    sortable_by = ["name"]
    autocomplete_fields = ["market"]
    kept_fields = ("market",)
    readonly_fields = ["runs_shown", "source_shown"]
    actions = ["run_now"]
    detail_actions = (("run_now", _("Run now")),)

    def get_fields(self, request: HttpRequest, obj: Feed | None = None) -> Any:
        source = "source" if self.has_change_permission(request, obj) else "source_shown"
        fields = ["market", "name", source, "format", "mapping", "full", "active"]
        return fields if obj is None else [*fields, "runs_shown"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.local_files = request.user.is_superuser  # type: ignore[attr-defined]
        if "source" in form.base_fields:
            form.base_fields["source"].widget = forms.TextInput(attrs={"class": "vLargeTextField"})
        return form

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feed]:
        newest = FeedRun.objects.filter(feed=OuterRef("pk")).order_by("-pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                run_pk=Subquery(newest.values("pk")[:1]),
                run_status=Subquery(newest.values("status")[:1]),
                run_started=Subquery(newest.values("started_at")[:1]),
                run_rejected=Subquery(newest.values("rejected")[:1]),
            )
        )

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["depict_reco.change_feed", "depict_reco.change_product"])

    @admin.display(description=_("source"))
    def source_shown(self, feed: Feed) -> str:
        """The address without its password, and not too long."""
        source = feed.shown_source
        return source if len(source) <= 50 else f"{source[:47]}…"

    @admin.display(description=_("last run"))
    def last_run(self, feed: Any) -> Any:
        if feed.run_pk is None:
            return _("never")
        url = links.page_url(FeedRun(pk=feed.run_pk))
        rejected = ""
        if feed.run_rejected:
            rejected = _now("%(n)s rejected") % {"n": text_of(feed.run_rejected)}
        return format_html(
            '<a href="{}"><span class="reco-status reco-{}">{}</span></a> {} {}',
            url,
            feed.run_status,
            FeedRun.Status(feed.run_status).label,
            moment(feed.run_started),
            rejected,
        )

    @admin.display(description=_("runs"))
    def runs_shown(self, feed: Feed) -> Any:
        runs = list(feed.runs.order_by("-pk").defer("rejections")[:_RUNS_SHOWN])
        if not runs:
            return _("This feed was never run.")
        table = rows_table(
            [str(title) for title in (_("Started"), _("Status"), *_COUNT_TITLES)],
            [
                [
                    links.link(links.page_url(run), moment(run.started_at)),
                    status_badge(run),
                    *(getattr(run, name) for name in _COUNTS),
                ]
                for run in runs
            ],
        )
        url = links.list_url(FeedRun, feed=feed.pk)
        return format_html("{}<p>{}</p>", table, links.link(url, _("All runs")))

    @admin.action(description=_("Run selected feeds now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        for feed in queryset:
            self._start(request, feed)

    def _start(self, request: HttpRequest, feed: Feed) -> None:
        market = feed.market
        try:
            start_command(
                "reco_import_feed",
                market.tenant.slug,
                market.slug,
                options=(f"--feed={feed.name}",),
            )
        except CannotStartError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        link = links.link(links.list_url(FeedRun, feed=feed.pk), _("Watch it among its runs."))
        text = _now("The import of {feed} was started. {link}")
        self.message_user(request, format_html(text, feed=feed, link=link), messages.SUCCESS)


_COUNTS = ("created", "updated", "unchanged", "rejected", "deactivated")
_COUNT_TITLES = (_("Created"), _("Updated"), _("Unchanged"), _("Rejected"), _("Deactivated"))


def status_badge(run: Any) -> Any:
    """Return the state of a feed run or training run, coloured."""
    return format_html(
        '<span class="reco-status reco-{}">{}</span>', run.status, run.get_status_display()
    )


class FeedFilter(ParameterFilter):
    """Only there when a link of a feed's page leads here."""

    title = _("feed")
    parameter_name = "feed"
    template = "admin/depict_reco/given_filter.html"

    def has_output(self) -> bool:
        return bool(self.value)

    def choices(self, changelist: Any) -> Any:
        feed = Feed.objects.filter(pk=self.value).select_related("market__tenant").first()
        yield {"display": feed, "clear": changelist.get_query_string(remove=["feed"])}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(feed=self.value) if self.value.isdigit() else queryset


@admin.register(FeedRun)
class FeedRunAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "market", "feed_name", "state", "created", "updated",
                    "rejected", "deactivated", "took"]  # fmt: skip
    list_filter = [MarketFilter, FeedFilter, "status"]
    related = ("market__tenant", "feed")
    ordering = ["-pk"]
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["market", "feed_name", "source", "state", "message",
                           ("started_at", "finished_at", "took"), "full"]}),
        (_("Products"), {"fields": [_COUNTS]}),
        (_("Rejected rows"), {"fields": ["rejections_shown"], "classes": ["reco-wide"]}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeedRun]:
        runs = super().get_queryset(request)
        listing = request.resolver_match and request.resolver_match.url_name
        return runs.defer("rejections") if str(listing).endswith("changelist") else runs

    @admin.display(description=_("feed"))
    def feed_name(self, run: FeedRun) -> Any:
        return (
            _("by hand")
            if run.feed is None
            else links.link(links.page_url(run.feed), run.feed.name)
        )

    @admin.display(description=_("status"))
    def state(self, run: FeedRun) -> Any:
        return status_badge(run)

    @admin.display(description=_("took"))
    def took(self, run: FeedRun) -> str:
        return duration(run)

    @admin.display(description=_("rejected rows"))
    def rejections_shown(self, run: FeedRun) -> Any:
        """The rows that were refused: where, which field and why."""
        if not run.rejections:
            return _("None.")
        headers = [str(title) for title in (_("Line"), _("Product"), _("Field"), _("Reason"))]
        table = rows_table(headers, [rejection_cells(row) for row in run.rejections])
        if run.rejected <= len(run.rejections):
            return table
        note = _now("The first %(shown)s of %(all)s are kept.") % {
            "shown": text_of(len(run.rejections)),
            "all": text_of(run.rejected),
        }
        return format_html("{}<p>{}</p>", table, note)


def rejection_cells(row: Any) -> list[Any]:
    """Return where a rejected row stands, what it is about, and why it was refused."""
    if isinstance(row, dict):
        return [row.get(name) for name in ("line", "product_id", "field", "reason")]
    return ["", "", "", row]


def duration(run: Any) -> str:
    """Return how long a run took, in words short enough for a column."""
    if run.finished_at is None:
        return "-"
    seconds = (run.finished_at - run.started_at).total_seconds()
    if seconds < 60:
        return _now("%(n).1f s") % {"n": seconds}
    return _now("%(minutes)d min %(seconds)d s") % {
        "minutes": seconds // 60,
        "seconds": seconds % 60,
    }
