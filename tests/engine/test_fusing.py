from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine import slots
from depict_reco.engine.fusing import Voice, fused
from depict_reco.engine.sparse import blend, sum_by_item, without


def ints(*values):
    return np.array(values, dtype=np.int32)


def floats(*values):
    return np.array(values, dtype=np.float32)


def as_dict(found):
    pairs = zip(found.items.tolist(), found.scores.tolist(), strict=True)
    return {item: score for item, score in pairs if score != 0}


@pytest.fixture(params=["slots", "sorting"], autouse=True)
def way(request, monkeypatch):
    """Both ways of telling numbers apart, however many there may be."""
    monkeypatch.setattr(slots, "MOST", slots.MOST if request.param == "slots" else 0)


def test_voices_are_weighed_by_their_own_best_item():
    voices = [
        Voice(ints(1, 2, 1), floats(1.0, 4.0, 15.0), 1.0),  # 16 and 4: the roots of 1 and 1/4
        Voice(ints(2, 3), floats(0.25, 0.25), 4.0),
    ]

    assert as_dict(fused(voices, n_items=5, but=ints())) == {1: 1.0, 2: 4.5, 3: 4.0}


def test_what_was_asked_about_is_nobodys_best():
    voices = [Voice(ints(1, 2, 3), floats(9.0, 1.0, 0.25), 1.0)]

    assert as_dict(fused(voices, n_items=5, but=ints(1))) == {2: 1.0, 3: 0.5}


def test_a_voice_that_speaks_for_nothing_is_not_heard():
    voices = [
        Voice(ints(1), floats(-1.0), 5.0),
        Voice(ints(), floats(), 5.0),
        Voice(ints(2), floats(1.0), 1.0),
    ]

    assert as_dict(fused(voices, n_items=5, but=ints())) == {2: 1.0}


def test_nobody_says_nothing():
    assert as_dict(fused([], n_items=5, but=ints(1))) == {}
    assert as_dict(fused([Voice(ints(1), floats(1.0), 1.0)], n_items=5, but=ints(1))) == {}


# Quarters add up exactly, in whatever order.
lists = st.lists(
    st.tuples(st.integers(0, 30), st.integers(-8, 40).map(lambda n: n / 4)), max_size=40
)


@given(
    heard=st.lists(st.tuples(lists, st.sampled_from([0.5, 1.0, 3.0])), max_size=5),
    but=st.lists(st.integers(0, 30), max_size=20, unique=True),
)
def test_it_is_the_sum_of_the_evidence_of_each(heard, but):
    voices = [
        Voice(ints(*(item for item, _ in pairs)), floats(*(score for _, score in pairs)), weight)
        for pairs, weight in heard
    ]
    apart = blend(
        [
            without(sum_by_item(one.items, one.scores), ints(*but)).evidence(one.weight)
            for one in voices
        ]
    )

    found, wanted = as_dict(fused(voices, n_items=31, but=ints(*but))), as_dict(apart)
    # where voices cancel out, one way may come to nothing and the other to a rounding
    for item in found.keys() | wanted.keys():
        assert found.get(item, 0.0) == pytest.approx(wanted.get(item, 0.0), abs=1e-5)


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_numbers_are_told_apart_by_their_last_places(numbers):
    places, ranks = slots.distinct(ints(*numbers), size=1001)

    last = {number: at for at, number in enumerate(numbers)}
    assert sorted(places.tolist()) == sorted(last.values())
    assert ints(*numbers)[places][ranks].tolist() == numbers


def test_slots_are_clean_again_and_kept():
    slots.distinct(ints(3, 3, 99), size=100)
    kept = getattr(slots._of_this_thread(), "slots", None)
    places, ranks = slots.distinct(ints(99, 5, 99), size=100)

    assert ints(99, 5, 99)[places][ranks].tolist() == [99, 5, 99]
    assert getattr(slots._of_this_thread(), "slots", None) is kept


def test_slots_are_not_used_again_after_an_error():
    if not slots.MOST:
        return
    slots.distinct(ints(1), size=10)
    with pytest.raises(IndexError):
        slots.distinct(ints(3, 1 << 30), size=10)
    places, ranks = slots.distinct(ints(3, 4, 3), size=10)

    assert ints(3, 4, 3)[places][ranks].tolist() == [3, 4, 3]
    assert sorted(places.tolist()) == [1, 2]


def test_slots_grow():
    size = 1 << 18
    places, ranks = slots.distinct(ints(size - 1, 0, size - 1), size=size)

    assert sorted(places.tolist()) == [1, 2]
    assert len(ranks) == 3


def test_each_thread_has_slots_of_its_own():
    slots.distinct(ints(1), size=10)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(getattr(slots._of_this_thread(), "slots", None))
    )
    thread.start()
    thread.join(10)

    assert found == [None]
