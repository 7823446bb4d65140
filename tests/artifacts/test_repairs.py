from __future__ import annotations

from unittest import mock

import pytest

from depict_reco.artifacts import repairs as module
from depict_reco.artifacts.repairs import Repairs


@pytest.fixture
def clock(monkeypatch):
    clock = mock.Mock(monotonic=mock.Mock(return_value=100.0))
    monkeypatch.setattr(module, "time", clock)
    return clock.monotonic


def test_nothing_is_due_that_has_not_failed(clock):
    assert not Repairs().is_due(7)


def test_each_wait_is_twice_the_last_up_to_a_minute(clock):
    repairs = Repairs()
    waits = []
    for _ in range(9):
        repairs.failed(7)
        waited = 0
        while not repairs.is_due(7):
            waited += 1
            clock.return_value += 1
        waits.append(waited)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_is_mended_is_forgotten(clock):
    repairs = Repairs()
    repairs.failed(7)
    repairs.failed(8)
    clock.return_value += 5
    repairs.mended(7)
    repairs.mended(9)

    assert (repairs.is_due(7), repairs.is_due(8)) == (False, True)
    repairs.failed(7)
    clock.return_value += 1
    assert repairs.is_due(7), "the waits begin anew"
