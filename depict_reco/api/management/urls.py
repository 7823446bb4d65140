"""Addresses of the management API."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from depict_reco.api.management import shoppers, views
from depict_reco.api.management.reports import ReportView

router = SimpleRouter(trailing_slash=False)
for _name, _view in (
    ("tenants", views.TenantView),
    ("markets", views.MarketView),
    ("types", views.RecommendationTypeView),
    ("categories", views.CategoryView),
    ("products", views.ProductView),
    ("feeds", views.FeedView),
    ("feed-runs", views.FeedRunView),
    ("training-runs", views.TrainingRunView),
    ("artifacts", views.ArtifactView),
    ("erasures", shoppers.ErasureView),
    ("reports", ReportView),
    ("shoppers", shoppers.ShopperView),
):
    router.register(f"management/v1/{_name}", _view, basename=_name)

urlpatterns = router.urls
