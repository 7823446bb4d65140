"""Pages of rows that machines write and people only read."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from depict_reco.admin.base import BaseAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
