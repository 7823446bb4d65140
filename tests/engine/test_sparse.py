from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from depict_reco.engine.sparse import (
    EMPTY,
    Scored,
    best,
    blend,
    ragged_positions,
    sum_by_item,
    top_per_row,
    without,
)


def ints(*values):
    return np.array(values, dtype=np.int32)


def floats(*values):
    return np.array(values, dtype=np.float32)


def scored(pairs):
    """Return {item: score} as Scored."""
    return Scored(ints(*pairs), floats(*pairs.values()))


def as_dict(found):
    return dict(zip(found.items.tolist(), found.scores.tolist(), strict=True))


def test_ragged_positions_follow_the_rows_asked_for():
    indptr = np.array([0, 2, 2, 5])
    positions, lengths = ragged_positions(indptr, ints(2, 0, 1, 2))
    assert positions.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert lengths.tolist() == [3, 2, 0, 3]


@pytest.mark.parametrize("rows", [[], [1], [1, 1]])
def test_ragged_positions_of_nothing(rows):
    positions, lengths = ragged_positions(np.array([0, 2, 2, 5]), ints(*rows))
    assert positions.tolist() == []
    assert lengths.tolist() == [0] * len(rows)


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    picks=st.lists(st.integers(0, 7), max_size=8),
)
def test_ragged_positions_equal_ranges(lengths, picks):
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    rows = [pick % len(lengths) for pick in picks]
    positions, _ = ragged_positions(indptr, ints(*rows))
    expected = [at for row in rows for at in range(indptr[row], indptr[row + 1])]
    assert positions.tolist() == expected


def test_sum_by_item_adds_what_repeats():
    found = sum_by_item(ints(3, 1, 3), floats(1.0, 2.0, 0.5))
    assert as_dict(found) == {1: 2.0, 3: 1.5}
    assert found.items.dtype == np.int32
    assert found.scores.dtype == np.float32


def test_sum_by_item_keeps_an_item_whose_scores_are_zero():
    assert as_dict(sum_by_item(ints(2), floats(0.0))) == {2: 0.0}


def test_sum_by_item_of_nothing():
    assert sum_by_item(ints(), floats()) is EMPTY


# Scores in quarters add up exactly, so that the order of adding cannot matter.
pairs = st.lists(
    st.tuples(st.integers(0, 20), st.integers(-8, 8).map(lambda n: n / 4)), min_size=1, max_size=30
)


@given(pairs)
def test_sum_by_item_is_the_same_for_few_and_for_many_items(rows):
    """One far item needs many more slots."""
    items, scores = [item for item, _ in rows], [score for _, score in rows]
    dense = sum_by_item(ints(*items), floats(*scores))
    far = 1_000_000
    thin = sum_by_item(ints(*items, far), floats(*scores, 1.0))
    assert as_dict(dense) | {far: 1.0} == as_dict(thin)
    expected = {}
    for item, score in rows:
        expected[item] = expected.get(item, 0.0) + score
    assert as_dict(dense) == expected
    assert sorted(dense.items.tolist()) == sorted(expected)
    assert thin.scores.dtype == dense.scores.dtype == np.float32


def test_blend_adds_parts():
    found = blend([scored({1: 1.0, 2: 0.5}), EMPTY, scored({2: 0.25, 7: 2.0})])
    assert as_dict(found) == {1: 1.0, 2: 0.75, 7: 2.0}


def test_blend_of_one_part_is_that_part():
    part = scored({4: 1.0})
    assert blend([EMPTY, part]) is part
    assert blend([EMPTY, EMPTY]) is EMPTY
    assert blend([]) is EMPTY


def test_without_leaves_items_out():
    assert as_dict(without(scored({1: 1.0, 2: 2.0, 3: 3.0}), ints(2, 9))) == {1: 1.0, 3: 3.0}


def test_evidence_is_the_root_of_the_share_of_the_best():
    assert as_dict(scored({1: 4.0, 2: 1.0}).evidence()) == {1: 1.0, 2: 0.5}
    assert as_dict(scored({1: 16.0, 2: 4.0, 3: 0.0}).evidence(3.0)) == {1: 3.0, 2: 1.5, 3: 0.0}
    assert scored({1: 4.0}).evidence(0.5).scores.dtype == np.float32


def test_evidence_against_an_item_keeps_its_sign():
    assert as_dict(scored({1: 4.0, 2: -1.0}).evidence(2.0)) == {1: 2.0, 2: -1.0}


def test_scores_that_speak_for_nothing_are_no_evidence():
    assert scored({1: 0.0, 2: 0.0}).evidence() is EMPTY
    assert scored({1: -1.0}).evidence() is EMPTY
    assert EMPTY.evidence(2.0) is EMPTY


def test_best_stand_first_and_equal_ones_in_the_order_of_items():
    found = best(scored({9: 1.0, 4: 2.0, 7: 1.0, 2: 1.0, 5: 3.0}), 4)
    assert found.items.tolist() == [5, 4, 2, 7]
    assert found.scores.tolist() == [3.0, 2.0, 1.0, 1.0]


def test_best_of_fewer_than_asked():
    assert best(scored({3: 1.0, 1: 2.0}), 5).items.tolist() == [1, 3]
    assert best(EMPTY, 5).items.tolist() == []


@given(
    pairs=st.dictionaries(st.integers(0, 50), st.integers(0, 4), max_size=30),
    count=st.integers(1, 12),
)
def test_best_equals_sorting(pairs, count):
    found = best(scored(pairs), count)
    expected = sorted(pairs, key=lambda item: (-pairs[item], item))[:count]
    assert found.items.tolist() == expected
    assert found.scores.tolist() == [pairs[item] for item in expected]


def test_top_per_row_by_hand():
    matrix = sparse.csr_matrix(floats(1, 3, 0, 2).reshape(1, 4))
    top = top_per_row(matrix, 2)
    assert top.indices.tolist() == [1, 3]
    assert top.data.tolist() == [3.0, 2.0]


@given(
    data=st.data(), count=st.integers(1, 6), shape=st.tuples(st.integers(0, 5), st.integers(1, 9))
)
def test_top_per_row_equals_sorting(data, count, shape):
    rows = data.draw(
        st.lists(
            st.dictionaries(st.integers(0, shape[1] - 1), st.integers(-2, 3).filter(bool)),
            min_size=shape[0],
            max_size=shape[0],
        )
    )
    columns = [list(data.draw(st.permutations(sorted(row)))) for row in rows]
    matrix = sparse.csr_matrix(
        (
            floats(*[row[c] for row, line in zip(rows, columns, strict=True) for c in line]),
            ints(*[c for line in columns for c in line]),
            np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int32),
        ),
        shape=shape,
    )
    top = top_per_row(matrix, count)
    assert top.shape == shape
    assert top.dtype == matrix.dtype
    for number, row in enumerate(rows):
        expected = sorted(row, key=lambda column: (-row[column], column))[:count]
        start, end = top.indptr[number], top.indptr[number + 1]
        assert top.indices[start:end].tolist() == expected
        assert top.data[start:end].tolist() == [row[column] for column in expected]
