"""How much memory a training needs, how much there is, and a refusal where that does not fit.

The need was measured (``make bench-training``, docs/training.md): the greatest memory of a whole
training, less that of a process which has only loaded Django, over several sizes of shop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isqrt
from pathlib import Path

from depict_reco.conf import settings
from depict_reco.engine.linear import LEAST_GROUPS, MAX_ITEMS, RARE_ITEMS
from depict_reco.exceptions import TrainingMemoryError
from depict_reco.tenants.models import Market

MB = 1 << 20

FIXED_MB = 110
"""Working space."""
BYTES_PER_EVENT = 170
BYTES_PER_PRODUCT = 1_500
MOST_RELATED_BYTES = 9_500
RELATED_BYTES_PER_EVENT = 350
"""Of the related products that each product has, which are as many as the events tell of."""
BYTES_PER_PAIR = 4
"""Of products in the linear model."""
FEWEST_LINEAR_ITEMS = 3_000
"""The linear model shrinks to so many products before a training is refused."""

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def needed_mb(*, events: int, products: int, linear_items: int = MAX_ITEMS) -> int:
    """Return the megabytes that a training takes at its greatest, beside the process itself.

    ``linear_items`` is the most that the linear model may take of the products.
    """
    return FIXED_MB + (events * BYTES_PER_EVENT + _bytes_of(products, events, linear_items)) // MB


def _bytes_of(products: int, events: int, linear_items: int) -> int:
    """Return the bytes that products need, of which only so many can be active."""
    linear = min(products, linear_items, max(min(events, RARE_ITEMS), events // LEAST_GROUPS))
    related = min(products * MOST_RELATED_BYTES, events * RELATED_BYTES_PER_EVENT)
    return products * BYTES_PER_PRODUCT + related + linear**2 * BYTES_PER_PAIR


def available_mb() -> int | None:
    """Return the megabytes that this process may still take; None where nothing says.

    The setting TRAINING_MEMORY_MB, else the least of what the machine has left and what every
    control group (of version 2 or 1) around this process leaves it.
    """
    if settings.TRAINING_MEMORY_MB:
        return int(settings.TRAINING_MEMORY_MB)
    found = [*_of_machine(), *_of_groups()]
    return min(found) // MB if found else None


def affordable_linear_items(market: Market, *, events: int, products: int, days: float) -> int:
    """Return how many products the linear model may take in a training of so many events.

    ``days`` is what the events span. Raises TrainingMemoryError, with what is needed, what there
    is and what to do, where a training does not fit with even FEWEST_LINEAR_ITEMS of them.
    """
    needed = needed_mb(events=events, products=products, linear_items=FEWEST_LINEAR_ITEMS)
    available = available_mb()
    if available is None:
        return MAX_ITEMS
    if needed <= available:
        others = needed_mb(events=events, products=products, linear_items=0)
        return min(isqrt((available - others) * MB // BYTES_PER_PAIR), MAX_ITEMS)
    fitting = (available - FIXED_MB) * MB - _bytes_of(products, events, FEWEST_LINEAR_ITEMS)
    longest = int(days * fitting / (events * BYTES_PER_EVENT)) if events else 0
    advice = (
        f"Set TRAINING_WINDOW_DAYS to {longest} or less (now {settings.TRAINING_WINDOW_DAYS}; the "
        f"events span {days:.0f} days), or give it more memory."
        if longest >= 1
        else "Give it more memory: the products alone need so much."
    )
    raise TrainingMemoryError(
        f"The training of {market} needs about {needed:,} MB for {events:,} events and "
        f"{products:,} products, and {available:,} MB are available. {advice} If the figure of "
        "what is available is wrong, set TRAINING_MEMORY_MB."
    )


def _of_machine() -> Iterator[int]:
    text = _read(PROC / "meminfo")
    if found := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
        yield int(found.group(1)) * 1024


def _of_groups() -> Iterator[int]:
    """Yield what each control group around this process has left."""
    for line in _read(PROC / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, usage = CGROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit, usage = (
                CGROUPS / "memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        else:
            continue
        # inside a container the path may be that of the host: then only the root is there
        group = root / path.strip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            allowed, used = _number(folder / limit), _number(folder / usage)
            if allowed is not None and used is not None:
                yield max(0, allowed - used + _cache(folder / "memory.stat"))


def _cache(stat: Path) -> int:
    """Return the bytes of a group that hold copies of files, and are given up when needed."""
    sizes = dict(line.split() for line in _read(stat).splitlines())
    # version 1 tells what lies in the groups below in a line of its own
    return int(sizes.get("total_inactive_file", sizes.get("inactive_file", 0)))


def _number(file: Path) -> int | None:
    text = _read(file).strip()
    return int(text) if text.isdigit() else None  # "max" is no limit


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
