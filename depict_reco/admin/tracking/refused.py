"""Findings about requests that were turned away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.utils.translation import gettext as _

from depict_reco.admin import links
from depict_reco.admin.tables import moment
from depict_reco.admin.tracking.findings import Finding, Level, examples, number
from depict_reco.admin.tracking.sample import Sample
from depict_reco.events.models import RefusalReason
from depict_reco.models import Refusal, Tenant

_NOTES = {RefusalReason.CLOCK, RefusalReason.UNAVAILABLE}


def refused_findings(sample: Sample) -> Iterator[Finding]:
    """Say what was refused in the last week, one finding per reason."""
    kinds: dict[str, list[Refusal]] = defaultdict(list)
    for row in sample.refusals:
        kinds[row.reason].append(row)
    for reason, rows in kinds.items():
        last = max(row.last_seen_at for row in rows)
        title = _("%(reason)s: %(n)s times, last on %(time)s") % {
            "reason": _subject(reason),
            "n": number(sum(row.count for row in rows)),
            "time": moment(last),
        }
        yield Finding(
            code=f"refused_{reason}",
            level=Level.WARNING if reason in _NOTES else Level.ERROR,
            title=title,
            advice=_advice(reason, sample),
            examples=examples(_example(row) for row in rows),
            url=links.page_url(Tenant(pk=sample.market.tenant_id))
            if reason == RefusalReason.NO_KEY
            else "",
        )


def _example(row: Refusal) -> str:
    """Say what was wrong, and in which market, where it is not plain."""
    parts = [row.detail]
    if row.market:
        parts.append(_("market %(name)s") % {"name": row.market})
    return " · ".join(filter(None, parts))


def _subject(reason: str) -> str:
    return {
        RefusalReason.INVALID: _("Requests with wrong fields were refused (422)"),
        RefusalReason.NO_KEY: _("Requests without a valid key were refused (401)"),
        RefusalReason.FORBIDDEN: _("Requests with a key that may not do this were refused (403)"),
        RefusalReason.UNKNOWN_TENANT: _("Requests named a tenant that does not exist"),
        RefusalReason.UNKNOWN_MARKET: _("Requests named a market that does not exist"),
        RefusalReason.NO_MARKET: _("Requests named no market"),
        RefusalReason.TOO_LARGE: _("Requests were too large (413)"),
        RefusalReason.TOO_MANY: _("Requests were more than the limit allows (429)"),
        RefusalReason.UNAVAILABLE: _("Requests were turned away while the server was busy (503)"),
        RefusalReason.CLOCK: _("Times that cannot be were put right"),
    }.get(RefusalReason(reason) if reason in RefusalReason.values else None, reason)  # type: ignore[arg-type]


def _advice(reason: str, sample: Sample) -> str:
    markets = ", ".join(sample.market.tenant.markets.values_list("slug", flat=True)[:20])
    return {
        RefusalReason.INVALID.value: _(
            "Nothing of such a request is stored. The examples name the field and what is wrong "
            "with it; * is the number of the event. docs/events.md has all fields."
        ),
        RefusalReason.NO_KEY.value: _(
            "Browsers: open the tenant's storefront to the origin of the page, exactly as the "
            "address bar has it. Servers: send a live key in X-API-KEY."
        ),
        RefusalReason.FORBIDDEN.value: _(
            "Give the sender a key of this tenant with the scope “events”, or mend the tenant "
            "name in its requests."
        ),
        RefusalReason.UNKNOWN_TENANT.value: _(
            "Mend the tenant name in the client; this tenant is “%(slug)s”."
        )
        % {"slug": sample.market.tenant.slug},
        RefusalReason.UNKNOWN_MARKET.value: _(
            "Call setMarket with one of: %(markets)s. Or add the market here."
        )
        % {"markets": markets},
        RefusalReason.NO_MARKET.value: _(
            "The client sends events before setMarket was called. Call it first on every page, "
            "with one of: %(markets)s."
        )
        % {"markets": markets},
        RefusalReason.TOO_LARGE.value: _("Send fewer events in one request."),
        RefusalReason.TOO_MANY.value: _(
            "A shop with this much traffic needs higher limits (RATE_LIMIT_PER_KEY, "
            "RATE_LIMIT_PER_ADDRESS); if one address sends all, it may be a robot, or "
            "TRUSTED_PROXIES is not set."
        ),
        RefusalReason.UNAVAILABLE.value: _(
            "Clients try again, so little is lost. If it lasts, the database is the bottleneck."
        ),
        RefusalReason.CLOCK.value: _(
            "The sender's clock is off, or it sends local times as UTC. Send times with their zone."
        ),
    }.get(reason, "")
