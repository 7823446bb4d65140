from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DepictRecoConfig(AppConfig):
    """The one Django app of this package."""

    name = "depict_reco"
    label = "depict_reco"
    verbose_name = _("Recommendations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from depict_reco import checks  # noqa: F401  registers the system checks
