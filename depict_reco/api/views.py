"""The endpoints of the storefront."""

from __future__ import annotations

import json
from typing import Any, ClassVar, NoReturn

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from depict_reco.analytics.served import note_served
from depict_reco.api import cors
from depict_reco.api.authentication import configured_authenticators
from depict_reco.api.errors import InvalidRequestError, error_response
from depict_reco.api.fields import StrictListField, StrictSerializer
from depict_reco.api.observing import AnswerResponse, observed
from depict_reco.api.parsers import JSONBodyParser, body_stream
from depict_reco.api.permissions import MayAskStorefront
from depict_reco.api.serializers import (
    CategoryRecommendRequestSerializer,
    GeneralRecommendRequestSerializer,
    GetDisplaysRequestV3Serializer,
    MerchantQuerySerializer,
    RecommendForManyRequestSerializer,
    RecommendRequestSerializer,
    RecommendRequestV3Serializer,
    TenantQuerySerializer,
    recommend_request,
)
from depict_reco.api.throttling import configured_throttles
from depict_reco.events.consent import CONSENT_PARAMETER, Consent, read_consent
from depict_reco.serving.recommend import displays_of, recommend
from depict_reco.serving.types import type_book
from depict_reco.tenants.directory import TenantEntry, directory
from depict_reco.tenants.models import ApiKey

_PARSERS = (JSONBodyParser(),)
_NEGOTIATOR = DefaultContentNegotiation()
"""Asked for nothing: there is one form of answers."""


class StorefrontView(APIView):
    """Base of the storefront's endpoints.

    It stands apart from the project's REST_FRAMEWORK settings: what these endpoints speak is
    fixed by the contract. A caller is known, and let in, before its body is looked at.
    """

    key_scope: ClassVar[str] = ApiKey.Scope.RECOMMEND
    serializer: ClassVar[StrictSerializer | StrictListField]
    """What a request must look like; one instance for all of them."""

    permission_classes = (MayAskStorefront,)
    parser_classes = (JSONBodyParser,)
    versioning_class = None
    metadata_class = None

    tenant: TenantEntry | None = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # a project with ATOMIC_REQUESTS would open a transaction for nothing
        return transaction.non_atomic_requests(observed(super().as_view(**initkwargs)))

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer as any APIView does, less what only answers of several forms need."""
        self.args, self.kwargs = args, kwargs
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(asked, *args, **kwargs)
            handler = getattr(self, (request.method or "").lower())
            response = handler(asked, *args, **kwargs)
        except Exception as error:  # as APIView; what nobody foresaw is raised again
            response = self.handle_exception(error)
        return self.finalize_response(asked, response, *args, **kwargs)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        asked = Request(
            request,
            parsers=_PARSERS,
            authenticators=self.get_authenticators(),
            negotiator=_NEGOTIATOR,
        )
        # which names the request itself, so that it would be there until the garbage is collected
        asked.parser_context.clear()
        return asked

    def get_authenticators(self) -> list[BaseAuthentication]:
        return configured_authenticators()

    def get_throttles(self) -> list[BaseThrottle]:
        return configured_throttles(self.request)

    def get_exception_handler(self) -> Any:
        return error_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        method = (request._request.method or "").lower()
        if method not in self.http_method_names or not hasattr(self, method):
            self.http_method_not_allowed(request)
        if method != "options":
            self.perform_authentication(request)
            self.check_permissions(request)
            self.check_throttles(request)

    def perform_authentication(self, request: Request) -> None:
        # what looking at request.user does, less a context manager around it
        request._authenticate()  # type: ignore[attr-defined]

    def options(  # type: ignore[override]
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = cors.preflight(request)
        response.headers["Allow"] = ", ".join(self.allowed_methods)
        return response

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response.headers["Cache-Control"] = "private, no-store"
        cors.allow_origin(response, request._request, tenant=self.tenant)
        if request._request.method == "HEAD":
            response.headers["Content-Length"] = str(len(response.content))
            response.content = b""
        return response

    def raise_uncaught_exception(self, exc: Exception) -> NoReturn:
        raise exc

    def read_body(self, request: Request) -> Any:
        """Return the valid body of a request."""
        return self._validated(_PARSERS[0].parse(body_stream(request._request)), within="body")

    def read_query(self, request: Request) -> dict[str, Any]:
        """Return the valid query parameters of a request."""
        return self._validated(dict(request.query_params.items()), within="query")

    def _validated(self, data: Any, *, within: str) -> Any:
        try:
            return self.serializer.run_validation(data)
        except ValidationError as error:
            raise InvalidRequestError.from_validation(error, within=within) from None

    def enter(self, request: Request, slug: str) -> TenantEntry:
        """Return the tenant that a request is about; raise unless its caller may ask."""
        self.check_object_permissions(request, slug)
        tenant = directory().tenant(slug)
        if tenant is None:
            raise PermissionDenied("The shop of this API key is closed.")
        self.tenant = tenant
        return tenant


class RecommendView(StorefrontView):
    """Base of the recommend endpoints, which differ in their bodies alone."""

    variants: ClassVar[bool] = False

    def post(self, request: Request) -> HttpResponse:
        values = self.read_body(request)
        question = recommend_request(
            values,
            variants=self.variants,
            debug=_wants_debug(request),
            consent=consent_of(request),
        )
        answer = recommend(question, tenant=self.enter(request, question.tenant))
        note_served(
            market_pk=answer.market_pk,
            type_pk=answer.type_pk,
            type_name=question.type,
            displays=answer.displays,
        )
        return AnswerResponse(question, answer)


class RecommendForUserView(RecommendView):
    """``POST /v2/recommend/products/general``"""

    serializer = GeneralRecommendRequestSerializer()


class RecommendForProductView(RecommendView):
    """``POST /v2/recommend/products/product``"""

    serializer = RecommendRequestSerializer()


class RecommendForCategoryView(RecommendView):
    """``POST /v2/recommend/products/category``"""

    serializer = CategoryRecommendRequestSerializer()


class RecommendForProductsView(RecommendView):
    """``POST /v2/recommend/products/products``"""

    serializer = RecommendForManyRequestSerializer()


class RecommendV3View(RecommendView):
    """``POST /v3/recommend/products``"""

    serializer = RecommendRequestV3Serializer()
    variants = True


class SurfacesView(StorefrontView):
    """``GET /v2/recommend/surfaces``: the types that a shop can ask for."""

    serializer = TenantQuerySerializer()

    def get(self, request: Request) -> HttpResponse:
        tenant = self.enter(request, self.read_query(request)["tenant"])
        kinds = {entry.name: entry.kind for entry in type_book().types_of(tenant)}
        surfaces = [{"name": name, "kind": kind} for name, kind in kinds.items()]
        return _json(json.dumps(surfaces).encode())


class GetDisplaysView(StorefrontView):
    """``POST /v3/get-displays``: displays of products that the caller names."""

    serializer = GetDisplaysRequestV3Serializer()

    def post(self, request: Request) -> HttpResponse:
        values = self.read_body(request)
        tenant = self.enter(request, values["merchant"])
        body = displays_of(
            tenant=tenant.slug,
            market=values["market"],
            locale=values["locale"],
            product_ids=values["product_ids"],
        )
        return _json(body)


class MarketsView(StorefrontView):
    """``GET /v3/markets``: the keys of a shop's markets."""

    serializer = MerchantQuerySerializer()

    def get(self, request: Request) -> HttpResponse:
        tenant = self.enter(request, self.read_query(request)["merchant"])
        return _json(json.dumps({"markets": list(tenant.markets)}).encode())


class LocalesView(StorefrontView):
    """``GET /v3/locales``: the locales of all of a shop's markets."""

    serializer = MerchantQuerySerializer()

    def get(self, request: Request) -> HttpResponse:
        tenant = self.enter(request, self.read_query(request)["merchant"])
        markets = tenant.markets.values()
        locales = dict.fromkeys(locale for market in markets for locale in market.locales)
        return _json(json.dumps({"locales": list(locales)}).encode())


def _json(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")


def _wants_debug(request: Request) -> bool:
    return request._request.META.get("HTTP_X_DEBUG", "").lower() == "true"


def consent_of(request: Request) -> Consent:
    """Return what the address of a request says of the shopper's consent."""
    if not request._request.META.get("QUERY_STRING"):  # most have none, and reading it costs
        return Consent.UNKNOWN
    return read_consent(request.query_params.get(CONSENT_PARAMETER))
