"""Which column, or which key of nested objects, of one event file holds which field."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from depict_reco.events.names import ENVELOPES, FIELDS, LISTS, field_of, plain
from depict_reco.exceptions import EventImportError

Values = tuple[Any, ...]
"""A raw value, or None, for each of FIELDS, in their order."""

Filters = Mapping[str, Collection[str]]
"""By plain name of a column, the values that it may have; rows with others are left out."""

Path = tuple[str, ...]
Pairs = list[tuple[Path, Any]]

_PRODUCT = frozenset({"product_id", "sku"})
_SHOPPER_OR_TIME = frozenset(
    {"session_id", "user_id", "visitor_id", "transaction_id", "timestamp", "deduplication_id"}
)
_CANCELLING_COLUMNS = frozenset({"invoiceno", "invoice"})
_MAX_DEPTH = 6
_NO_RANK = 1000
_LEVEL = 100


class TableLayout:
    """Where in the rows of a table each field stands."""

    def __init__(self, header: Sequence[str], *, mapping: Mapping[str, str]) -> None:
        _check(mapping)
        self._header = [name.strip() for name in header]
        self._places = {plain(name): place for place, name in reversed([*enumerate(self._header)])}
        self.columns: dict[str, int] = {}
        """The place of each field that the table has."""
        ranks: dict[str, int] = {}
        for place, name in enumerate(self._header):
            found = field_of(name.split("."))
            if found and found[1] < ranks.get(found[0], _NO_RANK):
                self.columns[found[0]], ranks[found[0]] = place, found[1]
        for field, name in mapping.items():
            if name:
                self.columns[field] = self.place(name)
            else:
                self.columns.pop(field, None)
        self._require(_PRODUCT, "the product", "product_id")
        self._require(_SHOPPER_OR_TIME, "who did it, in which order, or when", "session_id")
        transaction = self.columns.get("transaction_id", -1)
        self.marks_cancelled = (
            transaction >= 0 and plain(self._header[transaction]) in _CANCELLING_COLUMNS
        )
        """Whether transaction ids that begin with C are cancelled invoices."""

    def place(self, name: str) -> int:
        """Return the place of a column by its name."""
        place = self._places.get(plain(name))
        if place is None:
            raise EventImportError(f"There is no column {name!r}; there are: {self._listed()}.")
        return place

    def reader(self, filters: Filters) -> Callable[[Sequence[Any]], Sequence[Values | None]]:
        """Return a function from a row to its values, or to None if the filters leave it out."""
        pick = itemgetter(*(self.columns.get(field, -1) for field in FIELDS))
        wanted = [(self.place(name), values) for name, values in filters.items()]

        def read(cells: Sequence[Any]) -> Sequence[Values | None]:
            for place, values in wanted:
                if _shown(cells[place]) not in values:
                    return (None,)
            return (pick((*cells, None)),)

        return read

    def _require(self, fields: frozenset[str], what: str, field: str) -> None:
        if not fields & self.columns.keys():
            raise EventImportError(
                f"No column says {what}. Name it, as in --map {field}=COLUMN; the columns are: "
                f"{self._listed()}."
            )

    def _listed(self) -> str:
        return ", ".join(self._header[:50]) or "none"


class DocumentLayout:
    """Which keys of nested objects hold each field."""

    def __init__(self, *, mapping: Mapping[str, str]) -> None:
        _check(mapping)
        self._mapped: dict[str, list[str]] = {}
        for field, name in mapping.items():
            if name:
                self._mapped.setdefault(plain(name), []).append(field)
        self._taken = set(mapping)
        self._order = {field: place for place, field in enumerate(FIELDS)}
        self._find = lru_cache(maxsize=4096)(self._fields_of)

    def reader(self, filters: Filters) -> Callable[[Mapping[str, Any]], Iterator[Values | None]]:
        """Return a function from an object to the values of each event in it, as for tables."""
        wanted = list(filters.items())

        def read(document: Mapping[str, Any]) -> Iterator[Values | None]:
            for groups in _events(document, (), 0):
                if wanted:
                    shown = {plain("".join(path)): v for pairs in groups for path, v in pairs}
                    if any(_shown(shown.get(name)) not in values for name, values in wanted):
                        yield None
                        continue
                yield self._values(groups)

        return read

    def _values(self, groups: list[Pairs]) -> Values:
        values: list[Any] = [None] * len(FIELDS)
        ranks = [_NO_RANK] * len(FIELDS)
        for level, pairs in enumerate(groups):
            for path, value in pairs:
                for place, rank in self._find(path):
                    # What a line of an order says goes before what the order says.
                    if (rank := rank + level * _LEVEL) < ranks[place]:
                        values[place], ranks[place] = value, rank
        return tuple(values)

    def _fields_of(self, path: tuple[str, ...]) -> list[tuple[int, int]]:
        keys = [plain(key) for key in path]
        while keys:
            if mapped := self._mapped.get("".join(keys)):
                return [(self._order[field], -1) for field in mapped]
            if keys.pop(0) not in LISTS | ENVELOPES:
                break
        found = field_of(path)
        if found is None or found[0] in self._taken:
            return []
        return [(self._order[found[0]], found[1])]


def _events(document: Mapping[str, Any], path: Path, depth: int) -> Iterator[list[Pairs]]:
    """Yield the scalars of each event of an object with their paths: innermost group first."""
    pairs: Pairs = []
    lines: list[tuple[Path, Mapping[str, Any]]] = []
    _collect(document, path, depth, pairs=pairs, lines=lines)
    if not lines:
        yield [pairs]
    for place, line in lines:
        for groups in _events(line, place, depth + 1):
            yield [*groups, pairs]


def _collect(
    document: Mapping[str, Any],
    path: Path,
    depth: int,
    *,
    pairs: Pairs,
    lines: list[tuple[Path, Mapping[str, Any]]],
) -> None:
    """Sort what an object holds into scalars and the lines of orders."""
    for key, value in document.items():
        name, here = plain(key), (*path, key)
        if value is None or value == "" or depth > _MAX_DEPTH:
            continue
        if name in LISTS and isinstance(value, (list, Mapping)):
            # The events of a session stand for themselves, whatever is around them.
            place = () if name == "events" else here
            many = value if isinstance(value, list) else [value]
            lines.extend((place, line) for line in many if isinstance(line, Mapping))
        elif name == "eventparams" and isinstance(value, list):
            _collect(_parameters(value), here, depth + 1, pairs=pairs, lines=lines)
        elif isinstance(value, Mapping):
            _collect(value, here, depth + 1, pairs=pairs, lines=lines)
        elif not isinstance(value, list):
            pairs.append((here, value))


def _parameters(pairs: list[Any]) -> dict[str, Any]:
    """Return GA4's list of keys and typed values as an object."""
    named: dict[str, Any] = {}
    for pair in pairs:
        if isinstance(pair, Mapping) and isinstance(pair.get("value"), Mapping):
            given = [value for value in pair["value"].values() if value is not None]
            named[str(pair.get("key"))] = given[0] if given else None
    return named


def _shown(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check(mapping: Mapping[str, str]) -> None:
    """Refuse a mapping that names fields which events do not have."""
    if unknown := sorted(set(mapping) - set(FIELDS)):
        raise EventImportError(
            f"Events have no field {', '.join(unknown)}; they have {', '.join(FIELDS)}."
        )
