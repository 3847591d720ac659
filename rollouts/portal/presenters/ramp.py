"""The ramp's expected curve as a picture: percentage over time, planned steps from where it stands now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import localtime

from ...models import Phase
from ...rules.facts import RolloutFacts
from ...rules.machine import PhaseState

WIDTH, HEIGHT, LEFT, BOTTOM = 640.0, 150.0, 40.0, 24.0


@dataclass(frozen=True, slots=True)
class RampRow:
    """One step: when it began or is expected to, how long it stands, and whether it begins by itself."""

    percentage: int
    at: datetime
    is_past: bool
    is_planned_time: bool
    soak: timedelta
    auto: bool


@dataclass(frozen=True, slots=True)
class RampPicture:
    """``points`` of the curve in the picture's units, ticks as (x, words), and the same as rows."""

    points: str
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, int], ...]
    now_x: float
    rows: tuple[RampRow, ...]
    words: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT


def picture(phases: Mapping[str, Phase], facts: RolloutFacts) -> RampPicture | None:
    """The expected curve of the first phase by percentage; None where there is none, or it is over."""
    phase = next((p for p in phases.values() if list(p.steps.all())), None)
    if phase is None or phase.state in (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK):
        return None
    rows = _rows(phase, facts.now)
    first, last = rows[0].at, rows[-1].at + max(rows[-1].soak, timedelta(minutes=15))
    span = max((last - first).total_seconds(), 1.0)

    def x(moment: datetime) -> float:
        share = (moment - first).total_seconds() / span
        return round(LEFT + share * (WIDTH - LEFT - 10), 1)

    def y(percentage: int) -> float:
        return round(10 + (1 - percentage / 100) * (HEIGHT - BOTTOM - 10), 1)

    points, level = [f"{x(first)},{y(0)}"], 0
    for row in rows:
        points += [f"{x(row.at)},{y(level)}", f"{x(row.at)},{y(row.percentage)}"]
        level = row.percentage
    points.append(f"{x(last)},{y(level)}")
    words = ", then ".join(f"{row.percentage} % {localtime(row.at):%-d %b %H:%M}" for row in rows)
    return RampPicture(
        points=" ".join(points),
        ticks=((x(first), f"{localtime(first):%-d %b %H:%M}"), (x(last), f"{localtime(last):%-d %b %H:%M}")),
        levels=tuple((y(percentage), percentage) for percentage in (0, 50, 100)),
        now_x=min(max(x(facts.now), LEFT), WIDTH - 10),
        rows=tuple(rows),
        words=f"Expected: {words}.",
    )


def _rows(phase: Phase, now: datetime) -> list[RampRow]:
    """From where the ramp stands: each step after the soak of the one before, and not before its planned time."""
    rows: list[RampRow] = []
    stands_at = phase.percentage or 0
    earliest = now
    for step in phase.steps.all():
        is_past = step.percentage < stands_at
        if is_past:
            continue
        if step.percentage == stands_at and phase.stepped_at:
            at, earliest = phase.stepped_at, max(now, (phase.confirmed_at or now) + step.soak)
            rows.append(RampRow(step.percentage, at, True, False, step.soak, step.auto))
            continue
        at = max(earliest, step.planned_at) if step.planned_at else earliest
        is_planned = step.planned_at is not None and at == step.planned_at
        rows.append(RampRow(step.percentage, at, False, is_planned, step.soak, step.auto))
        earliest = at + step.soak
    return rows
