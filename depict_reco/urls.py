"""Addresses of the app, in lists that a project may include apart."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "depict_reco"

serving_urlpatterns: list[URLPattern | URLResolver] = []
management_urlpatterns: list[URLPattern | URLResolver] = []

urlpatterns = serving_urlpatterns + management_urlpatterns
