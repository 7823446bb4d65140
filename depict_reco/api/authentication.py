"""Who calls: an API key in the query, a header or a cookie.

The classes serve any DRF view of a project, not only ours::

    class PriceList(APIView):
        authentication_classes = [HeaderKeyAuthentication]
        permission_classes = [HasKeyScope]
        key_scope = ApiKey.Scope.EXPORT

``request.auth`` is then the key (a ``KeyEntry`` with ``tenant_slug`` and ``scopes``), and
``request.user`` stays anonymous: a key is no person.
"""

from __future__ import annotations

from functools import lru_cache, partial

from django.contrib.auth.models import AnonymousUser
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from depict_reco.api.throttling import check_guesses, note_refused_key
from depict_reco.conf import settings
from depict_reco.tenants.directory import KeyEntry, directory

KEY_HEADER = "X-API-KEY"
KEY_PARAMETER = "api_key"


class KeyAuthentication(BaseAuthentication):
    """Base of the three: they differ only in where the key is found."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KeyEntry] | None:
        """Return the key, or None if this place holds none; a bad one ends the matter."""
        secret = self.secret(request)
        if not secret:
            return None
        key = directory().key(secret, on_unseen=partial(check_guesses, request._request))
        if key is None:
            note_refused_key(request._request)
            raise AuthenticationFailed("The API key is unknown, expired or revoked.")
        if not directory().is_open(key):
            raise PermissionDenied("The shop of this API key is closed.")
        request._request.reco_key = key  # type: ignore[attr-defined]  # for logs and metrics
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'ApiKey realm="depict_reco"'

    def secret(self, request: Request) -> str | None:
        """Return what stands in the place of the key, if anything does."""
        raise NotImplementedError


class QueryKeyAuthentication(KeyAuthentication):
    """The contract's scheme ``APIKeyQuery``: query parameter ``api_key``."""

    def secret(self, request: Request) -> str | None:
        # most have none, and reading it costs; the request itself, as DRF's hands on each look
        if not request._request.META.get("QUERY_STRING"):
            return None
        return request.query_params.get(KEY_PARAMETER)


class HeaderKeyAuthentication(KeyAuthentication):
    """The contract's scheme ``APIKeyHeader``: header ``X-API-KEY``."""

    def secret(self, request: Request) -> str | None:
        secret: str | None = request._request.META.get("HTTP_X_API_KEY")
        return secret


class CookieKeyAuthentication(KeyAuthentication):
    """The contract's scheme ``APIKeyCookie``: cookie ``X-API-KEY``."""

    def secret(self, request: Request) -> str | None:
        return request.COOKIES.get(KEY_HEADER)


def configured_authenticators() -> list[BaseAuthentication]:
    """Return one of each class that ``API_AUTHENTICATION_CLASSES`` names."""
    return [found() for found in _classes(tuple(settings.API_AUTHENTICATION_CLASSES))]


@lru_cache(maxsize=8)
def _classes(paths: tuple[str, ...]) -> tuple[type[BaseAuthentication], ...]:
    return tuple(import_string(path) for path in paths)
