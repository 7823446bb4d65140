"""Boxes that search rows of one market while one types, and the addresses they ask."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin.widgets import get_select2_language
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse

from depict_reco.admin.base import BaseAdmin
from depict_reco.admin.media import select_media

SHOWN = 20


class LookupAdmin(BaseAdmin):
    """Gives its model an address that answers what a search box types.

    Unlike Django's own it takes the ``market``, and may answer with the wire's id.
    """

    lookup_parameters: tuple[str, ...] = ("market",)
    """Foreign keys that the address may name to narrow the search."""
    lookup_ordering: tuple[str, ...] = ("pk",)

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_lookup"
        view = self.admin_site.admin_view(self.lookup_view)
        return [path("lookup/", view, name=name), *super().get_urls()]

    def lookup_view(self, request: HttpRequest) -> JsonResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request)
        for parameter in self.lookup_parameters:
            if (value := request.GET.get(parameter, "")).isdigit():
                rows = rows.filter(**{parameter: int(value)})
        rows, _may_repeat = self.get_search_results(request, rows, request.GET.get("term", ""))
        page = request.GET.get("page", "1")
        start = (max(1, int(page)) - 1) * SHOWN if page.isdigit() and len(page) < 6 else 0
        found = list(rows.order_by(*self.lookup_ordering)[start : start + SHOWN + 1])
        key = self.lookup_value if "by_id" in request.GET else lambda row: str(row.pk)
        in_market = "market" in request.GET
        return JsonResponse(
            {
                "results": [
                    {"id": key(row), "text": self.lookup_text(row, in_market=in_market)}
                    for row in found[:SHOWN]
                ],
                "pagination": {"more": len(found) > SHOWN},
            }
        )

    def lookup_text(self, row: Any, *, in_market: bool) -> str:
        return str(row)

    def lookup_value(self, row: Any) -> str:
        """What stands for a row when the wire's id is asked for (``by_id``)."""
        return str(row.pk)


class LookupMixin:
    """A select whose choices are searched at a lookup address."""

    def __init__(self, *, url_name: str, **query: Any) -> None:
        super().__init__(attrs={"class": "admin-autocomplete"})  # type: ignore[call-arg]
        self.url_name = url_name
        self.query = {name: value for name, value in query.items() if value is not None}

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        attrs: dict[str, Any] = super().build_attrs(base_attrs, extra_attrs)  # type: ignore[misc]
        language = get_select2_language()
        query = f"?{urlencode(self.query)}" if self.query else ""
        return {
            **attrs,
            **({"lang": language} if language else {}),
            "data-ajax--url": reverse(self.url_name) + query,
            "data-ajax--delay": 250,
            "data-ajax--type": "GET",
            "data-ajax--cache": "true",
            "data-theme": "admin-autocomplete",
            "data-allow-clear": "true",
            "data-placeholder": "",
        }

    def optgroups(self, name: str, value: list[str], attrs: Any = None) -> Any:
        """Render only what is chosen; the rest is searched."""
        chosen = {str(entry) for entry in value if entry not in (None, "")}
        choices = [("", "")] if not self.allow_multiple_selected else []  # type: ignore[attr-defined]
        choices += self.chosen(sorted(chosen))
        return [
            (
                None,
                [
                    self.create_option(name, key, text, str(key) in chosen, index)  # type: ignore[attr-defined]
                    for index, (key, text) in enumerate(choices)
                ],
                0,
            )
        ]

    def chosen(self, values: list[str]) -> list[tuple[str, str]]:
        """Return the chosen rows with their labels."""
        queryset = self.choices.queryset  # type: ignore[attr-defined]
        pks = [value for value in values if value.isdecimal()]
        return [(str(row.pk), str(row)) for row in queryset.filter(pk__in=pks)]

    @property
    def media(self) -> Media:
        return select_media()


class LookupSelect(LookupMixin, forms.Select):
    """One row, searched."""


class LookupSelectMultiple(LookupMixin, forms.SelectMultiple):
    """Several rows, searched."""
