"""What is wrong with what arrives, and what to do about it, in words."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format

EXAMPLES = 5


class Level(enum.IntEnum):
    """How much a finding matters; the worst come first."""

    GOOD = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def css(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that somebody should know or mend."""

    code: str
    level: Level
    title: str
    """What is the case, with its number."""
    advice: str
    """The likely cause, and what to do."""
    examples: Sequence[str] = ()
    url: str = ""
    """Of a page of the admin where one can look closer."""


def examples(names: Any) -> tuple[str, ...]:
    """Return the first few different names."""
    return tuple(list(dict.fromkeys(name for name in names if name))[:EXAMPLES])


def number(value: int) -> str:
    return str(number_format(value, use_l10n=True, force_grouping=True))


def by_share(part: int, whole: int) -> Level:
    """Return how much it matters that a part of a whole is amiss; some always is."""
    if part * 5 >= whole:
        return Level.ERROR
    return Level.WARNING if part * 50 >= whole else Level.NOTE
