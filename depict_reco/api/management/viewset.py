"""What all resources of the management API have in common."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import BaseSerializer
from rest_framework.views import exception_handler
from rest_framework.viewsets import GenericViewSet

from depict_reco.api.management.access import ManagementAccess, authenticators, visible_to
from depict_reco.api.management.pagination import OldestFirst
from depict_reco.api.management.schema import Bodies, ManagementSchema
from depict_reco.api.management.serializers import find_market
from depict_reco.api.management.wire import AlwaysJSON, BoundedJSONParser, Conflict
from depict_reco.api.observing import observed
from depict_reco.models import ApiKey, Market


class ManagementViewSet(GenericViewSet):
    """Base of all; it stands apart from the project's REST_FRAMEWORK settings."""

    permission_classes = (ManagementAccess,)
    parser_classes = (BoundedJSONParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    filter_backends = (DjangoFilterBackend,)
    pagination_class = OldestFirst
    versioning_class = None
    metadata_class = None
    http_method_names = ("get", "head", "post", "patch", "delete")
    lookup_value_regex = "[^/]+"
    schema = ManagementSchema()

    key_scope = ApiKey.Scope.CATALOG
    """What a key must be for."""
    tenant_path = "market__tenant_id"
    """Look-up from a row to the primary key of its tenant."""
    staff_actions: frozenset[str] = frozenset()
    """Actions that no key may take."""
    act_permissions: dict[str, tuple[str, ...]] = {}
    """Permissions that staff need for actions beyond the usual ones."""

    bodies: dict[str, Bodies] = {}
    """What actions read and answer, where that is not the view's serializer."""

    @classmethod
    def as_view(cls, *args: Any, **initkwargs: Any) -> Any:
        # imports and trainings are many transactions, also where ATOMIC_REQUESTS is set
        return transaction.non_atomic_requests(observed(super().as_view(*args, **initkwargs)))

    def get_authenticators(self) -> list[BaseAuthentication]:
        return authenticators()

    def get_exception_handler(self) -> Any:
        return exception_handler

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return visible_to(self.request, rows, self.tenant_path)

    def get_object(self) -> Any:
        pk = self.kwargs["pk"]
        if not (pk.isascii() and pk.isdecimal() and len(pk) < 19):
            raise Http404
        return super().get_object()

    def perform_create(self, serializer: BaseSerializer) -> None:
        self.save(serializer)

    def perform_update(self, serializer: BaseSerializer) -> None:
        self.save(serializer)

    def save(self, serializer: BaseSerializer) -> None:
        """Store a valid row."""
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError:  # somebody else was faster than the validation
            raise Conflict(_("Another request has just changed this; try again.")) from None

    def validated(self, serializer_class: type[BaseSerializer]) -> dict[str, Any]:
        """Return the body of the request as a serializer has it."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def chosen_market(self, values: dict[str, Any]) -> Market:
        """Return the market that a valid body names."""
        return find_market(
            self.get_serializer_context(), tenant=values.get("tenant"), market=values["market"]
        )
