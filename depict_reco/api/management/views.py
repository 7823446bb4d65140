"""The resources of the management API."""

from __future__ import annotations

from typing import cast

from django.db import transaction
from django.db.models import Exists, OuterRef
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from depict_reco import tasks
from depict_reco.api.management import filters, products
from depict_reco.api.management import serializers as resources
from depict_reco.api.management.pagination import NewestFirst
from depict_reco.api.management.schema import Bodies
from depict_reco.api.management.viewset import ManagementViewSet
from depict_reco.api.management.wire import Conflict
from depict_reco.exceptions import ArtifactError, TrainingError
from depict_reco.models import (
    Artifact,
    Category,
    CurrentArtifact,
    Feed,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)


class TenantView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
):
    """Shops. A key sees its own and changes nothing. A tenant is closed (`active`), not deleted."""

    queryset = Tenant.objects.all()
    serializer_class = resources.TenantSerializer
    filterset_class = filters.TenantFilters
    tenant_path = "pk"
    staff_actions = frozenset({"create", "partial_update"})

    def perform_create(self, serializer: BaseSerializer) -> None:
        with transaction.atomic():
            self.save(serializer)
            tasks.add_default_types(Tenant.objects.get(pk=serializer.data["id"]))


class MarketView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
):
    """Countries or channels of a shop. A market is closed (`active`), not deleted."""

    queryset = Market.objects.select_related("tenant")
    serializer_class = resources.MarketSerializer
    filterset_class = filters.MarketFilters
    tenant_path = "tenant_id"


class RecommendationTypeView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
):
    """The named placements that a shop asks recommendations for."""

    queryset = RecommendationType.objects.select_related("tenant", "market")
    serializer_class = resources.RecommendationTypeSerializer
    filterset_class = filters.RecommendationTypeFilters
    tenant_path = "tenant_id"


class CategoryView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
):
    """The category trees of the markets. Deleting one leaves its products and subcategories."""

    queryset = Category.objects.select_related("market__tenant", "parent")
    serializer_class = resources.CategorySerializer
    filterset_class = filters.CategoryFilters


class ProductView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
):
    """What can be recommended. Find a product by `product_id` and `market`, address it by `id`."""

    queryset = Product.objects.select_related("market__tenant").prefetch_related("categories")
    serializer_class = products.ProductSerializer
    filterset_class = filters.ProductFilters
    act_permissions = {
        "bulk": ("add_product", "change_product"),
        "bulk_delete": ("delete_product",),
    }
    bodies = {
        "partial_update": Bodies(request=products.ProductChangeSerializer),
        "bulk": Bodies(
            request=products.BulkUpsertSerializer, answer=products.BulkUpsertResultSerializer
        ),
        "bulk_delete": Bodies(
            request=products.BulkDeleteSerializer, answer=products.BulkDeleteResultSerializer
        ),
    }

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a product; fields that are left out keep their values."""
        product = self.get_object()
        products.change_product(product, self.validated(products.ProductChangeSerializer))
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Create or update up to 1,000 products of a market.

        The answer is 200 and says of each row what became of it: a bad row does not hold up
        the good ones. A field that is left out keeps its value.
        """
        values = self.validated(products.BulkUpsertSerializer)
        return Response(products.upsert_rows(self.chosen_market(values), values["products"]))

    @action(detail=False, methods=["post"], url_path="bulk-delete")
    def bulk_delete(self, request: Request) -> Response:
        """Delete up to 1,000 products of a market."""
        values = self.validated(products.BulkDeleteSerializer)
        market = self.chosen_market(values)
        return Response(products.delete_products(market, values["product_ids"]))


class FeedView(
    ManagementViewSet,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
):
    """Where products come from."""

    queryset = Feed.objects.select_related("market__tenant")
    serializer_class = resources.FeedSerializer
    filterset_class = filters.FeedFilters
    act_permissions = {"run": ("change_feed",)}
    bodies = {"run": Bodies(answer=resources.FeedRunSerializer, status=201)}

    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Import the feed now and answer with the run, also when it failed.

        The request lasts as long as the import does; import big feeds with the command
        `reco_import_feed`, which shows its progress and can be run again after a kill.
        """
        feed = self.get_object()
        result = tasks.import_feed(feed)
        runs = FeedRun.objects.select_related("market__tenant")
        run = runs.get(pk=cast(int, result.run_id))  # only a dry run has none
        return Response(resources.FeedRunSerializer(run).data, status=status.HTTP_201_CREATED)


class FeedRunView(ManagementViewSet, mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """What each import did, newest first."""

    queryset = FeedRun.objects.select_related("market__tenant")
    serializer_class = resources.FeedRunSerializer
    filterset_class = filters.FeedRunFilters
    pagination_class = NewestFirst


class TrainingRunView(ManagementViewSet, mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """What each training did, newest first."""

    queryset = TrainingRun.objects.select_related("market__tenant")
    serializer_class = resources.TrainingRunSerializer
    filterset_class = filters.TrainingRunFilters
    pagination_class = NewestFirst
    act_permissions = {"create": ("train_model",)}
    bodies = {"create": Bodies(request=resources.MarketChoiceSerializer, status=201)}

    def create(self, request: Request) -> Response:
        """Train a market's model now, publish it and answer with the run.

        The request lasts as long as the training does; train big markets with the command
        `reco_train`.
        """
        market = self.chosen_market(self.validated(resources.MarketChoiceSerializer))
        try:
            run = tasks.train_market(market)
        except TrainingError as error:
            raise Conflict(str(error)) from None
        return Response(self.get_serializer(run).data, status=status.HTTP_201_CREATED)


class ArtifactView(ManagementViewSet, mixins.ListModelMixin, mixins.RetrieveModelMixin):
    """The model versions that are kept, newest first."""

    queryset = Artifact.objects.select_related("market__tenant").annotate(
        current=Exists(CurrentArtifact.objects.filter(artifact=OuterRef("pk")))
    )
    serializer_class = resources.ArtifactSerializer
    filterset_class = filters.ArtifactFilters
    pagination_class = NewestFirst
    act_permissions = {"publish": ("publish_artifact",), "rollback": ("publish_artifact",)}
    bodies = {
        "publish": Bodies(),
        "rollback": Bodies(request=resources.MarketChoiceSerializer),
    }

    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Answer the market from this version from now on, be it newer or older."""
        artifact = self.get_object()
        try:
            tasks.publish_artifact(artifact)
        except ArtifactError as error:
            raise Conflict(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=False, methods=["post"])
    def rollback(self, request: Request) -> Response:
        """Answer a market from the newest version that is older than the present one."""
        market = self.chosen_market(self.validated(resources.MarketChoiceSerializer))
        try:
            artifact = tasks.roll_back_artifact(market)
        except ArtifactError as error:
            raise Conflict(str(error)) from None
        return Response(self.get_serializer(self.get_queryset().get(pk=artifact.pk)).data)
