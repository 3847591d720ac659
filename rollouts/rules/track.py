"""The phase track as facts: how each phase looks in the portal's one emblem, wherever it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .expected import Audience, Drift
from .facts import PhaseFacts, RolloutFacts
from .machine import IN_FLIGHT, LIVE, PhaseState
from .percentages import plain_number


class PhaseLook(StrEnum):
    """Done, now, drifting (off), skipped, rolled back, still to come (rest)."""

    DONE = "done"
    NOW = "now"
    OFF = "off"
    SKIP = "skip"
    BACK = "back"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class TrackPhase:
    """One phase of the track: ``share`` of it is filled (0 to 1), ``cuts`` are the percentages of its steps."""

    title: str
    state: str
    step: int | float | None
    look: PhaseLook
    share: float
    is_ramp: bool
    cuts: tuple[int | float, ...] = ()


def track_phases(facts: RolloutFacts, drift: Drift) -> tuple[TrackPhase, ...]:
    """Every phase in order."""
    return tuple(_track_phase(phase, facts, drift) for phase in facts.phases)


def _track_phase(phase: PhaseFacts, facts: RolloutFacts, drift: Drift) -> TrackPhase:
    opening, share, look = phase.opening, _share(phase), PhaseLook.REST
    if phase.state == PhaseState.COMPLETED:
        look = PhaseLook.DONE
    elif phase.state in IN_FLIGHT:
        look = PhaseLook.NOW
        if drift not in (Drift.NONE, Drift.BEHIND) and phase.state in LIVE:
            look, share = PhaseLook.OFF, _read_share(phase, facts, share)
    elif phase.state == PhaseState.SKIPPED:
        look = PhaseLook.SKIP
    elif phase.state == PhaseState.ROLLED_BACK:
        look = PhaseLook.BACK
    shows_steps = opening.ramp is not None and look in (PhaseLook.NOW, PhaseLook.OFF, PhaseLook.REST)
    steps = opening.ramp.steps[:-1] if opening.ramp and shows_steps else ()
    cuts = tuple(plain_number(step.percentage) for step in steps)
    step = plain_number(opening.step) if phase.state in IN_FLIGHT and opening.step is not None else None
    return TrackPhase(phase.title, str(phase.state), step, look, share, opening.ramp is not None, cuts)


def _share(phase: PhaseFacts) -> float:
    if phase.state == PhaseState.COMPLETED:
        return 1.0
    if phase.state not in (PhaseState.ACTIVE, PhaseState.PAUSED):
        return 0.0
    return float(phase.opening.step or 0) / 100 if phase.opening.audience is Audience.PERCENTAGE else 1.0


def _read_share(phase: PhaseFacts, facts: RolloutFacts, expected: float) -> float:
    read = facts.reading.exposure
    if phase.opening.audience is not Audience.PERCENTAGE or read is None:
        return expected
    return float(read.least_reach)
