"""Who may do what in the management API, and whose rows they see."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from depict_reco.api.authentication import configured_authenticators
from depict_reco.api.permissions import key_of

ACTS = {
    "list": "view",
    "retrieve": "view",
    "create": "add",
    "partial_update": "change",
    "destroy": "delete",
}
"""Actions of a view, with the Django permission on its model that staff need."""


def authenticators() -> list[BaseAuthentication]:
    """Return the ways to say who one is: those of the storefront, and a session."""
    return [*configured_authenticators(), SessionAuthentication()]


def visible_to(request: Request, rows: QuerySet[Any], tenant_path: str) -> QuerySet[Any]:
    """Return the rows that a request may see: a key sees its own tenant's, staff see all.

    ``tenant_path`` is the look-up from a row to the primary key of its tenant.
    """
    key = key_of(request)
    return rows if key is None else rows.filter(**{tenant_path: key.tenant_pk})


class ManagementAccess(BasePermission):
    """A key needs the scope ``view.key_scope``, staff need the Django permission of the act.

    ``view.staff_actions`` are closed to keys, ``view.act_permissions`` names the permissions of
    actions that are none of the usual ones.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        self.message = _(
            "This needs an API key with the scope “%(scope)s”, or staff with the permission."
        ) % {"scope": view.key_scope}
        if view.action is None or str(request.method).lower() not in view.http_method_names:
            return True  # there is no such method here: the answer is 405 for everybody
        key = key_of(request)
        if key is not None:
            return view.key_scope in key.scopes and view.action not in view.staff_actions
        user = request.user
        return bool(
            user is not None
            and user.is_active
            and user.is_staff
            and user.has_perms(self._needed(view))
        )

    def _needed(self, view: Any) -> list[str]:
        if view.action in view.act_permissions:
            names = view.act_permissions[view.action]
        else:
            names = [f"{ACTS[view.action]}_{view.queryset.model._meta.model_name}"]
        return [f"depict_reco.{name}" for name in names]
