"""What every page of the app's admin has in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.db import models
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from depict_reco.admin.deletion import deleted_objects
from depict_reco.admin.media import select_media
from depict_reco.admin.paginators import CappedPaginator, count_up_to

FROM_DETAIL = "_from_detail"
CONFIRMED = "_confirmed"
_DELETED_AT_ONCE = 500
_NAMED = 20


class BaseAdmin(admin.ModelAdmin):
    """No counting of big tables, and actions that stand on the page of one row as well."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    detail_actions: tuple[tuple[str, Any], ...] = ()
    """Actions offered on the page of one row: their names, and the words on the buttons."""
    related: tuple[str, ...] = ()
    """Relations that every page of the model reads along."""
    kept_fields: tuple[str, ...] = ()
    """Fields that are chosen when a row is added and stay as they are."""

    @property
    def media(self) -> Media:
        own = Media(css={"all": ["depict_reco/admin.css"]})
        return super().media + select_media() + own

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related(*self.related) if self.related else rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if obj is None else (*fields, *self.kept_fields)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return deleted_objects(objs, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {
            "detail_actions": self.allowed_detail_actions(request, object_id),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "from_detail": FROM_DETAIL,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def allowed_detail_actions(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Return the actions of ``detail_actions`` that this person may run on this row."""
        allowed = self.get_actions(request) if self.detail_actions else {}
        row = self.get_object(request, unquote(object_id)) if allowed else None
        return [
            (name, label)
            for name, label in self.detail_actions
            if name in allowed and row is not None and self.is_sensible(name, row)
        ]

    def is_sensible(self, action: str, row: Any) -> bool:
        """Whether an action would change anything about a row."""
        return True

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        if (
            request.POST.get("action") == "delete_selected"
            and request.POST.get("select_across") == "1"
            and count_up_to(queryset, _DELETED_AT_ONCE) > _DELETED_AT_ONCE
        ):
            text = _("At most %(number)d rows can be deleted at once. Narrow the list first.")
            self.message_user(request, text % {"number": _DELETED_AT_ONCE}, messages.ERROR)
            return None
        response = super().response_action(request, queryset, *args, **kwargs)
        pk = request.POST.get(FROM_DETAIL)
        if pk and isinstance(response, HttpResponseRedirect):
            return HttpResponseRedirect(self.change_url(pk))
        return response

    def change_url(self, pk: Any) -> str:
        """Address of the page of one row."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[quote(pk)], current_app=self.admin_site.name)

    def log_changes(
        self, request: HttpRequest, queryset: models.QuerySet[Any], message: str
    ) -> None:
        """Write into the history of each row."""
        user: Any = request.user
        LogEntry.objects.log_actions(user.pk, queryset, CHANGE, message)

    def ask(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[Any],
        *,
        action: str,
        question: Any,
        button: Any,
        notes: tuple[Any, ...] = (),
    ) -> TemplateResponse | None:
        """Return a page that asks before an action is done, or None once the answer is yes."""
        if request.POST.get(CONFIRMED) == "yes":
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": question,
            "opts": self.opts,
            "media": self.media,
            "notes": notes,
            "button": button,
            "rows": queryset[:_NAMED],
            "more": count_up_to(queryset, _NAMED) > _NAMED,
            "back": self.back_url(request),
            "hidden": [
                ("action", action),
                ("index", "0"),
                ("select_across", request.POST.get("select_across", "0")),
                (FROM_DETAIL, request.POST.get(FROM_DETAIL, "")),
                (CONFIRMED, "yes"),
                *((ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)),
            ],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/depict_reco/confirm.html", context)

    def back_url(self, request: HttpRequest) -> str:
        """Where an action was chosen."""
        pk = request.POST.get(FROM_DETAIL)
        return self.change_url(pk) if pk else request.get_full_path()
