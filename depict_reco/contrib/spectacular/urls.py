"""Addresses of the OpenAPI document and its page."""

from __future__ import annotations

from django.urls import path

from depict_reco.contrib.spectacular.views import SchemaView, docs

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("schema/docs/", docs, name="schema-docs"),
]
