"""How far a training is, and how long it will still take.

A training is a row of phases. What each took in the market's last training, stretched to the
number of events of this one, says what to expect; the first training of a market goes by rough
figures of our own instead. Either is corrected by how long the phases took that are done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from depict_reco.tenants.models import Market
from depict_reco.training.models import TrainingRun

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of the whole training that is done (0 to 1)."""

LEAST_SECONDS_LEFT = 10.0
"""Less is not worth telling."""
_SURE_AFTER = 5.0
"""Seconds after which a training that goes by our own figures says how long it will take."""


class Phase(StrEnum):
    """The phases of a training, in their order."""

    READING_PRODUCTS = "reading products"
    READING_EVENTS = "reading events"
    CONTENT = "content"
    OPTIONS = "options"
    TRIAL = "trial"
    TUNING = "tuning"
    MEASURING = "measuring"
    COMPARING = "comparing"
    FITTING = "fitting"
    WRITING = "writing the artifact"
    PUBLISHING = "publishing"


_OF_PRODUCTS = {Phase.READING_PRODUCTS: 1.5e-5, Phase.CONTENT: 9e-5, Phase.WRITING: 4e-5}
"""Seconds per product that a phase may take; a matter of products, not of events."""
_OF_EVENTS = {Phase.READING_EVENTS: 6e-6, Phase.TRIAL: 8e-6, Phase.FITTING: 9e-6}
"""Seconds per event that a phase may take."""
_OF_ITSELF = {
    Phase.OPTIONS: 15.0, Phase.TUNING: 18.0, Phase.MEASURING: 3.0, Phase.COMPARING: 3.0,
    Phase.TRIAL: 6.0, Phase.FITTING: 6.0,
}  # fmt: skip
"""Seconds that a phase may take whatever the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The seconds that each phase is expected to take."""

    seconds: Mapping[str, float]
    experienced: bool
    """Whether it comes of an earlier training of the market."""


@dataclass(slots=True)
class Pace:
    """Notes what a training is at, tells it with the time left, and measures each phase."""

    progress: Progress = lambda stage, share: None
    expected: Expectation = field(default_factory=lambda: expectation(events=0, products=0))
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds per phase, so far."""
    clock: Callable[[], float] = time.monotonic
    _phase: Phase | None = None
    _since: float = 0.0
    _told: float = 0.0

    def enter(self, phase: Phase) -> None:
        """Begin a phase; the one before is over."""
        self.finish()
        self._phase, self._since = phase, self.clock()
        self.note(0.0)

    def note(self, share: float, *, detail: str = "") -> None:
        """Tell that so much of the phase is done (0 to 1), and what of it is at work."""
        if self._phase is None:
            return
        done, total = self._expected_done(share), sum(self.expected.seconds.values())
        self._told = max(self._told, min(done / total, 1.0) if total else 0.0)
        stage = f"{self._phase}: {detail}" if detail else str(self._phase)
        left = self.seconds_left(share)
        self.progress(stage if left is None else f"{stage}, {in_words(left)} left", self._told)

    def finish(self) -> None:
        """End the phase that is at work."""
        if self._phase is not None:
            spent = self.clock() - self._since
            self.durations[self._phase] = self.durations.get(self._phase, 0.0) + round(spent, 3)
            self._phase = None

    def spent(self) -> float:
        """Return the seconds since the training began."""
        running = self.clock() - self._since if self._phase is not None else 0.0
        return sum(self.durations.values()) + running

    def seconds_left(self, share: float) -> float | None:
        """Return the seconds that the training will still take, or None if nobody can say."""
        done, spent = self._expected_done(share), self.spent()
        left = sum(self.expected.seconds.values()) - done
        if not self.expected.experienced and (spent < _SURE_AFTER or done < 0.05 * left):
            return None
        # the longer it runs, the more its own speed counts against what was expected
        trust = 10.0 if self.expected.experienced else 0.0
        seconds = left * (spent + trust) / max(done + trust, 1e-9)
        return seconds if seconds >= LEAST_SECONDS_LEFT else None

    def _expected_done(self, share: float) -> float:
        seconds, done = self.expected.seconds, 0.0
        for phase in Phase:
            if phase == self._phase:
                return done + seconds.get(phase, 0.0) * min(max(share, 0.0), 1.0)
            done += seconds.get(phase, 0.0)
        return done


def expectation(*, events: int, products: int, last: TrainingRun | None = None) -> Expectation:
    """Return what to expect of a training of so many events and products.

    ``last`` is the run to go by.
    """
    if last is not None and last.durations:
        more = events / last.events if events and last.events else 1.0
        seconds = {
            phase: seconds * (more if phase in _OF_EVENTS else 1.0)
            for phase, seconds in last.durations.items()
        }
    else:
        seconds = {
            phase: _OF_ITSELF.get(phase, 0.0)
            + _OF_EVENTS.get(phase, 0.0) * events
            + _OF_PRODUCTS.get(phase, 0.0) * products
            for phase in Phase
        }
    seconds.pop(Phase.PUBLISHING, None)  # it takes no time, and all else is done when it begins
    return Expectation(seconds=seconds, experienced=bool(last is not None and last.durations))


def last_run(market: Market) -> TrainingRun | None:
    """Return the newest training of a market that came to its end."""
    return TrainingRun.objects.filter(market=market).ended_well().first()


def in_words(seconds: float) -> str:
    """Return a time as one would say it: about 40 s, about 12 min, about 2.5 h."""
    if seconds < 95:
        return f"about {round(seconds, -1):.0f} s"
    if seconds < 5700:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
