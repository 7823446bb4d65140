"""Pages on which a shopper's data is erased or exported, and the receipts of erasures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from depict_reco import tasks
from depict_reco.admin import links
from depict_reco.admin.base import CONFIRMED
from depict_reco.admin.fields import ListField
from depict_reco.admin.filters import TenantFilter
from depict_reco.admin.lookups import LookupSelect
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import mapping_table
from depict_reco.events.erase import Erased, ErasureRequest, Found, look
from depict_reco.exceptions import ShopperError
from depict_reco.models import Erasure, Tenant, TrainingRun

_SHOWN = 200
_CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


class ShopperForm(forms.Form):
    tenant = forms.ModelChoiceField(
        label=_("Tenant"),
        queryset=Tenant.objects.all(),
        widget=LookupSelect(url_name="admin:depict_reco_tenant_lookup"),
    )
    ids = ListField(
        label=_("Ids"),
        required=True,
        help_text=_("Session and user ids, one per line. Each is looked for among both."),
    )
    linked = forms.BooleanField(
        label=_("With linked ids"),
        required=False,
        help_text=_("Ids, too, that stand beside one of these in an event or an order."),
    )


class ExportForm(ShopperForm):
    format = forms.ChoiceField(label=_("Format"), choices=[("json", "JSON"), ("csv", "CSV")])


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    change_list_template = "admin/depict_reco/erasure/change_list.html"
    list_display = ["asked_at", "tenant", "asked_by", "channel", "state", "number", "erased"]
    list_filter = [TenantFilter, "state"]
    related = ("tenant",)
    ordering = ["-pk"]
    sortable_by = ()
    fieldsets = [
        (None, {"fields": ["tenant", "asked_by", "channel", "state", "linked"]}),
        (_("Times"), {"fields": [("asked_at", "finished_at")]}),
        (_("What went"), {"fields": ["given", "number", "erased", "rows_shown"]}),
        (_("Digests of the ids"), {"fields": ["digests"], "classes": ["collapse"]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("erase/", wrap(self.erase_view), name="depict_reco_erasure_erase"),
            path("export/", wrap(self.export_view), name="depict_reco_erasure_export"),
            *super().get_urls(),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or _may(request, "export")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # who may erase must see the receipts of it
        return super().has_view_permission(request, obj) or _may(request, "erase")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        rights = {"may_erase": _may(request, "erase"), "may_export": _may(request, "export")}
        return super().changelist_view(request, {**(extra_context or {}), **rights})

    def erase_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whose data is to go, show what that is, and erase it once that is confirmed."""
        if not _may(request, "erase"):
            raise PermissionDenied
        form = ShopperForm(request.POST or None)
        title, button = _("Erase a shopper's data"), _("Show what would go")
        if request.method != "POST" or not form.is_valid():
            return self._page(request, form, title=title, button=button)
        chosen = form.cleaned_data
        try:
            if request.POST.get(CONFIRMED) == "yes":
                done = _erase(request, chosen)
                self.message_user(request, _told(done), messages.SUCCESS)
                return HttpResponseRedirect(self.change_url(done.erasure.pk))
            found = look(chosen["tenant"], chosen["ids"], with_linked=chosen["linked"])
        except ShopperError as error:
            form.add_error("ids", str(error))
            return self._page(request, form, title=title, button=button)
        return self._confirmation(request, form, found)

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Ask whose data is wanted, and send it as a file."""
        if not _may(request, "export"):
            raise PermissionDenied
        form = ExportForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            chosen = form.cleaned_data
            try:
                pieces = tasks.export_shopper(
                    chosen["tenant"],
                    chosen["ids"],
                    linked=chosen["linked"],
                    export_format=chosen["format"],
                )
            except ShopperError as error:
                form.add_error("ids", str(error))
            else:
                return _download(pieces, export_format=chosen["format"])
        return self._page(request, form, title=_("Export a shopper's data"), button=_("Download"))

    def _page(self, request: HttpRequest, form: forms.Form, **context: Any) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + form.media,
            "form": form,
            "has_view_permission": self.has_view_permission(request),
            **context,
        }
        request.current_app = self.admin_site.name
        name = "admin/depict_reco/erasure/shopper.html"
        return TemplateResponse(request, name, context)

    def _confirmation(
        self, request: HttpRequest, form: forms.Form, found: Found
    ) -> TemplateResponse:
        """Show which ids and rows would go."""
        rows = sum(found.rows.values())
        kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(found.rows.items()))
        text = ngettext("%(n)s row would be erased", "%(n)s rows would be erased", rows)
        notes = [
            text % {"n": f"{rows:,}"} + (f": {kinds}." if kinds else "."),
            _("This cannot be undone. These are the ids:"),
        ]
        chosen = form.cleaned_data
        context = {
            **self.admin_site.each_context(request),
            "title": _("Erase this shopper's data?"),
            "opts": self.opts,
            "media": self.media,
            "notes": notes,
            "button": _("Erase"),
            "rows": found.shopper.ids[:_SHOWN],
            "more": len(found.shopper.ids) > _SHOWN,
            "back": reverse("admin:depict_reco_erasure_erase", current_app=self.admin_site.name),
            "hidden": [
                ("tenant", chosen["tenant"].pk),
                ("ids", "\n".join(chosen["ids"])),
                *([("linked", "on")] if chosen["linked"] else []),
                (CONFIRMED, "yes"),
            ],
        }
        request.current_app = self.admin_site.name
        name = "admin/depict_reco/confirm.html"
        return TemplateResponse(request, name, context)

    @admin.display(description=_("ids erased"))
    def number(self, erasure: Erasure) -> int:
        return len(erasure.digests)

    @admin.display(description=_("rows erased"))
    def erased(self, erasure: Erasure) -> str:
        return f"{sum(erasure.rows.values()):,}"

    @admin.display(description=_("rows by type"))
    def rows_shown(self, erasure: Erasure) -> Any:
        return mapping_table(dict(sorted(erasure.rows.items())))


def _may(request: HttpRequest, act: str) -> bool:
    return request.user.has_perm(f"depict_reco.{act}_shopper")


def _erase(request: HttpRequest, chosen: dict[str, Any]) -> Erased:
    wish = ErasureRequest(
        ids=tuple(chosen["ids"]),
        linked=chosen["linked"],
        asked_by=str(request.user.get_username()),
        channel=Erasure.Channel.ADMIN,
    )
    return tasks.erase_shopper(chosen["tenant"], wish)


def _told(done: Erased) -> Any:
    if not done.markets:
        return gettext("Nothing was stored of this shopper; a receipt says so.")
    text = gettext("Erased. Models forget at their next training: %(markets)s.")
    page = links.list_url(TrainingRun)
    return links.link(page, text % {"markets": ", ".join(done.markets)})


def _download(pieces: Any, *, export_format: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        pieces,
        content_type=_CONTENT_TYPES[export_format],
        headers={
            "Content-Disposition": f'attachment; filename="shopper.{export_format}"',
            "Cache-Control": "private, no-store",
        },
    )
