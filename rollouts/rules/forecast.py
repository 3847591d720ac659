"""When everybody will have it, by how long finished rollouts of the template took from where this one stands.

A range from the ranks of what was: if rollouts of a template are alike, a new one falls between the l-th and u-th of n
finished ones with probability (u - l) / (n + 1), however their times are spread (order statistics; the «conformal»
range). Of a rollout that stands in its phase for some time already only those count that stood there so long too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Any

from .datetimes import day_in_words
from .phrases import Phrase, say, say_n

#: The range holds the truth so often, at least.
RATE = 0.8
#: Fewer finished rollouts give no range that does.
NEEDED = 9


@dataclass(frozen=True, slots=True)
class Finished:
    """A rollout that all users got: when each phase was its turn (the end of those before it), and when all had it."""

    entered: Mapping[str, datetime] = field(hash=False)
    everybody_at: datetime

    def left(self, phase: str, stood: timedelta) -> timedelta | None:
        """What was still to come when the phase had been its turn for so long; None where it never was."""
        entered = self.entered.get(phase)
        if entered is None or entered + stood > self.everybody_at:
            return None
        return self.everybody_at - entered - stood


@dataclass(frozen=True, slots=True)
class Forecast:
    """All users have it about ``at``, and in ``RATE`` of all cases from ``since`` to ``until``; None where too few
    finished rollouts (``samples``) came this far.
    """

    samples: int
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def words(self) -> Phrase:
        if self.at is None or self.since is None or self.until is None:
            return say_n(
                "When everybody has it can't be predicted yet: {n} finished rollout of the template came by here, "
                "{needed} are needed.",
                "When everybody has it can't be predicted yet: {n} finished rollouts of the template came by here, "
                "{needed} are needed.",
                n=self.samples, needed=NEEDED,
            )  # fmt: skip
        return say(
            "Everybody has it about {at}; between {since} and {until} in {rate} % of all cases, by {n} finished "
            "rollouts of the template.",
            at=day_in_words(self.at.date()),
            since=day_in_words(self.since.date()),
            until=day_in_words(self.until.date()),
            rate=round(RATE * 100),
            n=self.samples,
        )

    def as_json(self) -> dict[str, Any]:
        times = {"at": self.at, "since": self.since, "until": self.until}
        return {
            **{name: at.isoformat() if at else None for name, at in times.items()},
            "rate": RATE,
            "samples": self.samples,
            "words": "".join(self.words),
        }


def forecast(
    finished: Iterable[Finished], phase: str, entered_at: datetime, now: datetime, earliest: datetime | None = None
) -> Forecast:
    """For a rollout whose turn this phase is since ``entered_at``. Nothing is told from before ``earliest``, when the
    guards would let it be.
    """
    stood = max(now - entered_at, timedelta(0))
    left = sorted(each for one in finished if (each := one.left(phase, stood)) is not None)
    bounds = ranks(len(left))
    if bounds is None:
        return Forecast(len(left))
    lowest, highest = bounds
    middle = len(left) // 2
    soonest = max(now, earliest or now)
    usual = (left[middle] + left[-middle - 1]) / 2
    since, at, until = (max(soonest, now + span) for span in (left[lowest - 1], usual, left[highest - 1]))
    return Forecast(len(left), at, since, until)


def ranks(samples: int) -> tuple[int, int] | None:
    """The lowest and highest rank, from 1, that hold the truth in ``RATE`` of all cases; None for too few."""
    lowest = floor((samples + 1) * (1 - RATE) / 2 + 1e-9)
    return (lowest, samples + 1 - lowest) if lowest >= 1 and samples >= NEEDED else None
