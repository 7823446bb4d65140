"""What was made once and may be wanted again, some of which is forgotten when it becomes much."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Self, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values by key; what was asked for since about the last ``capacity`` came in is there.

    Up to twice as many are there at a time; with a capacity of 0 none.
    Threads may use it at once: at worst a value is made twice.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}
        self._size = 0

    def get(self, key: Key) -> Value | None:
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Key, value: Value) -> None:
        if self._capacity < 1:
            return
        self._young[key] = value
        self._size += self.size_of(value)
        if self._size > self._capacity:
            self._old, self._young, self._size = self._young, {}, 0

    def size_of(self, value: Value) -> int:
        """Return what a value takes of the capacity; here each counts as one."""
        return 1

    def without(self, concerned: Callable[[Key], bool]) -> Self:
        """Return the values of all keys but some."""
        rest = type(self)(self._capacity)
        # copies first: other threads go on putting into the old ones
        for key, value in {**self._old.copy(), **self._young.copy()}.items():
            if not concerned(key):
                rest.put(key, value)
        return rest
