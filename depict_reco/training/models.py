"""The record of trainings."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Market


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def alive(self) -> TrainingRunQuerySet:
        """Runs that are at work: running, with a sign of life not long ago."""
        return self.filter(
            status=TrainingRun.Status.RUNNING,
            heartbeat_at__gt=timezone.now() - TrainingRun.SILENCE,
        )

    def ended_well(self) -> TrainingRunQuerySet:
        """Runs that came to their end, published or not."""
        return self.filter(status__in=[TrainingRun.Status.PUBLISHED, TrainingRun.Status.SUCCEEDED])

    def dead(self) -> TrainingRunQuerySet:
        """Runs that say they are running, and have given no sign of life for long."""
        return self.filter(
            status=TrainingRun.Status.RUNNING,
            heartbeat_at__lte=timezone.now() - TrainingRun.SILENCE,
        )


class TrainingRun(models.Model):
    """One training of a market's model, finished or not; written by the trainer only."""

    SILENCE = timedelta(minutes=10)
    """A running training that gives no sign of life for this long is taken for dead."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        PUBLISHED = "published", _("published")
        SUCCEEDED = "succeeded", _("succeeded, not published")
        FAILED = "failed", _("failed")

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="training_runs", verbose_name=_("market")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    stage = models.CharField(_("stage"), max_length=100, blank=True)
    worker = models.CharField(_("worker"), max_length=255, blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    heartbeat_at = models.DateTimeField(_("last sign of life"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    events = models.PositiveBigIntegerField(_("events"), default=0)
    products = models.PositiveBigIntegerField(_("products"), default=0)
    metrics = models.JSONField(_("measured accuracy"), default=dict)
    durations = models.JSONField(
        _("durations"), default=dict, blank=True, help_text=_("Seconds per phase.")
    )
    message = models.TextField(_("message"), blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        ordering = ["-pk"]
        permissions = [("train_model", _("Can train a model"))]
        indexes = [
            models.Index(fields=["market", "-started_at"], name="reco_training_started_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.market} {self.started_at:%Y-%m-%d %H:%M}"
