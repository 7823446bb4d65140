from __future__ import annotations

import pytest

from tests.analytics.shopping import Shopping


@pytest.fixture
def shopping(shop):
    """The small shop without events, and somebody to shop in it."""
    return Shopping(shop)
