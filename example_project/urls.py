"""Addresses of the example: the admin, the API of depict_reco, and the shop."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("depict_reco.urls")),
    path("", include("example_project.shop.urls")),
]
