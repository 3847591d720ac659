"""The phase track as drawn, the same shape in a row and on the page: done, now, drifting, skipped, still to come."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from ...rules.expected import Drift
from ...rules.facts import RolloutFacts
from ...rules.machine import state_in_words
from ...rules.phrases import joined, say
from ...rules.ramp import Ramp
from ...rules.track import PhaseLook, TrackPhase, track_phases

WIDTH = 500.0
GAP = 5.0
RAMP_WEIGHT = 2.6


@dataclass(frozen=True, slots=True)
class Part:
    """One phase as drawn, in units of the picture."""

    x: float
    width: float
    look: str
    filled: float
    cuts: tuple[float, ...] = ()
    hatches: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """All phases, and the same in words for those who can't see it."""

    parts: tuple[Part, ...]
    words: str
    width: float = field(default=WIDTH)


@dataclass(frozen=True, slots=True)
class StepTick:
    """A percentage under the track's last part; ``x`` is where, as a share of its width."""

    percentage: Decimal
    x: str
    anchor: str
    is_now: bool


#: Percentages nearer to each other than this are not written side by side.
APART = 7


def step_ticks(ramp: Ramp | None, step: Decimal | None) -> tuple[StepTick, ...]:
    """The ramp's steps as far as they can stand side by side; the present one always."""
    if ramp is None:
        return ()
    kept = [step] if step else []
    for each in (ramp.steps[-1], ramp.first, *ramp.steps):
        if all(abs(each.percentage - other) >= APART for other in kept):
            kept.append(each.percentage)
    return tuple(
        StepTick(
            percentage,
            f"{percentage}%",
            "start" if percentage < 4 else "end" if percentage > 94 else "middle",
            percentage == step,
        )
        for percentage in sorted(kept)
    )


def track(facts: RolloutFacts, drift: Drift) -> Track:
    """The rollout's phases side by side."""
    return drawn(track_phases(facts, drift))


@lru_cache(maxsize=4096)
def drawn(phases: tuple[TrackPhase, ...]) -> Track:
    return Track(shapes(phases), joined(map(_words, phases), "; "))


def shapes(phases: tuple[TrackPhase, ...]) -> tuple[Part, ...]:
    """A phase by percentage is wider, its steps are cuts."""
    weights = [RAMP_WEIGHT if phase.is_ramp else 1.0 for phase in phases]
    unit = (WIDTH - GAP * (len(weights) - 1)) / sum(weights)
    parts, x = [], 0.0
    for phase, weight in zip(phases, weights, strict=True):
        width = unit * weight
        cuts = tuple(round(x + width * percentage / 100, 1) for percentage in phase.cuts)
        hatches = _every(x, width, 8.0) if phase.look is PhaseLook.SKIP else ()
        parts.append(Part(round(x, 1), round(width, 1), phase.look, round(width * phase.share, 1), cuts, hatches))
        x += width + GAP
    return tuple(parts)


def _every(x: float, width: float, distance: float) -> tuple[float, ...]:
    return tuple(round(x + distance * n, 1) for n in range(int(width // distance)))


def _words(phase: TrackPhase) -> str:
    state = state_in_words(phase.state)
    if phase.step:
        return say("{phase}: {state}, {step} %", phase=phase.title, state=state, step=phase.step)
    return say("{phase}: {state}", phase=phase.title, state=state)
