"""Who is who, kept in this process: tenants, markets and the keys that were used lately.

Every request asks the directory; the database is asked once per ``REFRESH_SECONDS`` for all of
it, with one query, or as soon as ``CHANGES_CACHE`` has word of a change. Meanwhile others go on
with what was right a moment ago; where nobody had asked for longer, they wait. When the database
does not answer, what is known stays in force, and nobody asks again before ``outages`` says that
it is back.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import Error as DatabaseFailure
from django.db import OperationalError, connections, router, transaction
from django.utils import timezone

from depict_reco.conf import settings
from depict_reco.tenants import secrets
from depict_reco.tenants.models import ApiKey, Tenant
from depict_reco.tenants.news import News
from depict_reco.tenants.outages import CONNECTION_FAILURES, outages
from depict_reco.tenants.unknown_keys import UnknownKeys

logger = logging.getLogger(__name__)

LAST_USED_INTERVAL = 60.0
PATIENCE = 1.0
"""Seconds that a reading may take before the database counts as away, and nobody waits for it."""
_KEYS_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEntry:
    """What serving needs to know of a market without asking for it."""

    pk: int
    catalog_id: str
    """Names its catalogue among those of all databases."""
    slug: str
    currency: str
    default_locale: str
    locales: tuple[str, ...]
    """The default locale first."""
    catalog_revision: int
    deletion_revision: int
    artifact_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEntry:
    """An active tenant with its active markets."""

    pk: int
    slug: str
    revision: int
    keyless: bool
    """Whether pages of ``origins`` may ask without a key."""
    origins: frozenset[str]
    consent_required: bool
    """Whether shoppers who said nothing are treated like those who refused."""
    markets: dict[str, MarketEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """A live key, as it was when its tenant had ``tenant_revision``; the tenant may be closed."""

    pk: int
    tenant_pk: int
    tenant_slug: str
    name: str
    scopes: frozenset[str]
    expires_at: datetime | None
    tenant_revision: int


class Directory:
    """The tenants of this installation, at most ``REFRESH_SECONDS`` old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._reading_since: float | None = None
        self._news = News()
        self._failed_at: float | None = None
        self._by_slug: dict[str, TenantEntry] = {}
        self._by_pk: dict[int, TenantEntry] = {}
        self._revisions: dict[int, int] = {}
        self._open_origins: frozenset[str] = frozenset()
        self._all_origins: frozenset[str] = frozenset()
        self._keys: dict[str, KeyEntry] = {}
        self._unknown = UnknownKeys(_KEYS_KEPT)
        self._used: dict[int, float] = {}

    def tenant(self, slug: str) -> TenantEntry | None:
        """Return an active tenant by its slug."""
        self.refresh()
        return self._by_slug.get(slug)

    def tenant_by_pk(self, pk: int) -> TenantEntry | None:
        """Return an active tenant by its primary key."""
        self.refresh()
        return self._by_pk.get(pk)

    def is_open(self, key: KeyEntry) -> bool:
        """Whether the tenant of a key that was just returned is active."""
        return key.tenant_pk in self._by_pk

    def tenants(self) -> tuple[TenantEntry, ...]:
        """Return all active tenants."""
        self.refresh()
        return tuple(self._by_pk.values())

    def is_open_origin(self, origin: str) -> bool:
        """Whether some tenant is open to keyless pages of this origin."""
        self.refresh()
        return origin in self._open_origins

    def is_known_origin(self, origin: str) -> bool:
        """Whether some tenant names this origin as its own."""
        self.refresh()
        return origin in self._all_origins

    def key(self, secret: str, *, on_unseen: Callable[[], None] | None = None) -> KeyEntry | None:
        """Return the live key that a secret stands for, or None.

        A malformed secret costs no query, one that is known here to be good or not costs none
        either, any other one indexed look-up. ``on_unseen`` is called first for one that has not
        been found to stand for a key here, and may raise. Raises OperationalError where the
        look-up is needed and the database is away.
        """
        digest = secrets.digest(secret)
        entry = self._keys.get(digest)
        if entry is None and on_unseen is not None:
            on_unseen()
        if entry is None and not secrets.is_well_formed(secret):
            return None
        self.refresh()
        if entry is None or self._revisions.get(entry.tenant_pk) != entry.tenant_revision:
            entry = None if digest in self._unknown else self._read_key(digest)
        if entry is None or (entry.expires_at is not None and entry.expires_at <= timezone.now()):
            return None
        self._mark_used(entry)
        return entry

    @property
    def age(self) -> float:
        """Seconds since the tenants were read; infinite if they never were."""
        return time.monotonic() - self._read_at

    @property
    def database_is_away(self) -> bool:
        """Whether questions that can be left out should not be put to the database now."""
        if outages().database.lasts:
            return True
        since = self._reading_since
        return since is not None and time.monotonic() - since > PATIENCE

    @property
    def reading_fails(self) -> bool:
        """Whether the last reading failed though the database is there."""
        return self._failed_at is not None

    def refresh(self) -> None:
        """Read the tenants again if what is known is too old; one thread at a time does it."""
        now = time.monotonic()
        if now - self._read_at < settings.REFRESH_SECONDS and not self._news.is_waiting():
            return
        if self._failed_at is not None and now - self._failed_at < settings.RETRY_SECONDS:
            return
        first = self._read_at == float("-inf")
        if outages().database.lasts:
            if first:
                raise OperationalError("The database is away.")
            return
        if not self._lock.acquire(blocking=first):
            if self._lock.acquire(timeout=self._patience()):
                self._lock.release()
            return
        try:
            if first and self._read_at != float("-inf"):
                return
            self._reading_since = time.monotonic()
            word = self._news.latest
            self._read()
            self._news.settle(word)
            self._failed_at = None
        except CONNECTION_FAILURES:
            _note_failure()
            if first:
                raise
        except DatabaseFailure:  # a fault of ours, which the next request would meet again
            if first:
                raise
            self._failed_at = time.monotonic()
            logger.exception("The tenants cannot be read; what is known stays in force.")
        finally:
            self._reading_since = None
            self._lock.release()

    def _patience(self) -> float:
        """Return for how many seconds to wait for the thread that reads."""
        if self.age < 2 * settings.REFRESH_SECONDS:
            return 0.0
        now = time.monotonic()
        return max(0.0, (self._reading_since or now) + PATIENCE - now)

    def _read(self) -> None:
        rows = (
            Tenant.objects.order_by("pk", "markets__pk")
            .values_list(
                "pk", "active", "slug", "revision", "storefront_access", "origins",
                "consent_required",
                "markets__active", "markets__pk", "markets__catalog_id", "markets__slug",
                "markets__currency",
                "markets__default_locale", "markets__locales", "markets__catalog_revision",
                "markets__deletion_revision", "markets__artifact_revision",
            )
        )  # fmt: skip
        revisions: dict[int, int] = {}
        tenants: dict[int, TenantEntry] = {}
        # an entry that has not changed stays the same object, which is soon told
        markets = {entry: entry for one in self._by_pk.values() for entry in one.markets.values()}
        for pk, active, slug, revision, access, origins, consent, market_active, *market in rows:
            revisions[pk] = revision
            if active and pk not in tenants:
                tenants[pk] = TenantEntry(
                    pk=pk,
                    slug=slug,
                    revision=revision,
                    keyless=access == Tenant.StorefrontAccess.OPEN_TO_ORIGINS,
                    origins=frozenset(origins or ()),
                    consent_required=consent,
                    markets={},
                )
            if active and market_active:
                entry = _market_entry(*market)
                tenants[pk].markets[entry.slug] = markets.get(entry, entry)
        known = tenants.values()
        self._by_pk = tenants
        self._by_slug = {tenant.slug: tenant for tenant in known}
        self._open_origins = frozenset().union(*(one.origins for one in known if one.keyless))
        self._all_origins = frozenset().union(*(one.origins for one in known))
        if revisions != self._revisions:
            self._unknown.clear()
        self._revisions = revisions
        self._read_at = time.monotonic()

    def _read_key(self, digest: str) -> KeyEntry | None:
        if self.database_is_away:
            raise OperationalError("The database is away.")
        looked_at = time.monotonic()
        row = (
            ApiKey.objects.live()
            .filter(digest=digest)
            .values_list(
                "pk", "tenant_id", "tenant__slug", "name", "scopes", "expires_at",
                "tenant__revision", "last_used_at",
            )
            .first()
        )  # fmt: skip
        if row is None:
            self._keys.pop(digest, None)
            self._unknown.note(digest, looked_at=looked_at)
            return None
        pk, tenant_pk, tenant_slug, name, scopes, expires_at, revision, last_used_at = row
        entry = KeyEntry(
            pk=pk,
            tenant_pk=tenant_pk,
            tenant_slug=tenant_slug,
            name=name,
            scopes=frozenset(scopes),
            expires_at=expires_at,
            tenant_revision=revision,
        )
        if len(self._keys) >= _KEYS_KEPT:
            self._keys.clear()
        self._keys[digest] = entry
        if last_used_at is not None:
            age = (timezone.now() - last_used_at).total_seconds()
            self._used.setdefault(pk, time.monotonic() - max(age, 0.0))  # a clock was put back
        return entry

    def _mark_used(self, entry: KeyEntry) -> None:
        now = time.monotonic()
        if now - self._used.get(entry.pk, float("-inf")) < LAST_USED_INTERVAL:
            return
        if self.database_is_away:
            return
        self._used[entry.pk] = now
        try:
            with transaction.atomic():  # a failure must not break the caller's transaction
                ApiKey.objects.mark_used(entry.pk, timezone.now(), interval=LAST_USED_INTERVAL)
        except DatabaseFailure:
            logger.warning("Could not note when key %s was used.", entry.pk)


def _note_failure() -> None:
    outages().database.begin()
    # a process that serves no requests, a command, has nobody else to drop a broken connection
    connections[router.db_for_read(Tenant)].close_if_unusable_or_obsolete()


def _market_entry(
    pk: int,
    catalog_id: UUID,
    slug: str,
    currency: str,
    default_locale: str,
    locales: list[str] | None,
    catalog_revision: int,
    deletion_revision: int,
    artifact_revision: int,
) -> MarketEntry:
    return MarketEntry(
        pk=pk,
        catalog_id=catalog_id.hex,
        slug=slug,
        currency=currency,
        default_locale=default_locale,
        locales=tuple(dict.fromkeys([default_locale, *(locales or ())])),
        catalog_revision=catalog_revision,
        deletion_revision=deletion_revision,
        artifact_revision=artifact_revision,
    )


@functools.cache
def directory() -> Directory:
    """Return the directory of this process."""
    return Directory()
