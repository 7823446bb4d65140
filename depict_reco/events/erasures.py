"""Receipts of erasures: who asked for what, and what went, without saying whose it was."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from depict_reco.tenants.models import Tenant


class ErasureQuerySet(models.QuerySet["Erasure"]):
    def unfinished(self) -> ErasureQuerySet:
        """Erasures that were interrupted, or are at work."""
        return self.exclude(state=Erasure.State.DONE)

    def newest_first(self) -> ErasureQuerySet:
        return self.order_by("-pk")


class Erasure(models.Model):
    """One shopper's data was to be erased."""

    class State(models.TextChoices):
        FINDING = "finding", _("finding linked ids")
        DELETING = "deleting", _("deleting")
        DONE = "done", _("done")

    class Channel(models.TextChoices):
        COMMAND = "command", _("command")
        API = "api", _("management API")
        ADMIN = "admin", _("admin")
        CODE = "code", _("code")

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="erasures", verbose_name=_("tenant")
    )
    asked_by = models.CharField(_("asked by"), max_length=255)
    channel = models.CharField(_("by way of"), max_length=10, choices=Channel.choices)
    asked_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.FINDING
    )
    linked = models.BooleanField(
        _("with linked ids"),
        default=False,
        help_text=_("Whether ids that stand beside a given one in an event or order went, too."),
    )
    given = models.PositiveIntegerField(_("ids given"))
    digests = models.JSONField(
        _("digests of the ids"),
        default=list,
        help_text=_("Of those given and of those found; the ids themselves are not kept."),
    )
    rows = models.JSONField(
        _("rows erased"), default=dict, help_text=_("How many rows of which type.")
    )
    pending = models.JSONField(
        default=list,
        editable=False,
        help_text="The ids themselves, until the erasure is done and no longer.",
    )

    objects = ErasureQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        permissions = [
            ("erase_shopper", "Can erase a shopper's data"),
            ("export_shopper", "Can export a shopper's data"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.asked_at:%Y-%m-%d %H:%M}"

    def receipt(self) -> dict[str, Any]:
        """Return the receipt as plain values, for JSON."""
        return {
            "id": self.pk,
            "tenant": self.tenant.slug,
            "asked_by": self.asked_by,
            "channel": self.channel,
            "asked_at": self.asked_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "state": self.state,
            "linked": self.linked,
            "ids_given": self.given,
            "ids_erased": len(self.digests),
            "digests": self.digests,
            "rows": dict(sorted(self.rows.items())),
            "rows_erased": sum(self.rows.values()),
        }
