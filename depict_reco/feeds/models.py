"""Where products come from, and what each import did."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.feeds.addresses import without_password
from depict_reco.tenants.models import Market


class FeedFormat(models.TextChoices):
    AUTO = "auto", _("recognise it")
    CSV = "csv", _("CSV or TSV")
    JSON = "json", _("JSON")
    JSONL = "jsonl", _("JSON Lines")
    XML = "xml", _("XML (Google Merchant RSS or Atom)")
    SHOPIFY = "shopify", _("Shopify product CSV")


class Feed(models.Model):
    """A product feed of a market that is imported again and again."""

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="feeds", verbose_name=_("market")
    )
    name = models.CharField(_("name"), max_length=200)
    source = models.TextField(
        _("source"), help_text=_("An http(s) address, or a file on this machine.")
    )
    format = models.CharField(
        _("format"), max_length=10, choices=FeedFormat.choices, default=FeedFormat.AUTO
    )
    mapping = models.JSONField(
        _("mapping"),
        default=dict,
        blank=True,
        help_text=_("Our field → the feed's column, where the names differ."),
    )
    full = models.BooleanField(
        _("full feed"),
        default=True,
        help_text=_("Products that are missing from the feed become inactive."),
    )
    active = models.BooleanField(_("active"), default=True)
    etag = models.CharField(max_length=255, blank=True, editable=False)
    last_modified = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        ordering = ["market", "name"]
        constraints = [
            models.UniqueConstraint(fields=["market", "name"], name="reco_feed_name"),
        ]

    def __str__(self) -> str:
        return f"{self.market}: {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("update_fields") is None:
            self.etag = self.last_modified = ""  # it may be read in another way from now on
        super().save(*args, **kwargs)

    @property
    def shown_source(self) -> str:
        """The source without passwords and tokens."""
        return without_password(self.source)

    def remember(self, *, etag: str, last_modified: str) -> None:
        """Keep what tells the version just imported, to ask for newer ones only."""
        self.etag = etag if len(etag) <= 255 else ""
        self.last_modified = last_modified if len(last_modified) <= 255 else ""
        self.save(update_fields=["etag", "last_modified"])


class FeedRunQuerySet(models.QuerySet["FeedRun"]):
    def newest_first(self) -> FeedRunQuerySet:
        return self.order_by("-started_at", "-pk")


class FeedRun(models.Model):
    """One import of products, finished or not; written by the importer only."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        UNCHANGED = "unchanged", _("not changed at the source")
        FAILED = "failed", _("failed")

    market = models.ForeignKey(
        Market, models.CASCADE, related_name="feed_runs", verbose_name=_("market")
    )
    feed = models.ForeignKey(
        Feed, models.SET_NULL, related_name="runs", null=True, blank=True, verbose_name=_("feed")
    )
    source = models.TextField(_("source"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RUNNING
    )
    full = models.BooleanField(_("full feed"), default=False)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    deactivated = models.PositiveIntegerField(_("deactivated"), default=0)
    rejections = models.JSONField(
        _("rejected rows"), default=list, help_text=_("The first of them: line, field, reason.")
    )
    message = models.TextField(_("message"), blank=True)

    objects = FeedRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("feed run")
        verbose_name_plural = _("feed runs")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["market", "-started_at"], name="reco_feedrun_started_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.market}: {self.source}"

    def finish(self, status: str, *, message: str = "", **counts: Any) -> None:
        """Close the run."""
        self.status, self.message, self.finished_at = status, message, timezone.now()
        for name, value in counts.items():
            setattr(self, name, value)
        self.save()
