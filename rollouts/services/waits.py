"""Where rollouts wait: what the time of those that were completed lately was spent on, rebuilt from the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from ..audit.replay import Replay
from ..models import AuditEvent, Phase, RampStep, Rollout
from ..rules.approvals import RequestState
from ..rules.as_of import then
from ..rules.locks import merged
from ..rules.machine import SETTLED, PhaseState
from ..rules.waits import SPENT_WORDS, Spent, Stretch, spent, usual
from . import schedules

#: So many rollouts are rebuilt, those completed last.
MOST = 50


@dataclass(frozen=True, slots=True)
class Wait:
    """The median of what one phase spent on one thing."""

    phase: str
    what: Spent
    length: timedelta
    rollouts: int

    def as_json(self) -> dict[str, Any]:
        return {"phase": self.phase, "what": self.what, "words": "".join(SPENT_WORDS[self.what]),
                "median_seconds": self.length.total_seconds(), "rollouts": self.rollouts}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Month:
    """How long rollouts took that were completed in a month (UTC), from plan to end."""

    month: str
    count: int
    lead: timedelta

    def as_json(self) -> dict[str, Any]:
        return {"month": self.month, "count": self.count, "median_seconds": self.lead.total_seconds()}


def of_period(since: datetime, until: datetime) -> tuple[Wait, ...]:
    """By phase, in the order of the plan, and what it was spent on; the queries do not grow with the rollouts."""
    done = Rollout.objects.filter(completed_at__gte=since, completed_at__lt=until).order_by("-completed_at")[:MOST]
    rollouts = {rollout.pk: rollout for rollout in done.select_related("flag")}
    if not rollouts:
        return ()
    first = min(rollout.created_at for rollout in rollouts.values())
    locks = schedules.locks_between(first, until)
    replay = Replay(until)
    replay.read(AuditEvent.objects.filter(rollout__in=list(rollouts)))
    phases: dict[int, list[Phase]] = defaultdict(list)
    for phase in Phase.objects.filter(rollout__in=list(rollouts)).order_by("position", "attempt"):
        phases[phase.rollout_id].append(phase)
    soaks = dict(RampStep.objects.filter(phase__rollout__in=list(rollouts)).values_list("pk", "soak"))
    asked = _asked(replay)
    histories: list[tuple[dict[tuple[str, Spent], timedelta], set[str]]] = []
    order: dict[str, int] = {}
    for pk, rollout in rollouts.items():
        held = merged(schedules.on(locks, rollout.flag.instance_id))
        stretches = list(_stretches(rollout, phases[pk], replay, soaks, asked))
        histories.append((spent(stretches, held), {stretch.phase for stretch in stretches}))
        order |= {phase.title: phase.position for phase in phases[pk]}
    waits = []
    for title in sorted(order, key=lambda each: (order[each], each)):
        mine = [parts for parts, titles in histories if title in titles]
        lengths = usual([{key: length for key, length in parts.items() if key[0] == title} for parts in mine])
        waits += [Wait(title, what, lengths[title, what], len(mine)) for what in Spent if (title, what) in lengths]
    return tuple(waits)


def by_month(since: datetime, until: datetime) -> tuple[Month, ...]:
    """Lead time by the month in which rollouts were completed, oldest first."""
    found: dict[str, list[float]] = defaultdict(list)
    rows = Rollout.objects.filter(completed_at__gte=since, completed_at__lt=until).order_by("completed_at")
    for made, ended in rows.values_list("created_at", "completed_at"):
        found[f"{ended.astimezone(UTC):%Y-%m}"].append((ended - made).total_seconds())
    return tuple(Month(month, len(spans), timedelta(seconds=median(spans))) for month, spans in found.items())


def _asked(replay: Replay) -> dict[int, list[tuple[datetime, datetime]]]:
    """By phase: from when to when somebody was asked to approve."""
    found: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    for key in replay.keys("ApprovalRequest"):
        told = replay.told("ApprovalRequest", key)
        made = next((one for one in told if one.is_made), None)
        if made is None:
            continue
        closed = next((one.at for one in told if one.after.get("state", RequestState.OPEN) != RequestState.OPEN), None)
        found[int(made.after["phase_id"])].append((made.at, closed or replay.until))
    return found


def _stretches(
    rollout: Rollout,
    phases: list[Phase],
    replay: Replay,
    soaks: dict[int, timedelta],
    asked: dict[int, list[tuple[datetime, datetime]]],
) -> Iterator[Stretch]:
    """One phase after the other, each from the end of the one before it to its own."""
    turn = rollout.created_at
    for phase in phases:
        values: dict[str, Any] | None = None
        points: list[tuple[datetime, dict[str, Any]]] = []
        for told in replay.told("Phase", phase.pk):
            values = then(values, told)
            if values is not None:
                points.append((told.at, dict(values)))
        ends = [at for at, known in points if known.get("state") in SETTLED | {PhaseState.ROLLED_BACK}]
        end = ends[0] if ends else None
        if end is None or end <= turn:
            continue
        edges = {turn, end, *(at for at, _ in points), *(at for span in asked[phase.pk] for at in span)}
        cuts = sorted(at for at in edges if turn <= at <= end)
        for since, until in pairwise(cuts):
            known = next((known for at, known in reversed(points) if at <= since), points[0][1])
            is_asked = any(start <= since < stop for start, stop in asked[phase.pk])
            soak = soaks.get(known.get("current_step_id") or 0, phase.final_soak)
            confirmed = known.get("confirmed_at")
            soaked_at = datetime.fromisoformat(confirmed) + soak if confirmed else None
            yield Stretch(phase.title, since, until, known.get("state", PhaseState.PLANNED), soaked_at, is_asked)
        turn = end
