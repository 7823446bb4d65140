"""Pages of artifacts: what was trained, how good it is, which one is served."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from depict_reco.admin import links
from depict_reco.admin.filters import MarketFilter
from depict_reco.admin.readonly import ReadOnlyAdmin
from depict_reco.admin.tables import mapping_table, moment, text_of
from depict_reco.artifacts.publish import publish
from depict_reco.exceptions import ArtifactError
from depict_reco.models import Artifact, CurrentArtifact

_SHOWN_ELSEWHERE = {"accuracy", "files", "tenant", "market", "version", "model"}


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ["version", "market", "served", "created_at", "products", "hits"]
    list_filter = [MarketFilter]
    related = ("market__tenant", "market__current_artifact", "training_run__market__tenant")
    search_fields = ["version__startswith", "market__slug", "market__tenant__slug"]
    search_help_text = _("The beginning of a version, or part of a market or tenant.")
    ordering = ["-pk"]
    sortable_by = ()
    actions = ["publish"]
    detail_actions = (("publish", _("Serve this version")),)
    fieldsets = [
        (None, {"fields": ["market", "version", "served", "created_at", "run"]}),
        (_("Measured accuracy"), {"fields": ["accuracy"], "classes": ["reco-wide"]}),
        (_("What it was made of"), {"fields": ["facts"], "classes": ["reco-wide"]}),
        (_("Settings"), {"fields": ["settings_shown"], "classes": ["reco-wide", "collapse"]}),
        (_("Files"), {"fields": ["path", "size", "files"], "classes": ["collapse"]}),
    ]

    def is_sensible(self, action: str, row: Any) -> bool:
        current = getattr(row.market, "current_artifact", None)
        return current is None or current.artifact_id != row.pk

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("depict_reco.publish_artifact")

    @admin.display(description=_("served"))
    def served(self, artifact: Artifact) -> Any:
        if self.is_sensible("publish", artifact):
            return "-"
        current = artifact.market.current_artifact
        return format_html(
            '<span class="reco-status reco-succeeded">{}</span>',
            _now("since %(when)s") % {"when": moment(current.published_at)},
        )

    @admin.display(description=_("products"))
    def products(self, artifact: Artifact) -> str:
        return text_of(artifact.manifest.get("products"))

    @admin.display(description=_("hit rate at 20"))
    def hits(self, artifact: Artifact) -> str:
        """How often one of the first 20 was what the shopper took, per kind of question."""
        accuracy = artifact.manifest.get("accuracy") or {}
        rates = {
            name: measured["hr@20"]
            for name, measured in accuracy.items()
            if isinstance(measured, dict) and "hr@20" in measured
        }
        return ", ".join(f"{name} {rate:.1%}" for name, rate in rates.items()) or "-"

    @admin.display(description=_("size"))
    def size(self, artifact: Artifact) -> str:
        files = artifact.manifest.get("files") or {}
        return f"{sum(facts.get('bytes', 0) for facts in files.values()) / 1e6:,.1f} MB"

    @admin.display(description=_("training run"))
    def run(self, artifact: Artifact) -> Any:
        return links.page_link(artifact.training_run)

    @admin.display(description=_("measured accuracy"))
    def accuracy(self, artifact: Artifact) -> Any:
        return mapping_table(artifact.manifest.get("accuracy") or {})

    @admin.display(description=_("facts"))
    def facts(self, artifact: Artifact) -> Any:
        facts = {k: v for k, v in artifact.manifest.items() if k not in _SHOWN_ELSEWHERE}
        return mapping_table(facts)

    @admin.display(description=_("settings"))
    def settings_shown(self, artifact: Artifact) -> Any:
        return mapping_table(artifact.manifest.get("model") or {})

    @admin.display(description=_("files"))
    def files(self, artifact: Artifact) -> Any:
        return mapping_table(artifact.manifest.get("files") or {})

    @admin.action(
        description=_("Serve the selected version (publish or roll back)"),
        permissions=["publish"],
    )
    def publish(self, request: HttpRequest, queryset: QuerySet[Artifact]) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, _("Choose exactly one version."), messages.WARNING)
            return None
        artifact = chosen[0]
        current = CurrentArtifact.objects.filter(market=artifact.market_id).first()
        if current is not None and current.artifact_id == artifact.pk:
            self.message_user(request, _("This version is served already."), messages.WARNING)
            return None
        if page := self._ask(request, queryset, artifact, current):
            return page
        try:
            with transaction.atomic():
                publish(artifact)
                self.log_changes(request, queryset, _now("Published."))
        except ArtifactError as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        text = _now("%(market)s is answered from version %(version)s now.")
        facts = {"market": artifact.market, "version": artifact.version}
        self.message_user(request, text % facts, messages.SUCCESS)
        return None

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Artifact],
        artifact: Artifact,
        current: CurrentArtifact | None,
    ) -> HttpResponse | None:
        back = current is not None and artifact.pk < current.artifact_id
        question = _("Roll back to this version?") if back else _("Publish this version?")
        notes: list[Any] = [_("Its files are verified first; serving goes on meanwhile.")]
        if current is not None:
            text = _now("%(market)s is answered from %(version)s now; it is kept.")
            facts = {"market": artifact.market, "version": current.artifact.version}
            notes.insert(0, text % facts)
        return self.ask(
            request,
            queryset,
            action="publish",
            question=question,
            button=_("Serve this version"),
            notes=tuple(notes),
        )
