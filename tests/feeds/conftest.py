from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from depict_reco.feeds.readers.formats import read_rows
from depict_reco.feeds.readers.rows import Row
from depict_reco.models import Market, Tenant

Read = Callable[..., list[Row]]


@pytest.fixture
def market(db: None) -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(
        tenant=tenant,
        slug="se",
        currency="SEK",
        default_locale="sv-SE",
        locales=["fi-FI", "sv-FI"],
    )


@pytest.fixture
def read() -> Read:
    """Read the rows of a text or bytes, of a format that is recognised unless it is named."""

    def read(content: str | bytes, **options: Any) -> list[Row]:
        data = content.encode() if isinstance(content, str) else content
        return list(read_rows(io.BytesIO(data), **options))

    return read


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real shops' data, which is no part of the repository."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DEPICT_RECO_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"there is no folder of real data ({folder}); DEPICT_RECO_DATA names it")
    return folder
