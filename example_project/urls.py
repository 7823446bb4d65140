"""Addresses of the example: the admin, the API of depict_reco, and the shop."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("depict_reco.urls")),
    path("", include("example_project.shop.urls")),
]
if apps.is_installed("depict_reco.contrib.prometheus"):
    urlpatterns.append(path("", include("depict_reco.contrib.prometheus.urls")))
