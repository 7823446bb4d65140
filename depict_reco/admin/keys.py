"""Pages of API keys: made, shown once, revoked, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from depict_reco.admin.base import BaseAdmin
from depict_reco.admin.filters import TenantFilter
from depict_reco.models import ApiKey


class KeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=ApiKey.Scope.choices,
        initial=[ApiKey.Scope.RECOMMEND],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the key may be used for. Give no more than is needed."),
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError(_("This lies in the past."))
        return expires_at


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("live")), ("expired", _("expired")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        if self.value() == "live":
            return queryset.live()  # type: ignore[attr-defined]
        if self.value() == "expired":
            return queryset.filter(revoked_at=None, expires_at__lte=now)
        if self.value() == "revoked":
            return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(BaseAdmin):
    form = KeyForm
    list_display = ["name", "tenant", "begins_with", "scope_names", "state", "expires_at",
                    "last_used_at"]  # fmt: skip
    list_filter = [TenantFilter, StateFilter]
    related = ("tenant",)
    search_fields = ["name", "tenant__slug", "hint__startswith"]
    search_help_text = _("Part of a name or tenant, or the beginning of the key.")
    ordering = ["tenant__slug", "name", "pk"]
    sortable_by = ["name", "tenant", "last_used_at", "expires_at"]
    autocomplete_fields = ["tenant"]
    actions = ["revoke"]
    detail_actions = (("revoke", _("Revoke")),)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ["tenant", "name", "scopes", "expires_at"]
        return ["tenant", "name", "begins_with", "scope_names", "state", "expires_at",
                "revoked_at", "last_used_at", "created_at"]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def is_sensible(self, action: str, row: Any) -> bool:
        return row.revoked_at is None

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("depict_reco.change_apikey")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # who may revoke keys may see them; Django would ask has_change_permission for that
        return super().has_view_permission(request, obj) or self.has_revoke_permission(request)

    @sensitive_variables("secret")
    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, secret = ApiKey.objects.issue(
            obj.tenant, name=obj.name, scopes=obj.scopes, expires_at=obj.expires_at
        )
        obj.pk, obj.hint, obj.digest = key.pk, key.hint, key.digest
        obj.__dict__["secret"] = secret  # only as far as response_add

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {
            **(extra_context or {}),
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        return super().add_view(request, form_url, context)

    @sensitive_variables("context", "obj")
    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret in this very answer: it enters no session, cookie or log."""
        may_view = self.has_view_permission(request)
        context = {
            **self.admin_site.each_context(request),
            "title": _("API key created"),
            "opts": self.opts,
            "media": self.media + Media(js=["depict_reco/copy.js"]),
            "key": obj,
            "secret": obj.__dict__.pop("secret"),
            "next_url": self.change_url(obj.pk) if may_view else reverse("admin:index"),
            "has_view_permission": may_view,
        }
        response = TemplateResponse(request, "admin/depict_reco/apikey/created.html", context)
        response["Cache-Control"] = "no-store, private"
        return response

    @admin.action(description=_("Revoke selected API keys"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        keys = queryset.filter(revoked_at=None)
        number = keys.count()
        if not number:
            self.message_user(request, _("These keys are revoked already."), messages.WARNING)
            return None
        question = ngettext("Revoke this API key?", "Revoke these %(n)d API keys?", number)
        if page := self.ask(
            request,
            keys,
            action="revoke",
            question=question % {"n": number},
            button=_("Revoke"),
            notes=(_("Whatever uses it is refused from now on. This cannot be undone."),),
        ):
            return page
        self.log_changes(request, keys, gettext("Revoked."))
        for key in keys:
            key.revoke()
        text = ngettext("%(n)d API key was revoked.", "%(n)d API keys were revoked.", number)
        self.message_user(request, text % {"n": number}, messages.SUCCESS)
        return None

    @admin.display(description=_("begins with"), ordering="hint")
    def begins_with(self, key: ApiKey) -> str:
        return f"{key.hint}…"

    @admin.display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> Any:
        if key.revoked_at is not None:
            return _("revoked")
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return _("expired")
        return _("live")
