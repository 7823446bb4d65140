from __future__ import annotations

import pytest

from depict_reco.models import TrainingRun
from depict_reco.training.pace import (
    Expectation,
    Pace,
    Phase,
    expectation,
    in_words,
    last_run,
)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


def pace_of(told, clock, *, experienced=True, **seconds):
    return Pace(
        progress=lambda stage, share: told.append((stage, round(share, 3))),
        expected=Expectation(
            seconds={Phase[name.upper()]: value for name, value in seconds.items()},
            experienced=experienced,
        ),
        clock=clock,
    )


def test_the_share_and_the_time_left_follow_what_was_expected(told, clock):
    pace = pace_of(told, clock, reading_events=100.0, fitting=300.0)
    pace.enter(Phase.READING_EVENTS)
    clock.now += 50.0
    pace.note(0.5)
    clock.now += 50.0
    pace.enter(Phase.FITTING)
    clock.now += 100.0
    pace.note(1 / 3, detail="baskets")

    assert told == [
        ("reading events, about 7 min left", 0.0),
        ("reading events, about 6 min left", 0.125),
        ("fitting, about 5 min left", 0.25),
        ("fitting: baskets, about 3 min left", 0.5),
    ]
    pace.finish()
    assert pace.durations == {"reading events": 100.0, "fitting": 100.0}


def test_a_slower_machine_is_noticed(told, clock):
    pace = pace_of(told, clock, reading_events=100.0, fitting=300.0)
    pace.enter(Phase.READING_EVENTS)
    clock.now += 320.0
    pace.enter(Phase.FITTING)

    # three times as slow so far, on a hundred seconds and ten of trust
    assert pace.seconds_left(0.0) == pytest.approx(900.0)


def test_little_time_left_is_not_told(told, clock):
    pace = pace_of(told, clock, reading_events=4.0, fitting=5.0)
    pace.enter(Phase.READING_EVENTS)

    assert told == [("reading events", 0.0)]


def test_a_first_training_says_nothing_before_it_knows_its_speed(told, clock):
    pace = pace_of(told, clock, experienced=False, reading_events=100.0, fitting=100.0)
    pace.enter(Phase.READING_EVENTS)
    clock.now += 4.0
    pace.note(0.2)
    clock.now += 2.0
    pace.note(0.01)
    pace.note(0.2)

    assert told == [
        ("reading events", 0.0),
        ("reading events", 0.1),
        ("reading events", 0.1),
        ("reading events, about 50 s left", 0.1),
    ]


def test_phases_that_did_not_take_place_count_as_done(told, clock):
    pace = pace_of(told, clock, trial=50.0, fitting=50.0)
    pace.enter(Phase.FITTING)

    assert told[-1][1] == 0.5


def test_the_share_never_falls(told, clock):
    pace = pace_of(told, clock, fitting=10.0)
    pace.enter(Phase.FITTING)
    pace.note(0.8)
    pace.note(0.3)
    pace.note(7.0)

    assert [share for _, share in told] == [0.0, 0.8, 0.8, 1.0]


def test_nothing_is_told_before_the_first_phase(told, clock):
    pace_of(told, clock, fitting=10.0).note(0.5)

    assert told == []


def test_what_the_last_training_took_is_stretched_to_the_events():
    last = TrainingRun(
        events=1000,
        durations={"reading events": 10.0, "content": 4.0, "tuning": 6.0, "fitting": 20.0},
    )

    expected = expectation(events=3000, products=5, last=last)

    assert expected.experienced
    assert expected.seconds == {
        "reading events": 30.0, "content": 4.0, "tuning": 6.0, "fitting": 60.0,
    }  # fmt: skip


@pytest.mark.parametrize("last", [None, TrainingRun(events=5)])
def test_without_a_last_training_rough_figures_serve(last):
    small = expectation(events=10, products=10, last=last)
    great = expectation(events=10_000_000, products=10, last=last)

    assert not small.experienced
    assert small.seconds.keys() == {*Phase} - {Phase.PUBLISHING}
    assert great.seconds["reading events"] > 10 * small.seconds["reading events"]
    assert great.seconds["content"] == small.seconds["content"]


def test_all_is_done_when_publishing_begins(told, clock):
    pace = Pace(progress=lambda stage, share: told.append((stage, share)), clock=clock)
    pace.enter(Phase.PUBLISHING)

    assert told == [("publishing", 1.0)]


@pytest.mark.django_db
def test_the_last_training_that_came_to_its_end_is_gone_by(shop):
    TrainingRun.objects.create(market=shop, status="published", durations={"content": 1.0})
    newest = TrainingRun.objects.create(market=shop, status="succeeded", durations={})
    TrainingRun.objects.create(market=shop, status="failed")
    TrainingRun.objects.create(market=shop, status="running")

    assert last_run(shop) == newest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12, "about 10 s"),
        (94, "about 90 s"),
        (100, "about 2 min"),
        (3000, "about 50 min"),
        (9000, "about 2.5 h"),
    ],
)
def test_times_are_told_in_words(seconds, words):
    assert in_words(seconds) == words
