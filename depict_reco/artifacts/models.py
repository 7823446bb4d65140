"""The published model versions of each market, and which of them is served."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market
from depict_reco.training.models import TrainingRun


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def newest_first(self) -> ArtifactQuerySet:
        return self.order_by("-pk")


class Artifact(models.Model):
    """One complete version of a market's model; its files lie in the artifact storage."""

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="artifacts", verbose_name=_("market")
    )
    version = models.CharField(_("version"), max_length=40)
    path = models.CharField(_("path"), max_length=500)
    training_run = models.ForeignKey(
        TrainingRun,
        models.SET_NULL,
        related_name="artifacts",
        null=True,
        verbose_name=_("training run"),
    )
    manifest = models.JSONField(_("manifest"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        verbose_name = _("artifact")
        verbose_name_plural = _("artifacts")
        ordering = ["-pk"]
        permissions = [("publish_artifact", _("Can publish or roll back an artifact"))]
        constraints = [
            models.UniqueConstraint(fields=["market", "version"], name="reco_artifact_version"),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.version}"


class CurrentArtifact(models.Model):
    """The pointer: which artifact a market is answered from. Publishing changes this row only."""

    market = models.OneToOneField(
        Market,
        models.CASCADE,
        primary_key=True,
        related_name="current_artifact",
        verbose_name=_("market"),
    )
    artifact = models.ForeignKey(Artifact, models.CASCADE, verbose_name=_("artifact"))
    published_at = models.DateTimeField(_("published"), default=timezone.now)

    class Meta:
        verbose_name = _("current artifact")
        verbose_name_plural = _("current artifacts")

    def __str__(self) -> str:
        return str(self.artifact)
