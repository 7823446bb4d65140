"""Addresses of the app, in lists that a project may include apart."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from depict_reco.api import event_views, health, views
from depict_reco.api.management import urls as management_urls
from depict_reco.contrib.spectacular import urls as schema_urls

app_name = "depict_reco"

serving_urlpatterns: list[URLPattern | URLResolver] = [  # no slash at the end: clients send none
    # the one that is asked most first, since they are looked through in their order
    path(
        "v2/recommend/products/products",
        views.RecommendForProductsView.as_view(),
        name="recommend-for-products",
    ),
    path(
        "v2/recommend/products/general",
        views.RecommendForUserView.as_view(),
        name="recommend-for-user",
    ),
    path(
        "v2/recommend/products/product",
        views.RecommendForProductView.as_view(),
        name="recommend-for-product",
    ),
    path(
        "v2/recommend/products/category",
        views.RecommendForCategoryView.as_view(),
        name="recommend-for-category",
    ),
    path("v2/recommend/surfaces", views.SurfacesView.as_view(), name="surfaces"),
    path("v3/recommend/products", views.RecommendV3View.as_view(), name="recommend-v3"),
    path("v3/get-displays", views.GetDisplaysView.as_view(), name="get-displays"),
    path("v3/markets", views.MarketsView.as_view(), name="markets"),
    path("v3/locales", views.LocalesView.as_view(), name="locales"),
]
event_urlpatterns: list[URLPattern | URLResolver] = [
    path("create-events", event_views.CreateEventsView.as_view(), name="create-events"),
    path("v2/create-events", event_views.CreateEventsV2View.as_view(), name="create-events-v2"),
    path("v2/track", event_views.TrackV2View.as_view(), name="track-v2"),
    # with a slash as well, in no document: browsers follow no redirect of a preflight
    path("create-events/", event_views.CreateEventsView.as_view(schema=None)),
    path("v2/create-events/", event_views.CreateEventsV2View.as_view(schema=None)),
    path("v2/track/", event_views.TrackV2View.as_view(schema=None)),
]
health_urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
management_urlpatterns: list[URLPattern | URLResolver] = [*management_urls.urlpatterns]
schema_urlpatterns: list[URLPattern | URLResolver] = [*schema_urls.urlpatterns]

urlpatterns = (
    serving_urlpatterns
    + event_urlpatterns
    + health_urlpatterns
    + management_urlpatterns
    + schema_urlpatterns
)
