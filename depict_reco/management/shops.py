"""Find the tenant and market that a command names, or say which ones there are."""

from __future__ import annotations

from django.core.management.base import CommandError

from depict_reco.models import Market, Tenant


def find_tenant(slug: str) -> Tenant:
    """Return a tenant by its slug; raises CommandError with the known ones."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        known = ", ".join(Tenant.objects.values_list("slug", flat=True)[:20])
        raise CommandError(
            f"There is no tenant {slug!r}. Known: {known or 'none'}. "
            f"Create it: reco_create_tenant {slug} --market se:SEK:sv-SE"
        )
    return tenant


def find_market(tenant_slug: str, market_slug: str) -> Market:
    """Return a market by the slugs of its tenant and its own; raises CommandError."""
    tenant = find_tenant(tenant_slug)
    market = Market.objects.select_related("tenant").filter(tenant=tenant, slug=market_slug).first()
    if market is None:
        known = ", ".join(tenant.markets.values_list("slug", flat=True))
        raise CommandError(
            f"{tenant_slug} has no market {market_slug!r}. Known: {known or 'none'}. "
            f"Create it: reco_create_tenant {tenant_slug} --market {market_slug}:SEK:sv-SE"
        )
    return market


def find_markets(tenant_slug: str, market_slug: str | None) -> list[Market]:
    """Return one market, or all active ones of the tenant when none is named."""
    if market_slug:
        return [find_market(tenant_slug, market_slug)]
    tenant = find_tenant(tenant_slug)
    markets = list(Market.objects.select_related("tenant").filter(tenant=tenant, active=True))
    if not markets:
        raise CommandError(f"{tenant_slug} has no active market.")
    return markets
