"""Erasing and exporting what is stored of one shopper."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from depict_reco import tasks
from depict_reco.api.management.pagination import NewestFirst
from depict_reco.api.management.schema import Bodies
from depict_reco.api.management.serializers import find_tenant
from depict_reco.api.management.viewset import ManagementViewSet
from depict_reco.api.permissions import key_of
from depict_reco.events.erase import ErasureRequest, look
from depict_reco.exceptions import ShopperError
from depict_reco.models import ApiKey, Erasure

CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


class ShopperSerializer(serializers.Serializer):
    """Whose data it is about."""

    tenant = serializers.CharField(required=False, help_text="Staff name it; a key has its own.")
    ids = serializers.ListField(
        child=serializers.CharField(max_length=4096),
        min_length=1,
        max_length=1000,
        help_text="Session and user ids; each is looked for among both.",
    )
    linked = serializers.BooleanField(
        default=False,
        help_text="Ids, too, that stand beside one of these in an event or an order.",
    )


class ErasureRequestSerializer(ShopperSerializer):
    """Whose data is to go."""

    dry_run = serializers.BooleanField(
        default=False, help_text="Only say which ids and rows would go."
    )


class ExportRequestSerializer(ShopperSerializer):
    """Whose data is wanted, and how."""

    format = serializers.ChoiceField(choices=list(CONTENT_TYPES), default="json")


class ErasureSerializer(serializers.BaseSerializer):
    """The receipt of an erasure."""

    def to_representation(self, instance: Erasure) -> dict[str, Any]:
        return instance.receipt()


class ReceiptSerializer(serializers.Serializer):
    """The receipt of an erasure, as it is answered."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    asked_by = serializers.CharField()
    channel = serializers.ChoiceField(choices=Erasure.Channel.choices)
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(choices=Erasure.State.choices)
    linked = serializers.BooleanField()
    ids_given = serializers.IntegerField()
    ids_erased = serializers.IntegerField()
    digests = serializers.ListField(child=serializers.CharField())
    rows = serializers.DictField(child=serializers.IntegerField())
    rows_erased = serializers.IntegerField()


class ErasedSerializer(serializers.Serializer):
    """What went, or would go; `receipt` is null with `dry_run`."""

    ids = serializers.ListField(child=serializers.CharField())
    markets = serializers.ListField(
        child=serializers.CharField(), help_text="Those whose models are to be trained again."
    )
    rows = serializers.DictField(child=serializers.IntegerField())
    receipt = ReceiptSerializer(allow_null=True)


class ExportSerializer(serializers.Serializer):
    """Everything that is stored of a shopper."""

    tenant = serializers.CharField()
    ids = serializers.ListField(child=serializers.CharField())
    orders = serializers.ListField(child=serializers.CharField())
    events = serializers.ListField(child=serializers.DictField())
    erasures = ReceiptSerializer(many=True)


class ErasureView(ManagementViewSet, mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """Receipts of erasures. A key needs the scope `privacy`."""

    queryset = Erasure.objects.select_related("tenant")
    serializer_class = ErasureSerializer
    pagination_class = NewestFirst
    tenant_path = "tenant_id"
    filter_backends: Any = ()
    key_scope = ApiKey.Scope.PRIVACY
    act_permissions = {"create": ("erase_shopper",)}
    bodies = {
        "list": Bodies(answer=ReceiptSerializer),
        "retrieve": Bodies(answer=ReceiptSerializer),
        "create": Bodies(request=ErasureRequestSerializer, answer=ErasedSerializer),
    }

    def create(self, request: Request) -> Response:
        """Erase what is stored of a shopper.

        The answer comes when it is done. Asked again with the same ids, an erasure that was cut
        short goes on where it was. Ids stand in the body, not in the address, so that no log of
        addresses has them.
        """
        values = self.validated(ErasureRequestSerializer)
        tenant = find_tenant(self.get_serializer_context(), values.get("tenant"))
        try:
            if values["dry_run"]:
                found = look(tenant, values["ids"], with_linked=values["linked"])
                return Response(
                    {
                        "ids": found.shopper.ids,
                        "markets": found.markets,
                        "rows": found.rows,
                        "receipt": None,
                    }
                )
            wish = ErasureRequest(
                ids=tuple(values["ids"]),
                linked=values["linked"],
                asked_by=_caller(request),
                channel=Erasure.Channel.API,
            )
            done = tasks.erase_shopper(tenant, wish)
        except ShopperError as error:
            raise ValidationError({"ids": [str(error)]}) from None
        return Response(
            {
                "ids": done.ids,
                "markets": done.markets,
                "rows": done.erasure.rows,
                "receipt": done.erasure.receipt(),
            },
            status=status.HTTP_200_OK,
        )


class ShopperView(ManagementViewSet):
    """What is stored of one shopper. A key needs the scope `privacy`."""

    queryset = Erasure.objects.none()
    serializer_class = ShopperSerializer
    tenant_path = "tenant_id"
    key_scope = ApiKey.Scope.PRIVACY
    act_permissions = {"export": ("export_shopper",)}
    bodies = {
        "export": Bodies(
            request=ExportRequestSerializer,
            answer=ExportSerializer,
            media_types=("application/json", "text/csv"),
        )
    }

    @action(detail=False, methods=["post"])
    def export(self, request: Request) -> StreamingHttpResponse:
        """Export everything that is stored of a shopper, as JSON or as CSV."""
        values = self.validated(ExportRequestSerializer)
        tenant = find_tenant(self.get_serializer_context(), values.get("tenant"))
        form = values["format"]
        try:
            pieces = tasks.export_shopper(
                tenant, values["ids"], linked=values["linked"], export_format=form
            )
        except ShopperError as error:
            raise ValidationError({"ids": [str(error)]}) from None
        return StreamingHttpResponse(
            pieces, content_type=CONTENT_TYPES[form], headers={"Cache-Control": "private, no-store"}
        )


def _caller(request: Request) -> str:
    key = key_of(request)
    if key is not None:
        return str(_("API key %(name)s (%(pk)d)") % {"name": key.name, "pk": key.pk})
    return str(request.user.get_username())
