"""The ramp's expected curve as a picture: percentage over time, planned steps from where it stands now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from ...models import Phase, RampStep
from ...rules.facts import RolloutFacts
from ...rules.machine import PhaseState
from ...rules.percentages import NOTHING
from ...rules.phrases import say, spoken
from ...rules.prediction import Prediction
from ...rules.ramp import soak_at
from ..presenters.datetimes import day_and_clock
from .axis import Label, ends
from .scale import Scale

WIDTH, HEIGHT, LEFT, BOTTOM = 640.0, 150.0, 48.0, 24.0
Y = Scale(0, 100, HEIGHT - BOTTOM, 10.0)


@dataclass(frozen=True, slots=True)
class RampRow:
    """One step: when it began or is expected to, how long it stands, and whether it begins by itself."""

    percentage: Decimal
    at: datetime
    is_past: bool
    is_planned_time: bool
    soak: timedelta
    auto: bool


@dataclass(frozen=True, slots=True)
class RampPicture:
    """``points`` of the curve in the picture's units, and the same as rows."""

    points: str
    ticks: tuple[Label, ...]
    levels: tuple[tuple[str, int], ...]
    now_x: str
    rows: tuple[RampRow, ...]
    words: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT


def picture(phases: Mapping[str, Phase], facts: RolloutFacts, prediction: Prediction) -> RampPicture | None:
    """The expected curve of the first phase by percentage; None where there is none, or it is over."""
    phase = next((p for p in phases.values() if list(p.steps.all())), None)
    if phase is None or phase.state in (PhaseState.COMPLETED, PhaseState.SKIPPED, PhaseState.ROLLED_BACK):
        return None
    rows = _rows(phase, prediction)
    if not rows:
        return None
    first, last = rows[0].at, rows[-1].at + max(rows[-1].soak, timedelta(minutes=15))
    x = Scale(first, last, LEFT, WIDTH - 10)
    points, level = [f"{x.at(first)},{Y.at(0)}"], NOTHING
    for row in rows:
        before, level = level, row.percentage
        points += [f"{x.at(row.at)},{Y.at(before)}", f"{x.at(row.at)},{Y.at(level)}"]
    points.append(f"{x.at(last)},{Y.at(level)}")
    words = _(", then ").join(f"{spoken(say('{n} %', n=row.percentage))} {day_and_clock(row.at)}" for row in rows)
    return RampPicture(
        points=" ".join(points),
        ticks=ends(x),
        levels=tuple((Y.at(percentage), percentage) for percentage in (0, 50, 100)),
        now_x=x.at(facts.now),
        rows=tuple(rows),
        words=_("Expected: %(steps)s.") % {"steps": words},
    )


def _rows(phase: Phase, prediction: Prediction) -> list[RampRow]:
    """Where the ramp stands, and what is to come."""
    steps = {step.percentage: step for step in phase.steps.all()}
    in_order = sorted(steps.values(), key=lambda step: step.percentage)

    def soak(step: RampStep) -> timedelta:
        return soak_at(in_order, step.percentage, phase.final_soak)

    rows: list[RampRow] = []
    stands = steps.get(phase.percentage or NOTHING)
    if stands and phase.stepped_at:
        rows.append(RampRow(stands.percentage, phase.stepped_at, True, False, soak(stands), stands.auto))
    for each in prediction.coming:
        if each.phase == phase.name and each.percentage in steps:
            step = steps[each.percentage]
            rows.append(RampRow(step.percentage, each.at, False, each.is_planned_time, soak(step), step.auto))
    return rows
