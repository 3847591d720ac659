"""Can the provider carry it? Requests a minute per step against the quota, with what others ask of the same quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from ...rules.capacity import percent_of
from ...rules.facts import RolloutFacts
from ...rules.machine import PhaseState
from ...rules.percentages import FULL, share_of
from ...rules.phrases import say
from ...rules.prediction import Prediction
from ...services.shared_quota import Sharer, loads_of
from ..charts.scale import percent


@dataclass(frozen=True, slots=True)
class Stack:
    """What a step asks as parts of one bar, in per cent of its width: the others', its own, the margin; ``quota`` is
    where the quota stands.
    """

    others: str
    own: str
    own_x: str
    margin: str
    margin_x: str
    quota: str
    words: str


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """``share`` is of the quota, in percent, others included; ``ask_by`` is by when a larger one is to be asked for."""

    name: str
    needed: int
    together: int
    share: int | None
    is_short: bool
    is_now: bool
    ask_by: datetime | None
    is_late: bool
    stack: Stack | None = None


@dataclass(frozen=True, slots=True)
class CapacityTable:
    """``others`` are those whose needs are counted, ``untold`` those whose plans say none."""

    rows: tuple[CapacityRow, ...]
    others: tuple[Sharer, ...]
    untold: tuple[Sharer, ...]
    quota: int | None
    lead_time: timedelta | None = None


def _stack(own: int, others: int, total: int, quota: int | None, most: int) -> Stack | None:
    """All steps on one scale, whose end is ``most``: the larger of the quota and what the last step asks."""
    if not quota or not most:
        return None
    parts = [min(100.0, 100 * part / most) for part in (others, own, max(total - own - others, 0), quota)]
    words = _("%(own)s of its own, %(others)s of others, %(total)s with the margin, of a quota of %(quota)s") % {
        "own": own, "others": others, "total": total, "quota": quota,
    }  # fmt: skip
    return Stack(
        others=percent(parts[0]), own=percent(parts[1]), own_x=percent(parts[0]), margin=percent(parts[2]),
        margin_x=percent(parts[0] + parts[1]), quota=percent(parts[3]), words=words,
    )  # fmt: skip


def table(facts: RolloutFacts, sharers: tuple[Sharer, ...], prediction: Prediction) -> CapacityTable:
    """A row for each step of the ramp; none where the plan does not say how many requests to expect."""
    counted = tuple(each for each in sharers if each.needed is not None)
    untold = tuple(each for each in sharers if each.needed is None)
    by_others = sum(each.needed or 0 for each in counted)
    quota = facts.capacity.quota
    phase = next((phase for phase in facts.phases if phase.opening.ramp), None)
    most = max(facts.capacity.total(share_of(FULL)) or 0, quota or 0)
    rows = []
    stands_at = phase.opening.step if phase and phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED) else None
    for load in loads_of(facts, prediction):
        together = load.needed + by_others
        rows.append(
            CapacityRow(
                name=say("{n} %", n=load.percentage),
                needed=load.needed,
                together=together,
                share=percent_of(together, quota) if quota else None,
                is_short=load.is_short,
                is_now=load.percentage == stands_at,
                ask_by=load.ask_by,
                is_late=load.is_late,
                stack=_stack(load.needed, by_others, load.total, quota, most),
            )
        )
    return CapacityTable(tuple(rows), counted, untold, quota, facts.capacity.lead_time)
