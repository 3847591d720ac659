"""The phase track, the same shape in a row and on the page: done, now, drifting, skipped, still to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...rules.expected import Audience, Drift
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.machine import IN_FLIGHT, PhaseState
from ...rules.ramp import Ramp

WIDTH = 500.0
GAP = 5.0
RAMP_WEIGHT = 2.6


@dataclass(frozen=True, slots=True)
class Part:
    """One phase as drawn, in units of the picture; ``look`` is done, now, off, skip, back or rest."""

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

    percentage: int
    x: str
    anchor: str
    is_now: bool


#: Percentages nearer to each other than this are not written side by side.
APART = 7


def step_ticks(ramp: Ramp | None, step: int | None) -> tuple[StepTick, ...]:
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
    """The rollout's phases side by side; a phase by percentage is wider, its steps are cuts."""
    weights = [RAMP_WEIGHT if phase.opening.ramp else 1.0 for phase in facts.phases]
    unit = (WIDTH - GAP * (len(weights) - 1)) / sum(weights)
    parts, x = [], 0.0
    for phase, weight in zip(facts.phases, weights, strict=True):
        parts.append(_part(phase, x, unit * weight, facts, drift))
        x += unit * weight + GAP
    return Track(tuple(parts), "; ".join(_words(phase) for phase in facts.phases))


def _part(phase: PhaseFacts, x: float, width: float, facts: RolloutFacts, drift: Drift) -> Part:
    share = _share(phase)
    look = "rest"
    if phase.state == PhaseState.COMPLETED:
        look = "done"
    elif phase.state in IN_FLIGHT:
        look = "now"
        if drift not in (Drift.NONE, Drift.BEHIND) and phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
            look, share = "off", _read_share(phase, facts, share)
    elif phase.state == PhaseState.SKIPPED:
        look = "skip"
    elif phase.state == PhaseState.ROLLED_BACK:
        look = "back"
    steps = phase.opening.ramp.steps[:-1] if phase.opening.ramp and look in ("now", "off", "rest") else ()
    cuts = tuple(round(x + width * step.percentage / 100, 1) for step in steps)
    hatches = _every(x, width, 8.0) if look == "skip" else ()
    return Part(round(x, 1), round(width, 1), look, round(width * share, 1), cuts, hatches)


def _share(phase: PhaseFacts) -> float:
    if phase.state == PhaseState.COMPLETED:
        return 1.0
    if phase.state not in (PhaseState.ACTIVE, PhaseState.PAUSED):
        return 0.0
    return (phase.opening.step or 0) / 100 if phase.opening.audience is Audience.PERCENTAGE else 1.0


def _read_share(phase: PhaseFacts, facts: RolloutFacts, expected: float) -> float:
    read = facts.reading.exposure
    if phase.opening.audience is not Audience.PERCENTAGE or read is None:
        return expected
    return read.least_reach


def _every(x: float, width: float, distance: float) -> tuple[float, ...]:
    return tuple(round(x + distance * n, 1) for n in range(int(width // distance)))


def _words(phase: PhaseFacts) -> str:
    at = f", {phase.opening.step} %" if phase.opening.step and phase.state in IN_FLIGHT else ""
    return f"{phase.title}: {str(phase.state).replace('_', ' ')}{at}"


def where(phases: Iterable[PhaseFacts]) -> PhaseFacts | None:
    """The phase that the rollout stands in: the first that is neither completed nor skipped."""
    return next((p for p in phases if p.state not in (PhaseState.COMPLETED, PhaseState.SKIPPED)), None)
