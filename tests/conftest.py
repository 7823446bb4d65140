from __future__ import annotations

import pytest

from depict_reco.tenants.directory import directory


@pytest.fixture(autouse=True)
def fresh_directory():
    """Each test begins with a process that knows no tenant yet."""
    directory.cache_clear()
    yield
    directory.cache_clear()
