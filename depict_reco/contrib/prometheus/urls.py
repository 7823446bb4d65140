"""The address of the metrics, to be included by a project that wants them."""

from __future__ import annotations

from django.urls import path

from depict_reco.contrib.prometheus.views import metrics

urlpatterns = [path("metrics", metrics, name="depict-reco-metrics")]
