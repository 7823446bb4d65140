from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.engine.neighbours import Neighbours
from depict_reco.engine.related import TABLES, Lists, RelatedItems

N_ITEMS = 4


def table(rows):
    """Return a table from one list of (item, score) per item."""
    flat = [pair for row in rows for pair in row]
    return Neighbours(
        indptr=np.cumsum([0, *map(len, rows)]),
        items=np.array([item for item, _ in flat], dtype=np.int32),
        scores=np.array([score for _, score in flat], dtype=np.float32),
    )


def related(**rows):
    """Return tables of four items; those not given say nothing."""
    empty = [[] for _ in range(N_ITEMS)]
    return RelatedItems.of({name: table(rows.get(name, empty)) for name in TABLES})


def said(model, *asked):
    return [
        list(zip(items.tolist(), scores.tolist(), strict=True))
        for items, scores in model.read(asked)
    ]


def ints(*values):
    return np.array(values, dtype=np.int32)


def floats(*values):
    return np.array(values, dtype=np.float32)


@pytest.fixture
def model():
    return related(
        transitions=[[(1, 3.0), (2, 1.0)], [(0, 2.0)], [], [(1, 4.0)]],
        walks=[[], [(3, 0.5)], [(0, 8.0)], []],
        content=[[(3, 1.0)], [], [], [(0, 1.0)]],
    )


def test_each_table_is_read_by_its_name(model):
    every = ints(0, 1, 2, 3)

    assert said(
        model, Lists("walks", every), Lists("transitions", every), Lists("fresh", every)
    ) == [
        [(3, 0.5), (0, 8.0)],
        [(1, 3.0), (2, 1.0), (0, 2.0), (1, 4.0)],
        [],
    ]


def test_lists_count_what_their_weights_say(model):
    weights = floats(0.5, 2.0)

    assert said(
        model,
        Lists("transitions", ints(0, 3), weights),
        Lists("content", ints(0, 3)),
        Lists("transitions", ints(3), floats(0.25)),
    ) == [[(1, 1.5), (2, 0.5), (1, 8.0)], [(3, 1.0), (0, 1.0)], [(1, 1.0)]]


def test_nothing_is_asked(model):
    assert said(model) == []
    assert said(model, Lists("transitions", ints()), Lists("walks", ints(2))) == [[], [(0, 8.0)]]


def test_what_is_kept_is_not_changed_by_reading(model):
    before = model.scores.copy()
    said(
        model, Lists("transitions", ints(0), floats(9.0)), Lists("walks", ints(1, 2), floats(9, 9))
    )

    assert model.scores.tolist() == before.tolist()


def test_a_table_is_what_it_was_before(model):
    alone = model.table("walks")

    assert dict(zip(*(a.tolist() for a in alone.listed(ints(1, 2))), strict=True)) == {
        3: 0.5,
        0: 8.0,
    }
    assert alone.scores_of(ints(3)).items.tolist() == []


def test_the_tables_that_it_is_made_of_are_given_back():
    tables = {name: table([[(0, 1.0)]]) for name in TABLES}
    model = RelatedItems.of(tables)

    assert tables == {}
    assert (model.indptr.shape, model.items.dtype, model.scores.dtype) == (
        (len(TABLES), 2), np.int32, np.float32,
    )  # fmt: skip


def test_every_table_is_needed():
    with pytest.raises(KeyError, match="walks"):
        RelatedItems.of({name: table([[]]) for name in TABLES if name != "walks"})


ROWS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9).map(float)), max_size=4),
    min_size=N_ITEMS,
    max_size=N_ITEMS,
)


@given(
    rows=st.fixed_dictionaries(dict.fromkeys(TABLES, ROWS)),
    asked=st.lists(
        st.tuples(
            st.sampled_from(TABLES),
            st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.5, 1.0, 2.0])), max_size=5),
            st.booleans(),
        ),
        max_size=6,
    ),
)
def test_reading_at_once_is_reading_one_by_one(rows, asked):
    wanted = [
        [
            (item, score * (weight if weighed else 1.0))
            for row, weight in lists
            for item, score in rows[name][row]
        ]
        for name, lists, weighed in asked
    ]

    assert (
        said(
            related(**rows),
            *(
                Lists(
                    name,
                    ints(*(row for row, _ in lists)),
                    floats(*(weight for _, weight in lists)) if weighed else None,
                )
                for name, lists, weighed in asked
            ),
        )
        == wanted
    )
