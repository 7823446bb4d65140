"""What is missing or stale in an installation, with the command that mends it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from depict_reco.artifacts import store
from depict_reco.events.retention import days_complaint, days_of, shortcomings
from depict_reco.exceptions import ArtifactError
from depict_reco.models import (
    ApiKey,
    Artifact,
    Erasure,
    Event,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)
from depict_reco.serving.defaults import DEFAULT_TYPES

SAMPLE = 5000
"""Newest events of a market whose products are looked up."""

UNKNOWN_SHARE = 0.2
"""Share of events with unknown products from which on something must be wrong with the ids."""

NEVER = datetime.min.replace(tzinfo=UTC)
FEED_AGE = timedelta(days=1)
STUCK = timedelta(hours=1)
EXPIRY_NOTICE = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    code: str
    subject: str
    """The tenant, ``tenant/market``, or ``installation``."""
    message: str
    remedy: str
    """What to type, or to do, about it."""
    wrong: bool = True
    """False: worth knowing, and no reason to worry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From when on something counts as stale."""

    event_age: timedelta = timedelta(days=7)
    training_lag: timedelta = timedelta(days=2)
    """How far the newest event may be ahead of those that the served model has learned from."""


def examine(*, tenant: str = "", thresholds: Thresholds | None = None) -> list[Finding]:
    """Look at the installation and at one tenant, or at all of them."""
    findings = list(_installation())
    if any(finding.code == "migrations" for finding in findings):
        return findings  # without its tables nothing else can be looked at
    tenants = Tenant.objects.filter(slug=tenant) if tenant else Tenant.objects.active()
    if not tenants:
        findings.append(
            Finding(
                code="no_tenant",
                subject=tenant or "installation",
                message="There is no such tenant." if tenant else "There is no active tenant.",
                remedy=f"manage.py reco_create_tenant {tenant or 'SLUG'} --market se:SEK:sv-SE",
            )
        )
    for one in tenants:
        findings += _tenant(one)
        for market in Market.objects.filter(tenant=one, active=True).select_related("tenant"):
            findings += _market(market, thresholds or Thresholds())
    return findings


def _installation() -> Iterator[Finding]:
    """Errors of the system checks, and migrations that have not run."""
    for problem in checks.run_checks():
        if problem.level >= checks.ERROR and not problem.is_silenced():
            yield Finding(
                code="check",
                subject="installation",
                message=f"{problem.id}: {problem.msg}",
                remedy=problem.hint or "manage.py check",
            )
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes("depict_reco"))
    if plan:
        names = ", ".join(str(migration) for migration, _ in plan[:3])
        yield Finding(
            code="migrations",
            subject="installation",
            message=f"{len(plan)} migrations have not run, such as {names}.",
            remedy="manage.py migrate",
        )


def _tenant(tenant: Tenant) -> Iterator[Finding]:
    """Markets, types and keys."""
    if not tenant.markets.filter(active=True).exists():
        yield Finding(
            code="no_market",
            subject=tenant.slug,
            message="The tenant has no active market.",
            remedy=f"manage.py reco_create_tenant {tenant.slug} --market se:SEK:sv-SE",
        )
    present = set(
        RecommendationType.objects.filter(tenant=tenant, market=None).values_list("name", flat=True)
    )
    if missing := [name for name, *_ in DEFAULT_TYPES if name not in present]:
        yield Finding(
            code="types_missing",
            subject=tenant.slug,
            message=f"These recommendation types are not set up: {', '.join(missing)}.",
            remedy=f"manage.py reco_create_tenant {tenant.slug}",
            wrong=not present,  # a shop may do without some of them
        )
    yield from _keys(tenant)
    yield from _privacy(tenant)


def _privacy(tenant: Tenant) -> Iterator[Finding]:
    """Erasures that were not finished, and events that go before they are read."""
    now = timezone.now()
    if (
        count := Erasure.objects.filter(tenant=tenant, asked_at__lt=now - STUCK)
        .unfinished()
        .count()
    ):
        yield Finding(
            code="erasure_unfinished",
            subject=tenant.slug,
            message=f"{count} erasures of shoppers were interrupted.",
            remedy=f"manage.py reco_erase_shopper {tenant.slug} --resume",
        )
    if tenant.retention_days and (problem := days_complaint(tenant.retention_days)):
        yield Finding(
            code="retention_unclear",
            subject=tenant.slug,
            message=f"The tenant's days that events are kept cannot be read: {problem}.",
            remedy="Change them on the tenant's page in the admin.",
        )
        return
    for text in shortcomings(days_of(tenant), attribution_days=tenant.attribution_window_days):
        yield Finding(
            code="retention_short",
            subject=tenant.slug,
            message=f"Events go early: {text}.",
            remedy="Keep these types longer (EVENT_RETENTION_DAYS, or the tenant's own days).",
            wrong=False,
        )


def _keys(tenant: Tenant) -> Iterator[Finding]:
    now = timezone.now()
    live = list(ApiKey.objects.live().filter(tenant=tenant).order_by("pk"))
    opens = any(ApiKey.Scope.RECOMMEND in key.scopes for key in live)
    if not opens and tenant.storefront_access == Tenant.StorefrontAccess.KEY_REQUIRED:
        yield Finding(
            code="no_key",
            subject=tenant.slug,
            message="A key is required, and no live key opens recommendations.",
            remedy=f"manage.py reco_api_keys create {tenant.slug}",
        )
    for key in ApiKey.objects.filter(tenant=tenant, revoked_at=None, expires_at__lte=now):
        yield Finding(
            code="key_expired",
            subject=tenant.slug,
            message=f"The key {key} expired on {key.expires_at:%Y-%m-%d}.",
            remedy=f"manage.py reco_api_keys revoke {tenant.slug} {key.pk}",
            wrong=False,
        )
    for key in live:
        if key.expires_at is not None and key.expires_at - now < EXPIRY_NOTICE:
            yield Finding(
                code="key_expires_soon",
                subject=tenant.slug,
                message=f"The key {key} expires on {key.expires_at:%Y-%m-%d}.",
                remedy=f"manage.py reco_api_keys create {tenant.slug}",
                wrong=False,
            )
        if key.last_used_at is None and now - key.created_at > FEED_AGE:
            yield Finding(
                code="key_unused",
                subject=tenant.slug,
                message=f"The key {key} was never used.",
                remedy=f"manage.py reco_api_keys revoke {tenant.slug} {key.pk}",
                wrong=False,
            )


def _market(market: Market, thresholds: Thresholds) -> Iterator[Finding]:
    """Products, feeds, events and the model, in the order in which they depend on one another."""
    newest = (
        Event.objects.filter(market=market).order_by("-time").values_list("time", flat=True).first()
    )
    return itertools.chain(
        _products(market),
        _feeds(market),
        _events(market, newest, thresholds),
        _model(market, newest, thresholds),
    )


def _products(market: Market) -> Iterator[Finding]:
    products = Product.objects.filter(market=market)
    if not products.exists():
        yield Finding(
            code="no_products",
            subject=str(market),
            message="The market has no products.",
            remedy=f"manage.py reco_import_feed {_words(market)} SOURCE",
        )
    elif not products.recommendable().exists():
        yield Finding(
            code="nothing_to_recommend",
            subject=str(market),
            message="Every product is sold out, hidden or gone from the feed.",
            remedy=f"manage.py reco_import_feed {_words(market)} SOURCE --full",
        )


def _feeds(market: Market) -> Iterator[Finding]:
    """The newest run of each source; a market that is filled through the API has none."""
    seen: set[str] = set()
    for run in FeedRun.objects.filter(market=market).newest_first()[:100]:
        if run.source in seen:
            continue
        seen.add(run.source)
        remedy = f"manage.py reco_import_feed {_words(market)} {shlex.quote(run.source)}"
        if run.status == FeedRun.Status.FAILED:
            reason = run.message or "for no stated reason"
            yield Finding(
                code="feed_failed",
                subject=str(market),
                message=f"The last import of {run.source} failed: {reason}",
                remedy=remedy,
            )
        elif timezone.now() - run.started_at > FEED_AGE:
            yield Finding(
                code="feed_stale",
                subject=str(market),
                message=f"{run.source} was last imported on {run.started_at:%Y-%m-%d}.",
                remedy=remedy,
            )


def _events(market: Market, newest: datetime | None, thresholds: Thresholds) -> Iterator[Finding]:
    if newest is None:
        yield Finding(
            code="no_events",
            subject=str(market),
            message="The market has no events; recommendations rest on products alone.",
            remedy=f"manage.py reco_import_events {_words(market)} SOURCE",
        )
        return
    if timezone.now() - newest > thresholds.event_age:
        yield Finding(
            code="events_stale",
            subject=str(market),
            message=f"The newest event is of {newest:%Y-%m-%d %H:%M}.",
            remedy=f"manage.py reco_import_events {_words(market)} SOURCE",
        )
    unknown, looked_at = _unknown_products(market)
    if looked_at and unknown / looked_at > UNKNOWN_SHARE:
        yield Finding(
            code="unknown_products",
            subject=str(market),
            message=f"{unknown} of the newest {looked_at} events name products that the "
            "catalogue does not know.",
            remedy=f"manage.py reco_import_feed {_words(market)} SOURCE --map product_id=COLUMN",
        )


def _unknown_products(market: Market) -> tuple[int, int]:
    """Count the newest events whose product is unknown, and all that were looked at."""
    events = list(
        Event.objects.filter(market=market)
        .order_by("-time")
        .values_list("product_id", "sku")[:SAMPLE]
    )
    named = [(product_id, sku) for product_id, sku in events if product_id or sku]
    products = Product.objects.filter(market=market)
    ids = {product_id for product_id, _ in named if product_id}
    skus = {sku for product_id, sku in named if sku and not product_id}
    known_ids = set(products.with_ids(ids).values_list("product_id", flat=True))
    known_skus = set(products.filter(sku__in=skus).values_list("sku", flat=True))
    unknown = sum(
        (product_id not in known_ids) if product_id else (sku not in known_skus)
        for product_id, sku in named
    )
    return unknown, len(named)


def _model(market: Market, newest: datetime | None, thresholds: Thresholds) -> Iterator[Finding]:
    """The served artifact: there, whole, and not left behind by the events."""
    train = f"manage.py reco_train {_words(market)}"
    last = TrainingRun.objects.filter(market=market).order_by("-pk").first()
    if last is not None and last.status == TrainingRun.Status.FAILED:
        yield Finding(
            code="training_failed",
            subject=str(market),
            message=f"The last training failed: {last.message or 'for no stated reason'}",
            remedy=train,
        )
    artifact = Artifact.objects.filter(currentartifact__market=market).first()
    if artifact is None:
        yield Finding(
            code="no_artifact",
            subject=str(market),
            message="No model is published; nothing learned is served.",
            remedy=train,
        )
        return
    try:
        store.verify(artifact.path)
    except ArtifactError as error:
        older = Artifact.objects.filter(market=market, pk__lt=artifact.pk).exists()
        yield Finding(
            code="artifact_broken",
            subject=str(market),
            message=f"The served model is broken: {error}",
            remedy=f"manage.py reco_artifacts rollback {_words(market)}" if older else train,
        )
        return
    learned_until = _end_of_window(artifact)
    if newest is None or newest - (learned_until or NEVER) <= thresholds.training_lag:
        return
    until = f"of {learned_until:%Y-%m-%d %H:%M}" if learned_until else "none"
    yield Finding(
        code="artifact_stale",
        subject=str(market),
        message=f"The newest event that the served model knows is {until}, the newest of all "
        f"of {newest:%Y-%m-%d %H:%M}.",
        remedy=train,
    )


def _end_of_window(artifact: Artifact) -> datetime | None:
    """The time of the newest event that a model has learned from; None if it knows no event."""
    window = artifact.manifest.get("window") or []
    return datetime.fromisoformat(window[-1]) if window else None


def _words(market: Market) -> str:
    """The market as commands take it."""
    return f"{market.tenant.slug} {market.slug}"
