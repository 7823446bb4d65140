from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class PrometheusConfig(AppConfig):
    """Counts requests as long as it is installed."""

    name = "depict_reco.contrib.prometheus"
    label = "depict_reco_prometheus"
    verbose_name = _("Recommendations: metrics")

    def ready(self) -> None:
        if find_spec("prometheus_client") is None:
            raise ImproperlyConfigured(
                "depict_reco.contrib.prometheus is in INSTALLED_APPS, but prometheus-client is not "
                "installed: pip install 'depict-reco[metrics]'."
            )
        from depict_reco.contrib.prometheus.requests import count_request
        from depict_reco.signals import request_answered

        request_answered.connect(count_request, dispatch_uid="depict_reco.contrib.prometheus")
