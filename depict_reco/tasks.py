"""The conductor: acts that lead through several rooms, for commands, admin, API and task queues."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from django.db import Error as DatabaseFailure
from django.db import transaction

from depict_reco.analytics.closed import first_whole_days
from depict_reco.analytics.forget import forget as forget_counted
from depict_reco.analytics.rollup import ReportRollup, RollupResult, roll_up
from depict_reco.analytics.rollup import rebuild as run_rebuild
from depict_reco.artifacts.gate import Gate
from depict_reco.artifacts.publish import prune as prune_artifacts
from depict_reco.artifacts.publish import publish as publish_artifact
from depict_reco.artifacts.publish import roll_back as roll_back_artifact  # noqa: F401
from depict_reco.artifacts.publish import store_model
from depict_reco.events.erase import Erased, ErasureProgress, ErasureRequest
from depict_reco.events.erase import erase as run_erasure
from depict_reco.events.erase import resume as run_resumed_erasure
from depict_reco.events.erasures import Erasure
from depict_reco.events.export import as_csv, as_json, find_shopper
from depict_reco.events.importing import EventProgress
from depict_reco.events.importing import import_events as run_event_import
from depict_reco.events.results import EventImportOptions, EventImportResult
from depict_reco.events.retention import Pruned, PruneProgress, days_of
from depict_reco.events.retention import prune as run_pruning
from depict_reco.exceptions import EventsNotCountedError
from depict_reco.feeds.importer import import_products, import_stored_feed
from depict_reco.feeds.models import Feed, FeedFormat
from depict_reco.feeds.results import ImportResult, ReportProgress
from depict_reco.serving.defaults import add_default_types
from depict_reco.serving.meaning import meanings_of
from depict_reco.signals import training_finished
from depict_reco.tenants.models import Market, Tenant
from depict_reco.training.models import TrainingRun
from depict_reco.training.pace import Pace, Phase, Progress
from depict_reco.training.trainer import finish_run, heartbeat, start_run, train

logger = logging.getLogger(__name__)

EXPORT_FORMATS = {"json": as_json, "csv": as_csv}
"""Forms that the data of a shopper is exported in."""

_FORGET = (forget_counted,)
"""What is done in other rooms about events that are erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPlan:
    """What a market is to be."""

    slug: str
    currency: str
    default_locale: str
    locales: tuple[str, ...] = ()
    """Further locales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSetup:
    """What ``create_tenant`` found and did."""

    tenant: Tenant
    created: bool
    """Whether the tenant is new."""
    changed: bool
    """Whether it stood and got another name, a new origin or opened its storefront."""
    markets_created: tuple[str, ...]
    markets_changed: tuple[str, ...]
    markets_unchanged: tuple[str, ...]
    origins_added: tuple[str, ...]
    types_added: int


@transaction.atomic
def create_tenant(
    slug: str,
    *,
    name: str = "",
    markets: Iterable[MarketPlan] = (),
    origins: Iterable[str] = (),
) -> TenantSetup:
    """Make a tenant be as described, whether it stands already or not.

    What is named is made so: a market that stands gets the given currency and locales. What is
    not named is left alone: no market, origin or type is ever taken away, and nothing that was
    closed is opened. An origin opens the storefront to keyless pages of the tenant's origins.
    Raises ValidationError for values that cannot be.
    """
    tenant = Tenant.objects.select_for_update().filter(slug=slug).first()
    created = tenant is None
    tenant = tenant or Tenant(slug=slug, name=slug)
    before = (tenant.name, tenant.storefront_access, list(tenant.origins))
    tenant.name = name or tenant.name
    if wanted := list(origins):
        tenant.origins = [*tenant.origins, *wanted]
        tenant.storefront_access = Tenant.StorefrontAccess.OPEN_TO_ORIGINS
    tenant.full_clean()
    changed = before != (tenant.name, tenant.storefront_access, tenant.origins)
    if created or changed:
        tenant.save()
    outcomes = [(plan.slug, _settle_market(tenant, plan)) for plan in markets]
    return TenantSetup(
        tenant=tenant,
        created=created,
        changed=changed and not created,
        markets_created=tuple(slug for slug, outcome in outcomes if outcome == "created"),
        markets_changed=tuple(slug for slug, outcome in outcomes if outcome == "changed"),
        markets_unchanged=tuple(slug for slug, outcome in outcomes if outcome == "unchanged"),
        origins_added=tuple(origin for origin in tenant.origins if origin not in before[-1]),
        types_added=add_default_types(tenant),
    )


def _settle_market(tenant: Tenant, plan: MarketPlan) -> str:
    """Make one market be as planned; say whether it was created, changed or unchanged."""
    market = Market.objects.filter(tenant=tenant, slug=plan.slug).first()
    outcome = "unchanged" if market else "created"
    market = market or Market(tenant=tenant, slug=plan.slug)
    planned = {
        "currency": plan.currency,
        "default_locale": plan.default_locale,
        "locales": list(plan.locales),
    }
    different = {name for name, value in planned.items() if getattr(market, name) != value}
    if outcome == "unchanged" and not different:
        return outcome
    for field, value in planned.items():
        setattr(market, field, value)
    market.full_clean()
    market.save()
    return "changed" if outcome == "unchanged" else outcome


def train_market(
    market: Market,
    *,
    publish: bool = True,
    force: bool = False,
    progress: Progress = lambda stage, share: None,
) -> TrainingRun:
    """Train a market's model and, unless told otherwise, serve it from then on.

    A model that is clearly worse than the served one is kept, but not served, and the run says
    so; ``force`` serves it all the same.

    Whatever goes wrong - a full disk, a signal, a broken database - the artifact that was served
    before stays, and the run says what happened. Raises TrainingRunningError when another
    training of the market is at work, and passes on every other error.
    """
    run = start_run(market)
    try:
        pace, gate = Pace(progress=heartbeat(run, progress)), Gate(market)
        trained = train(market, pace=pace, examine=gate)
        pace.enter(Phase.WRITING)
        artifact = store_model(market, trained, run=run)
        worse = gate.verdict.worse
        publish = publish and (force or not worse)
        if publish:
            pace.enter(Phase.PUBLISHING)
            publish_artifact(artifact)
        pace.finish()
    except BaseException as error:
        _note_failure(run, error)
        raise
    finish_run(
        run,
        TrainingRun.Status.PUBLISHED if publish else TrainingRun.Status.SUCCEEDED,
        message=f"Artifact {artifact.version}" + (f", {worse}" if worse else ""),
        durations=pace.durations,
        stage="",
        events=trained.n_events,
        products=len(trained.item_ids),
        metrics=trained.accuracy,
    )
    training_finished.send_robust(sender=TrainingRun, run=run)
    _clear_out(market)
    return run


def _note_failure(run: TrainingRun, error: BaseException) -> None:
    try:
        finish_run(run, TrainingRun.Status.FAILED, message=f"{type(error).__name__}: {error}")
    except DatabaseFailure:
        logger.exception("Cannot note that the training of %s failed.", run.market)
    training_finished.send_robust(sender=TrainingRun, run=run)


def _clear_out(market: Market) -> None:
    try:
        prune_artifacts(market)
    except Exception:  # the model is trained and served: what is left over does no harm
        logger.exception("Cannot clear out old artifacts of %s.", market)


def import_feed(
    feed_or_source: Feed | str,
    *,
    market: Market | None = None,
    feed_format: str = FeedFormat.AUTO,
    mapping: Mapping[str, str] | None = None,
    full: bool = False,
    dry_run: bool = False,
    report: ReportProgress | None = None,
) -> ImportResult:
    """Import a stored feed, or a file, address or standard input (``-``) into a market.

    A stored feed brings its market, format, mapping and whether it is full along. The result
    says what happened, also when the import failed.
    """
    if isinstance(feed_or_source, Feed):
        return import_stored_feed(feed_or_source, dry_run=dry_run, report=report)
    if market is None:
        raise TypeError("import_feed() needs the market of a source that is not a stored feed")
    return import_products(
        market,
        feed_or_source,
        feed_format=feed_format,
        mapping=mapping,
        full=full,
        dry_run=dry_run,
        report=report,
    )


def import_events(
    market: Market,
    source: str | os.PathLike[str],
    *,
    options: EventImportOptions | None = None,
    dry_run: bool = False,
    progress: EventProgress = lambda done, size: None,
) -> EventImportResult:
    """Import a file of events into a market; ``-`` is standard input.

    Can be killed at any moment and run again: what is stored is not stored twice. Raises
    EventImportError when nothing of the file can be read, and its EventImportCutShortError,
    with the result so far, when it ends too early.
    """
    return run_event_import(market, source, options=options, dry_run=dry_run, progress=progress)


def erase_shopper(
    tenant: Tenant,
    request: ErasureRequest,
    *,
    progress: ErasureProgress = lambda done, total: None,
) -> Erased:
    """Erase what is stored of one shopper in all markets of a tenant, and leave a receipt.

    Can be killed at any moment and called again. Raises ShopperError for ids that cannot be those
    of one shopper.
    """
    return run_erasure(tenant, request, forget=_FORGET, progress=progress)


def resume_erasure(
    erasure: Erasure, *, progress: ErasureProgress = lambda done, total: None
) -> Erased:
    """Carry an interrupted erasure through."""
    return run_resumed_erasure(erasure, forget=_FORGET, progress=progress)


def export_shopper(
    tenant: Tenant, ids: Iterable[str], *, linked: bool = False, export_format: str = "json"
) -> Iterator[str]:
    """Return everything that is stored of one shopper, piece by piece, as JSON or as CSV.

    Raises ShopperError, before the first piece, for ids that cannot be those of one shopper.
    """
    shopper = find_shopper(tenant, ids, with_linked=linked)
    return EXPORT_FORMATS[export_format](tenant, shopper, explain=meanings_of)


def prune_events(
    market: Market,
    *,
    dry_run: bool = False,
    progress: PruneProgress = lambda done, share: None,
) -> Pruned:
    """Delete the events of a market that are older than their type is kept.

    They are counted first, as far as that has not been done. Can be killed at any moment and
    called again. Raises EventsNotCountedError, and deletes nothing, where that cannot be done.
    """
    if not dry_run and days_of(market.tenant) and roll_up().waiting:
        raise EventsNotCountedError(
            f"A transaction that writes events has not ended yet, so that the events of {market} "
            "cannot all be counted. None was deleted; run it again later."
        )
    return run_pruning(market, dry_run=dry_run, progress=progress)


def rebuild_counters(
    *, since: date | None = None, report: ReportRollup = lambda done, total: None
) -> RollupResult:
    """Compute the daily counters anew; reports see the old ones until it is done.

    Days before ``since`` keep their figures; by itself, those that pruning has taken events of.
    """
    closed_of = None if since else first_whole_days()
    return run_rebuild(closed_before=since, closed_of=closed_of, report=report)
