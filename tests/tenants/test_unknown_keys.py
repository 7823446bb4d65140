from __future__ import annotations

from unittest import mock

import pytest

from depict_reco.tenants import unknown_keys as module
from depict_reco.tenants.unknown_keys import UnknownKeys


@pytest.fixture
def clock(monkeypatch, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 2.0}
    clock = mock.Mock(monotonic=mock.Mock(return_value=100.0))
    monkeypatch.setattr(module, "time", clock)
    return clock.monotonic


def test_a_digest_is_remembered_for_as_long_as_all_else(clock):
    unknown = UnknownKeys(10)
    unknown.note("a", looked_at=99.0)
    assert "a" in unknown
    assert "b" not in unknown

    clock.return_value = 100.99
    assert "a" in unknown
    clock.return_value = 101.0
    assert "a" not in unknown


def test_not_more_than_so_many_are_remembered(clock):
    unknown = UnknownKeys(3)
    for digest in "abcd":
        unknown.note(digest, looked_at=100.0)

    assert len(unknown) == 1
    assert "d" in unknown


def test_they_can_be_forgotten(clock):
    unknown = UnknownKeys(3)
    unknown.note("a", looked_at=100.0)
    unknown.clear()

    assert "a" not in unknown
