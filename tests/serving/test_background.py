from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from depict_reco.serving import background as module
from depict_reco.serving.background import Background, unhurried
from tests.conftest import wait_for


def test_work_of_one_name_is_done_once_at_a_time():
    background, go_on, done = Background(), threading.Event(), []

    def act():
        assert go_on.wait(20)
        done.append(threading.current_thread().name)

    for name in ("one", "one", "two"):
        background.begin(name, act)
    assert background.is_doing("one")
    assert not background.is_doing("three")

    go_on.set()
    wait_for(lambda: not background.is_doing("one") and not background.is_doing("two"))
    assert sorted(done) == ["depict_reco one", "depict_reco two"]

    background.begin("one", act)
    wait_for(lambda: not background.is_doing("one"))
    assert len(done) == 3


def test_what_is_asked_for_while_work_is_done_is_done_once_more():
    background, go_on, done = Background(), threading.Semaphore(0), []

    def act():
        assert go_on.acquire(timeout=20)
        done.append(threading.current_thread())

    for _ in range(4):  # three of them while the first is being done
        background.begin("one", act, again=True)
    go_on.release(9)
    wait_for(lambda: not background.is_doing("one"))
    assert len(done) == 2
    assert len(set(done)) == 1

    background.begin("one", act, again=True)
    wait_for(lambda: not background.is_doing("one"))
    assert len(done) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_that_fails_is_begun_again_when_it_is_next_asked_for():
    background, go_on, tries = Background(), threading.Event(), []

    def act():
        tries.append(threading.current_thread())
        assert go_on.wait(20)
        raise OSError("disk full")

    background.begin("one", act, again=True)
    background.begin("one", act, again=True)
    go_on.set()
    wait_for(lambda: not background.is_doing("one"))
    assert len(tries) == 1

    background.begin("one", lambda: tries.append("well"))
    wait_for(lambda: not background.is_doing("one"))
    assert tries[1:] == ["well"]


def test_long_work_rests_after_each_millisecond(monkeypatch):
    now, rests = 0.0, []
    clock = SimpleNamespace(perf_counter=lambda: now, sleep=rests.append)
    monkeypatch.setattr(module, "time", clock)
    done = []
    for item in unhurried("abcdef"):
        done.append(item)
        now += 0.0006  # so that two take more than a millisecond

    assert done == list("abcdef")
    assert rests == [0.001] * 3
    assert list(unhurried([])) == []
