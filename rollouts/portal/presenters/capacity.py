"""Can the provider carry it? Requests a minute per step against the quota, with what others ask of the same quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ...rules.capacity import percent_of
from ...rules.facts import RolloutFacts
from ...rules.machine import PhaseState
from ...rules.percentages import share_of
from ...rules.phrases import say
from ...rules.prediction import Prediction
from ...services.shared_quota import Sharer


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """``share`` is of the quota, in percent, others included; ``ask_by`` is when the step comes at the earliest."""

    name: str
    needed: int
    together: int
    share: int | None
    is_short: bool
    is_now: bool
    ask_by: datetime | None


@dataclass(frozen=True, slots=True)
class CapacityTable:
    """``others`` are those whose needs are counted, ``untold`` those whose plans say none."""

    rows: tuple[CapacityRow, ...]
    others: tuple[Sharer, ...]
    untold: tuple[Sharer, ...]
    quota: int | None


def table(facts: RolloutFacts, sharers: tuple[Sharer, ...], prediction: Prediction) -> CapacityTable:
    """A row for each step of the ramp; none where the plan does not say how many requests to expect."""
    counted = tuple(each for each in sharers if each.needed is not None)
    untold = tuple(each for each in sharers if each.needed is None)
    by_others = sum(each.needed or 0 for each in counted)
    quota = facts.capacity.quota
    phase = next((phase for phase in facts.phases if phase.opening.ramp), None)
    rows = []
    for step in phase.opening.ramp.steps if phase and phase.opening.ramp else ():
        needed = facts.capacity.needed(share_of(step.percentage))
        if needed is None or phase is None:
            break
        together = needed + by_others
        coming = prediction.of_step(step.percentage)
        is_short = quota is not None and together > quota
        rows.append(
            CapacityRow(
                name=say("{n} %", n=step.percentage),
                needed=needed,
                together=together,
                share=percent_of(together, quota) if quota else None,
                is_short=is_short,
                is_now=phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED) and step.percentage == phase.opening.step,
                ask_by=coming.at if is_short and coming else None,
            )
        )
    return CapacityTable(tuple(rows), counted, untold, quota)
