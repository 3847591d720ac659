"""When steps to come may begin at the earliest: after each soak, not before a planned time, outside change locks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from .expected import Audience
from .locks import Window, merged_end
from .machine import LIVE, SETTLED, PhaseState
from .percentages import share_of


@dataclass(frozen=True, slots=True)
class AheadStep:
    """A step of a ramp as planned."""

    percentage: Decimal
    soak: timedelta
    planned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """A phase as far as it decides what comes when; ``stands_at`` is its step now, if it is live and has steps."""

    name: str
    state: str
    audience: Audience
    final_soak: timedelta
    confirmed_at: datetime | None = None
    stands_at: Decimal | None = None
    steps: tuple[AheadStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """A start or step to come; ``reach`` is None for named people and groups, whose number is not known."""

    phase: str
    at: datetime
    percentage: Decimal | None
    reach: Decimal | None
    is_planned_time: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """What comes when at the earliest, and when the last phase may be complete. Empty where nothing goes on."""

    coming: tuple[Coming, ...] = ()
    complete_at: datetime | None = None

    def of_step(self, percentage: Decimal) -> Coming | None:
        return next((each for each in self.coming if each.percentage == percentage), None)


NOTHING = Prediction()


def predict(phases: Sequence[Ahead], now: datetime, locks: Iterable[Window] = ()) -> Prediction:
    """Everything that is still to come, if nobody waits and GitLab follows at once.

    Nothing is predicted past a phase that was rolled back: somebody must decide first.
    """
    windows, coming, at = list(locks), [], now
    open_phases = [phase for phase in phases if phase.state not in SETTLED]
    if not open_phases or any(phase.state == PhaseState.ROLLED_BACK for phase in open_phases):
        return NOTHING
    for phase in open_phases:
        is_live = phase.state in LIVE
        stands = (phase.confirmed_at or now) if is_live else None
        for step in phase.steps:
            if is_live and phase.stands_at is not None and step.percentage <= phase.stands_at:
                at = max(now, (stands or now) + step.soak) if step.percentage == phase.stands_at else at
                continue
            begins, is_planned = _begin(at, step.planned_at, windows)
            coming.append(Coming(phase.name, begins, step.percentage, share_of(step.percentage), is_planned))
            stands, at = begins, begins + step.soak
        if not phase.steps and not is_live:
            stands, _ = _begin(at, None, windows)
            reach = Decimal(1) if phase.audience is Audience.ALL_AT_ONCE else None
            coming.append(Coming(phase.name, stands, None, reach))
        at = max(now, at, (stands or now) + phase.final_soak)
    return Prediction(tuple(coming), at)


def _begin(at: datetime, planned_at: datetime | None, locks: list[Window]) -> tuple[datetime, bool]:
    """The first moment from ``at`` that is not before its planned time and in no lock; whether that is the planned."""
    begins = max(at, planned_at) if planned_at else at
    while (end := merged_end(locks, begins)) is not None:
        begins = end
    return begins, begins == planned_at
