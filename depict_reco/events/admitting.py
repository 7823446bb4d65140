"""The one decision on an event that comes in: kept as it is, kept without ids, or not at all.

An event of an erased shopper may come again, from a client that resends it or from an old file.
What happened before the erasure stays erased. What is said to happen within
``ERASED_SILENCE_HOURS`` after it counts without ids, since events of browsers have the time of
their arrival and may be old; after that, the id is that of a new shopper.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from depict_reco.conf import settings
from depict_reco.events.consent import Consent, ids_allowed, without_ids
from depict_reco.events.digests import all_digests
from depict_reco.events.erasures import Erasure
from depict_reco.events.records import NewEvent
from depict_reco.tenants.directory import directory
from depict_reco.tenants.models import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What of a batch of events may be stored, and how."""

    events: Sequence[NewEvent]
    erased: int = 0
    """Events left out because they are those of an erased shopper."""
    anonymous: int = 0
    """Of ``events``, those whose ids were dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a tenant wants to be done with ids."""

    revision: int
    consent_required: bool
    erased: dict[str, datetime]
    """When the shopper was erased last, by the digest of each of the ids."""


def admit(
    events: Sequence[NewEvent], *, tenant_pk: int, consent: Consent = Consent.UNKNOWN
) -> Admitted:
    """Decide on each event of a tenant; ``consent`` is what its sender said of the shopper."""
    rules = rule_book().of(tenant_pk)
    allowed = ids_allowed(consent, required=rules.consent_required)
    if allowed and not rules.erased:
        return Admitted(events=events)
    silence = timedelta(hours=settings.ERASED_SILENCE_HOURS)
    kept: list[NewEvent] = []
    erased = anonymous = 0
    for event in events:
        erased_at = _erased_at(event, rules, tenant_pk=tenant_pk)
        if erased_at is not None and event.time <= erased_at:
            erased += 1
        elif allowed and (erased_at is None or event.time > erased_at + silence):
            kept.append(event)
        else:
            kept.append(without_ids(event, tenant_pk=tenant_pk))
            anonymous += bool(event.session_id or event.user_id or event.dsid)
    return Admitted(events=kept, erased=erased, anonymous=anonymous)


def _erased_at(event: NewEvent, rules: Rules, *, tenant_pk: int) -> datetime | None:
    """Return when the shopper of an event was erased, if that has happened."""
    if not rules.erased:
        return None
    moments = [
        rules.erased[digest]
        for name in {event.session_id, event.user_id, event.dsid}
        if name
        for digest in all_digests(name, tenant_pk=tenant_pk)
        if digest in rules.erased
    ]
    return max(moments, default=None)


class RuleBook:
    """The rules of the tenants, read again when a tenant's revision says that they changed."""

    def __init__(self) -> None:
        self._rules: dict[int, Rules] = {}

    def of(self, tenant_pk: int) -> Rules:
        """Return the rules of a tenant; no query as long as nothing about it has changed."""
        entry = directory().tenant_by_pk(tenant_pk)
        known = self._rules.get(tenant_pk)
        if known is None or entry is None or known.revision != entry.revision:
            known = self._rules[tenant_pk] = _read(tenant_pk)
        return known


def _read(tenant_pk: int) -> Rules:
    # the revision first: what changes in between is read again
    revision, required = (
        Tenant.objects.filter(pk=tenant_pk).values_list("revision", "consent_required").get()
    )
    erased: dict[str, datetime] = {}
    receipts = Erasure.objects.filter(tenant=tenant_pk).order_by("asked_at")
    for digests, asked_at in receipts.values_list("digests", "asked_at").iterator():
        erased.update(dict.fromkeys(digests, asked_at))
    return Rules(revision=revision, consent_required=required, erased=erased)


@functools.cache
def rule_book() -> RuleBook:
    """Return the rule book of this process."""
    return RuleBook()
