from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from depict_reco.engine import blending
from depict_reco.engine.blending import SESSIONS, blended, read
from depict_reco.engine.neighbours import Neighbours
from depict_reco.engine.related import TABLES, Lists, RelatedItems
from depict_reco.engine.sessions import SessionNeighbours, SessionOptions
from depict_reco.engine.sparse import blend, sum_by_item, without
from depict_reco.testing import groups_of

N_ITEMS = 12

needs_compiled = pytest.mark.skipif(
    blending.compiled is None, reason="depict_reco was installed without its compiled part"
)


def ints(*values):
    return np.array(values, dtype=np.int32)


def floats(*values):
    return np.array(values, dtype=np.float32)


def related_items(tables):
    """Return related items from {table: {item: [(other, score), ...]}}."""
    made = {}
    for name in TABLES:
        rows = [tables.get(name, {}).get(item, []) for item in range(N_ITEMS)]
        pairs = [pair for row in rows for pair in row]
        made[name] = Neighbours(
            indptr=np.cumsum([0, *map(len, rows)]).astype(np.int64),
            items=ints(*(other for other, _ in pairs)),
            scores=floats(*(score for _, score in pairs)),
        )
    return RelatedItems.of(made)


def session_neighbours(rows, **options):
    return SessionNeighbours.fit(
        groups_of(rows, n_items=N_ITEMS), options=SessionOptions(**options)
    )


def ask(asked, weights, *, related, sessions, but=(), most=None, priors=None):
    priors = np.zeros((0, N_ITEMS), dtype=np.float32) if priors is None else priors
    found = blended(
        asked, weights, related=related, sessions=sessions, priors=priors, but=ints(*but), most=most
    )
    return dict(zip(found.items.tolist(), found.scores.tolist(), strict=True))


@pytest.mark.usefixtures("every_way_of_blending")
class TestBlended:
    related = related_items(
        {"baskets": {0: [(1, 4.0), (2, 1.0)], 3: [(2, 3.0)]}, "walks": {0: [(1, -1.0), (4, 4.0)]}}
    )
    sessions = session_neighbours([[0, 5], [0, 5], [0, 6]], distance_decay=1.0)

    def ask(self, asked, weights, **kwargs):
        return ask(asked, weights, related=self.related, sessions=self.sessions, **kwargs)

    def test_parts_are_weighed_by_their_own_best_item(self):
        asked = [Lists("baskets", ints(0, 3)), Lists("walks", ints(0))]
        # baskets: 4 and 1 + 3; walks: -1 and 4, so the roots are 1, 1 and -1/2, 1
        found = self.ask(asked, (1.0, 0.5))
        assert found == pytest.approx({2: 1.0, 1: np.exp(-0.25), 4: np.exp(-0.5)})

    def test_each_list_counts_what_it_weighs(self):
        found = self.ask([Lists("baskets", ints(0, 3), floats(1.0, 5.0))], (1.0,))
        assert found == pytest.approx({2: 1.0, 1: np.exp(0.5 - 1.0)})  # 16 and 4

    def test_sessions_are_a_part_among_others(self):
        found = self.ask([Lists(SESSIONS, ints(0))], (1.0,), but=(0,))
        assert found == pytest.approx({5: 1.0, 6: np.exp(0.5**0.5 - 1.0)})

    def test_a_part_without_weight_is_not_heard(self):
        asked = [Lists("baskets", ints(0)), Lists("walks", ints(0))]
        assert self.ask(asked, (0.0, 1.0)) == {4: 1.0}
        assert self.ask(asked, (0.0, 0.0)) == {}

    def test_what_is_left_out_is_nobodys_best(self):
        asked = [Lists("baskets", ints(0)), Lists("walks", ints(0))]
        found = self.ask(asked, (1.0, 1.0), but=(1, 4))
        assert found == {2: 1.0}

    def test_priors_speak_for_what_parts_have_found_alone(self):
        priors = np.zeros((2, N_ITEMS), dtype=np.float32)
        priors[0, [1, 7]], priors[1, 2] = 1.0, 0.25
        found = self.ask([Lists("baskets", ints(0))], (1.0, -2.0, 2.0), priors=priors)
        # 1 has 1 - 2, 2 has 1/2 + 1/2
        assert found == pytest.approx({2: 1.0, 1: np.exp(-2.0)})

    def test_the_likeliest_come_best_first_and_equal_ones_in_their_order(self):
        row = [(5, 1.0), (4, 0.25), (3, 1.0), (1, 4.0), (2, 1.0)]
        related = related_items({"baskets": {0: row}})
        asked = [Lists("baskets", ints(0))]

        def likeliest(most):
            return list(ask(asked, (1.0,), related=related, sessions=self.sessions, most=most))

        assert likeliest(1) == [1]
        assert likeliest(3) == [1, 2, 3]
        assert likeliest(5) == likeliest(9) == [1, 2, 3, 5, 4]
        assert sorted(likeliest(None)) == [1, 2, 3, 4, 5]

    def test_chances_too_small_for_a_number_are_the_least(self):
        priors = np.zeros((1, N_ITEMS), dtype=np.float32)
        priors[0, 1] = 1.0
        found = self.ask([Lists("baskets", ints(0))], (1.0, 1000.0), priors=priors)
        assert found == pytest.approx({1: 1.0, 2: np.exp(-80.0)}, rel=1e-5)

    def test_of_sessions_equally_alike_the_newest_vote(self):
        rows = [[0, 1], [0, 2], [0, 3], [0, 4]]
        asked = [Lists(SESSIONS, ints(0))]
        for neighbours, newest in ((1, {4}), (2, {3, 4}), (4, {1, 2, 3, 4})):
            sessions = session_neighbours(rows, neighbours=neighbours)
            found = ask(asked, (1.0,), related=self.related, sessions=sessions, but=(0,))
            assert found.keys() == newest

    def test_any_array_of_integers_will_do(self):
        wanted = self.ask([Lists("baskets", ints(0, 3))], (1.0,), but=(1,))
        for query in (ints(3, 0)[::-1], np.array([0, 3]), np.array([0, 3], dtype=np.int16)):
            assert self.ask([Lists("baskets", query)], (1.0,), but=(1,)) == wanted

    def test_nobody_says_nothing(self):
        assert self.ask([], ()) == {}
        assert self.ask([Lists("baskets", ints()), Lists(SESSIONS, ints())], (1.0, 1.0)) == {}
        assert self.ask([Lists("baskets", ints(9)), Lists(SESSIONS, ints(9))], (1.0, 1.0)) == {}


items = st.integers(0, N_ITEMS - 1)
tables = st.dictionaries(
    st.sampled_from(TABLES),
    st.dictionaries(
        items,
        st.lists(st.tuples(items, st.integers(-8, 40).map(lambda n: n / 4)), max_size=8),
        max_size=N_ITEMS,
    ),
)
options = st.fixed_dictionaries(
    {
        "postings": st.integers(1, 9),
        "budget": st.integers(1, 30),
        "neighbours": st.integers(1, 6),
        "distance_decay": st.sampled_from([0.3, 3.0]),
        "forward": st.sampled_from([0.5, 1.0]),
    }
)
sessions_of_shoppers = st.lists(st.lists(items, min_size=2, max_size=9), max_size=12)


@needs_compiled
@settings(deadline=None)
@given(
    tables=tables,
    rows=sessions_of_shoppers,
    options=options,
    asked=st.lists(
        st.tuples(
            st.sampled_from([*TABLES, SESSIONS]),
            st.lists(items, max_size=5, unique=True),
            st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        ),
        max_size=6,
    ),
    prior=st.lists(st.integers(0, 4), min_size=N_ITEMS, max_size=N_ITEMS),
    but=st.lists(items, max_size=4, unique=True),
    most=st.none() | st.integers(1, N_ITEMS),
)
def test_compiled_says_what_numpy_says(tables, rows, options, asked, prior, but, most):
    related, sessions = related_items(tables), session_neighbours(rows, **options)
    lists = [Lists(name, ints(*query)) for name, query, _ in asked]
    weights = tuple(weight for *_, weight in asked)
    parts = [
        without(sum_by_item(*said), ints(*but)).evidence(weight)
        for said, weight in zip(read(lists, related, sessions), weights, strict=True)
    ]
    evidence = blend(parts)
    # where parts cancel out, one way may come to nothing and the other to a rounding
    assume(not np.any((evidence.scores != 0.0) & (np.abs(evidence.scores) < 1e-4)))
    priors = np.array([prior], dtype=np.float32) / 4

    def answer():
        return ask(
            lists, (*weights, -0.5),
            related=related, sessions=sessions, but=but, most=most, priors=priors,
        )  # fmt: skip

    found = answer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blending, "compiled", None)
        wanted = answer()

    # ties may come apart by a rounding, and then the ways differ in their order, and at the end
    least = min(wanted.values(), default=0.0)
    for item in found.keys() ^ wanted.keys():
        assert {**found, **wanted}[item] == pytest.approx(least, rel=1e-4)
    for item in found.keys() & wanted.keys():
        assert found[item] == pytest.approx(wanted[item], rel=1e-4)


def arrays_of(related, sessions):
    """Return what the compiled part is given, by name, to be spoilt."""
    return {
        "related.indptr": related.indptr, "related.items": related.items,
        "related.scores": related.scores,
        "posting_indptr": sessions.posting_indptr, "posting_sessions": sessions.posting_sessions,
        "posting_positions": sessions.posting_positions,
        "session_indptr": sessions.session_indptr, "session_items": sessions.session_items,
        "session_weights": sessions.session_weights, "decay": sessions.decay,
        "priors": np.ones((1, N_ITEMS), dtype=np.float32), "prior_weights": floats(1.0),
        "but": ints(0),
    }  # fmt: skip


def compiled(arrays, voices, *, n_items=N_ITEMS, budget=50, neighbours=5, most=0):
    return blending.compiled(tuple(arrays.values()), n_items, budget, neighbours, voices, most)


def whole():
    related = related_items({"baskets": {0: [(1, 4.0), (2, 1.0)], 3: [(2, 3.0)]}})
    sessions = session_neighbours([[0, 5, 7], [0, 5], [1, 2, 3, 0]])
    return {name: array.copy() for name, array in arrays_of(related, sessions).items()}


VOICES = [
    (TABLES.index("baskets"), ints(0, 3), None, 1.0), (-1, ints(0, 1), floats(1.0, 2.0), 2.0),
]  # fmt: skip


@needs_compiled
class TestBrokenArrays:
    def test_whole_ones_are_read(self):
        items, chances = compiled(whole(), VOICES)
        assert set(np.frombuffer(items, np.int32).tolist()) == {1, 2, 3, 5, 7}
        assert len(np.frombuffer(chances, np.float32)) == 5

    @pytest.mark.parametrize("name", list(whole()))
    def test_another_kind_of_array_is_refused(self, name):
        arrays = whole()
        arrays[name] = arrays[name].astype(np.float64)
        with pytest.raises(TypeError, match=rf"{name}: an array of .* is needed, not of 'd'"):
            compiled(arrays, VOICES)

    @pytest.mark.parametrize(
        "name",
        ["related.scores", "posting_indptr", "posting_positions", "session_weights", "decay",
         "priors"],
    )  # fmt: skip
    def test_arrays_of_other_lengths_are_refused(self, name):
        arrays = whole()
        arrays[name] = arrays[name].reshape(-1)[:-1]
        with pytest.raises(ValueError, match="the arrays are not of one model"):
            compiled(arrays, VOICES)

    @pytest.mark.parametrize(
        ("name", "number"),
        [
            ("related.indptr", -1), ("related.indptr", 1 << 40), ("related.items", N_ITEMS),
            ("related.items", -1), ("posting_indptr", 1 << 40), ("posting_sessions", 3),
            ("posting_sessions", -1), ("session_indptr", 1 << 40), ("session_items", 1 << 30),
        ],
    )  # fmt: skip
    def test_numbers_out_of_range_are_refused(self, name, number):
        arrays = whole()
        arrays[name].fill(number)
        with pytest.raises(ValueError, match="a number is out of range"):
            compiled(arrays, VOICES)

    def test_arrays_that_do_not_lie_in_one_piece_are_refused(self):
        arrays = whole()
        arrays["related.items"] = np.repeat(arrays["related.items"], 2)[::2]
        with pytest.raises((BufferError, ValueError)):
            compiled(arrays, VOICES)

    @pytest.mark.parametrize(
        ("voice", "error"),
        [
            ((len(TABLES), ints(0), None, 1.0), ValueError),
            ((1 << 70, ints(0), None, 1.0), OverflowError),
            ((0, ints(N_ITEMS), None, 1.0), ValueError),
            ((0, ints(-1), None, 1.0), ValueError),
            ((-1, ints(N_ITEMS), floats(1.0), 1.0), ValueError),
            ((-1, ints(0), None, 1.0), ValueError),
            ((0, ints(0, 1), floats(1.0), 1.0), ValueError),
            ((0, [0], None, 1.0), TypeError),
            ((0, ints(0), None, "much"), TypeError),
            ((0, ints(0), None), TypeError),
            (None, TypeError),
        ],
    )
    def test_voices_of_another_shape_are_refused(self, voice, error):
        with pytest.raises(error):
            compiled(whole(), [voice])

    @pytest.mark.parametrize(
        "wrong", [{"n_items": -1}, {"budget": -1}, {"neighbours": 0}, {"n_items": N_ITEMS - 1}]
    )
    def test_other_numbers_out_of_range_are_refused(self, wrong):
        with pytest.raises(ValueError, match=r"shape|one model"):
            compiled(whole(), VOICES, **wrong)

    def test_more_voices_than_there_are_are_refused(self):
        with pytest.raises(ValueError, match="shape"):
            compiled(whole(), VOICES * 40)

    @settings(deadline=None, max_examples=300)
    @given(data=st.data())
    def test_whatever_is_spoilt_the_process_lives(self, data):
        arrays = whole()
        for name in data.draw(st.sets(st.sampled_from(list(arrays)), min_size=1, max_size=4)):
            array = arrays[name].reshape(-1)
            at = data.draw(st.integers(0, len(array) - 1))
            if array.dtype.kind == "i":
                reach = np.iinfo(array.dtype)
                number = data.draw(st.integers(-3, 30) | st.integers(reach.min, reach.max))
            else:
                number = data.draw(st.floats(width=32))
            array[at] = number
        try:
            items, chances = compiled(arrays, VOICES, most=data.draw(st.integers(0, 5)))
        except ValueError as error:
            assert "out of range" in str(error)
        else:
            assert len(items) == len(chances)


@pytest.mark.usefixtures("every_way_of_blending")
def test_many_items_are_added_up_as_few_are():
    """Tables of sums grow as they fill."""
    n = 30_000
    lists = {
        name: Neighbours(indptr=np.zeros(n + 1, np.int64), items=ints(), scores=floats())
        for name in TABLES
    }
    lists["baskets"] = Neighbours(
        indptr=np.concatenate(([0], np.full(n, n))).astype(np.int64),
        items=np.arange(n, dtype=np.int32)[::-1].copy(),
        scores=np.arange(n, dtype=np.float32)[::-1] + 1,
    )
    related = RelatedItems.of(lists)
    sessions = SessionNeighbours.fit(groups_of([[0, 1]], n_items=n), options=SessionOptions())
    found = blended(
        [Lists("baskets", ints(0))], (1.0,),
        related=related, sessions=sessions, priors=np.zeros((0, n), np.float32), but=ints(),
    )  # fmt: skip

    order = np.argsort(found.items)
    wanted = np.exp(np.sqrt(np.arange(1, n + 1) / n) - 1.0)
    assert found.items[order].tolist() == list(range(n))
    np.testing.assert_allclose(found.scores[order], wanted, rtol=1e-5)


def test_without_the_compiled_part_numpy_does_the_work():
    program = (
        "import sys; sys.modules['depict_reco.engine._compiled'] = None\n"
        "from depict_reco.engine import blending\n"
        "print(blending.compiled)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "None\n", done.stderr
