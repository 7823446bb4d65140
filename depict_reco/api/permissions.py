"""What a caller may do: the scope of its key, and the tenant that it may ask about."""

from __future__ import annotations

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from depict_reco.api.cors import origin_of
from depict_reco.tenants.directory import KeyEntry, directory


def key_of(request: Request) -> KeyEntry | None:
    """Return the API key of a request, if it has one."""
    auth = request.auth  # a property, which is not for nothing
    return auth if isinstance(auth, KeyEntry) else None


class HasKeyScope(BasePermission):
    """Lets in keys that have the scope which the view names as ``key_scope``."""

    message = "The API key lacks the scope that this needs."

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = key_of(request)
        return key is not None and getattr(view, "key_scope", None) in key.scopes


class MayAskStorefront(HasKeyScope):
    """Lets in keys with the scope, for their own tenant, and keyless pages of open tenants.

    The tenant is known only once the body is read. Before, a keyless page is let in if some
    tenant is open to it; afterwards (``has_object_permission`` with the tenant's slug) only if
    that very tenant is.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if key_of(request) is not None:
            return super().has_permission(request, view)
        origin = origin_of(request)
        if origin is None or not directory().is_open_origin(origin):
            raise NotAuthenticated("An API key is needed.")
        return True

    def has_object_permission(self, request: Request, view: APIView, obj: str) -> bool:
        key = key_of(request)
        if key is not None:
            self.message = "The API key belongs to another shop."
            return key.tenant_slug == obj
        tenant = directory().tenant(obj)
        if tenant is None or not tenant.keyless or origin_of(request) not in tenant.origins:
            raise NotAuthenticated("An API key is needed.")
        return True
