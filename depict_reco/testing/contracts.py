"""What a model that scores items must do whatever its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depict_reco.engine.interactions import Groups
from depict_reco.engine.sparse import Ints, Scored

Arrays = Mapping[str, NDArray[Any]]


def groups_of(rows: Sequence[Sequence[int]], *, n_items: int) -> Groups:
    """Return sequences of items as groups, one second apart.

    Parameters
    ----------
    rows
        The items of each group, oldest first; the oldest group first.
    n_items
        Items that exist, 0 … n_items - 1, whether they occur or not.
    """
    lengths = [len(row) for row in rows]
    return Groups(
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        items=np.array([item for row in rows for item in row], dtype=np.int32),
        times=np.arange(len(rows), dtype=np.float64),
        n_items=n_items,
    )


def checkerboard(n_items: int) -> Groups:
    """Return groups in which even items meet even ones only, and odd items odd ones.

    Every two items of a colour stand beside each other in both orders.
    """
    rows = []
    for colour in (0, 1):
        items = list(range(colour, n_items, 2))
        rows += [[left, right] for left in items for right in items if left != right]
    return groups_of(rows, n_items=n_items)


class ScorerContract:
    """Tests to inherit from: give it ``fit`` and ``score``, in a class that begins with Test."""

    def fit(self, groups: Groups) -> Any:
        """Return a model fitted on groups; it may keep at least 20 related items per item."""
        raise NotImplementedError

    def score(self, model: Any, query: Ints) -> Scored:
        """Return what the model says to known items (int32, shape (q,)), oldest first."""
        raise NotImplementedError

    def arrays(self, model: Any) -> Arrays:
        """Return all arrays of a model by name; those of its (nested) dataclass fields."""
        found: dict[str, NDArray[Any]] = {}
        _collect(model, "", found)
        return found

    def with_arrays(self, model: Any, arrays: Arrays) -> Any:
        """Return the model that consists of these arrays instead of its own."""
        return _replaced(model, "", arrays)

    def test_checkerboard(self) -> None:
        """Items of the same colour are related, and nothing else."""
        model = self.fit(checkerboard(12))
        for item in range(12):
            scored = _sound(self.score(model, _query(item)), 12)
            assert _related(scored) - {item} == set(range(item % 2, 12, 2)) - {item}

    def test_two_colours_in_the_query(self) -> None:
        """Each item of a query speaks for its own colour."""
        scored = self.score(self.fit(checkerboard(8)), _query(2, 5))
        assert _related(scored) - {2, 5} == {0, 4, 6, 1, 3, 7}

    def test_fit_is_deterministic(self) -> None:
        """Equal input gives equal arrays, to the last bit."""
        groups = _random_groups(7)
        first, second = self.arrays(self.fit(groups)), self.arrays(self.fit(groups))
        assert first.keys() == second.keys()
        assert first, "a fitted model holds arrays"
        for name, array in first.items():
            assert array.dtype == second[name].dtype, name
            np.testing.assert_array_equal(array, second[name], err_msg=name)

    def test_score_is_deterministic(self) -> None:
        """The same question gets the same answer, whatever was asked between."""
        model = self.fit(_random_groups(3))
        first = self.score(model, _query(1, 2))
        self.score(model, _query(9))
        _assert_equal(self.score(model, _query(1, 2)), first)

    def test_no_groups(self) -> None:
        """A shop without any history has nothing to say."""
        _assert_empty(self.score(self.fit(groups_of([], n_items=5)), _query(3)))

    def test_no_items(self) -> None:
        """A shop without products can be fitted, too."""
        _assert_empty(self.score(self.fit(groups_of([], n_items=0)), _query()))

    def test_one_product(self) -> None:
        """A shop's only product is related to nothing."""
        model = self.fit(groups_of([[0], [0]], n_items=1))
        assert set(_sound(self.score(model, _query(0)), 1).items.tolist()) <= {0}

    def test_empty_query(self) -> None:
        """Who asks nothing gets nothing."""
        _assert_empty(self.score(self.fit(checkerboard(6)), _query()))

    def test_item_without_history(self) -> None:
        """Nothing is known of an item that never occurred, and it disturbs no other."""
        model = self.fit(groups_of([[0, 1], [1, 0]], n_items=4))
        _assert_empty(self.score(model, _query(3)))
        assert 1 in _related(self.score(model, _query(3, 0)))

    def test_item_repeated_in_the_query(self) -> None:
        """Repetition is no error."""
        _sound(self.score(self.fit(checkerboard(6)), _query(2, 2, 4, 2)), 6)

    def test_ids_at_the_limits(self) -> None:
        """Ids beside the limits of 16 bits and the greatest id of all are ids like others."""
        n_items = (1 << 16) + 2
        for left, right in (((1 << 15) - 1, 1 << 15), ((1 << 16) - 1, 1 << 16), (0, n_items - 1)):
            model = self.fit(groups_of([[left, right], [right, left]], n_items=n_items))
            for item, other in ((left, right), (right, left)):
                scored = _sound(self.score(model, _query(item)), n_items)
                assert _related(scored) - {item} == {other}

    def test_scores_are_sound(self) -> None:
        """int32 items, each once; float32 scores, finite, and no negative zero among them."""
        for seed in range(10):
            groups = _random_groups(seed)
            model = self.fit(groups)
            for row in range(len(groups)):
                _sound(self.score(model, groups.row(row)), groups.n_items)

    def test_nothing_is_changed(self) -> None:
        """Neither a fit nor an answer writes into what it was given."""
        groups, query = _random_groups(5), _query(4, 1, 4)
        items, indptr, times = groups.items.copy(), groups.indptr.copy(), groups.times.copy()
        model = self.fit(groups)
        arrays = {name: array.copy() for name, array in self.arrays(model).items()}
        self.score(model, query)
        for before, after in ((items, groups.items), (indptr, groups.indptr)):
            np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(times, groups.times)
        np.testing.assert_array_equal(query, [4, 1, 4])
        for name, array in self.arrays(model).items():
            np.testing.assert_array_equal(array, arrays[name], err_msg=name)

    def test_saved_and_mapped(self, tmp_path: Path) -> None:
        """A model read from files, in memory or mapped, answers as the one that was saved."""
        groups = _random_groups(11)
        model = self.fit(groups)
        names = list(self.arrays(model))
        for number, array in enumerate(self.arrays(model).values()):
            np.save(tmp_path / f"{number}.npy", array, allow_pickle=False)
        mode: Any
        for mode in (None, "r"):
            arrays = {
                name: np.load(tmp_path / f"{number}.npy", mmap_mode=mode, allow_pickle=False)
                for number, name in enumerate(names)
            }
            copy = self.with_arrays(model, arrays)
            for row in range(len(groups)):
                query = groups.row(row)
                _assert_equal(self.score(copy, query), self.score(model, query))


def _query(*items: int) -> NDArray[np.int32]:
    return np.array(items, dtype=np.int32)


def _related(scored: Scored) -> set[int]:
    """Return the items that an answer speaks for."""
    return set(scored.items[scored.scores > 0].tolist())


def _random_groups(seed: int) -> Groups:
    random = np.random.default_rng(seed)
    rows = [random.integers(0, 15, size=random.integers(1, 9)).tolist() for _ in range(40)]
    return groups_of(rows, n_items=16)


def _sound(scored: Scored, n_items: int) -> Scored:
    assert scored.items.dtype == np.int32
    assert scored.scores.dtype == np.float32
    assert scored.items.shape == scored.scores.shape == (len(scored.items),)
    assert len(np.unique(scored.items)) == len(scored.items), "items are distinct"
    assert ((scored.items >= 0) & (scored.items < n_items)).all(), "items exist"
    assert np.isfinite(scored.scores).all(), "scores are finite"
    assert not np.signbit(scored.scores[scored.scores == 0]).any(), "zero is positive"
    return scored


def _assert_empty(scored: Scored) -> None:
    _sound(scored, 0)
    assert len(scored.items) == 0


def _assert_equal(scored: Scored, expected: Scored) -> None:
    np.testing.assert_array_equal(scored.items, expected.items)
    np.testing.assert_array_equal(scored.scores, expected.scores)


def _collect(part: Any, prefix: str, found: dict[str, NDArray[Any]]) -> None:
    for name in (entry.name for entry in fields(part)):
        value = getattr(part, name)
        if isinstance(value, np.ndarray):
            found[prefix + name] = value
        elif is_dataclass(value):
            _collect(value, f"{prefix}{name}.", found)


def _replaced(part: Any, prefix: str, arrays: Arrays) -> Any:
    changes: dict[str, Any] = {}
    for name in (entry.name for entry in fields(part)):
        value = getattr(part, name)
        if isinstance(value, np.ndarray):
            changes[name] = arrays[prefix + name]
        elif is_dataclass(value):
            changes[name] = _replaced(value, f"{prefix}{name}.", arrays)
    return replace(part, **changes)
