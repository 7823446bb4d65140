from __future__ import annotations

import os
from pathlib import Path

import pytest

from depict_reco.models import Market, Tenant


@pytest.fixture
def market(db) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(
        tenant=tenant, slug="uk", name="UK", currency="GBP", default_locale="en-GB"
    )


@pytest.fixture
def other_market(market) -> Market:
    """Another market of the same tenant."""
    return Market.objects.create(
        tenant=market.tenant, slug="de", name="DE", currency="EUR", default_locale="de-DE"
    )


@pytest.fixture
def real_data() -> Path:
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DEPICT_RECO_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"there is no folder of real data ({folder}); DEPICT_RECO_DATA names it")
    return folder
