"""A rollout in time: what has happened, what is planned, and when the rest can happen at the earliest.

The future follows from the plan alone: soaks, planned times and change locks. What hangs on people (an approval, a
button to press) has no date: it is told as «at the earliest».
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from .expected import Audience
from .locks import Window
from .machine import MOVING, SETTLED, PhaseState, RolloutState
from .percentages import NOTHING, share_of
from .ramp import soak_at

P, R = PhaseState, RolloutState
#: States of a rollout after which nothing of it is to come.
ENDED = frozenset({R.COMPLETED, R.CLOSED, R.ABANDONED})
ASKED = frozenset({P.REQUESTED, P.APPROVED})
_DAY = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")


class Kind(StrEnum):
    """What happens at a moment; a start and a step let more people in."""

    START = "start"
    STEP = "step"
    COMPLETE = "complete"
    SKIP = "skip"
    ROLL_BACK = "roll_back"
    ABANDON = "abandon"
    CLOSE = "close"


class Certainty(StrEnum):
    """It was done; it has a date; or it can be then at the earliest, and waits for people."""

    DONE = "done"
    DATED = "dated"
    EARLIEST = "earliest"


class SpanLook(StrEnum):
    """How a span is drawn, as in the phase track."""

    DONE = "done"
    NOW = "now"
    SKIP = "skip"
    BACK = "back"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One step of a ramp: when the plan wants it, when it began."""

    percentage: Decimal
    soak: timedelta
    planned_at: datetime | None = None
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """One attempt at a phase. ``planned_at`` is the day that the plan's timeline names, if it names one; ``unread`` how
    long of the time since ``confirmed_at`` GitLab was not read.
    """

    name: str
    title: str
    state: str
    audience: str
    attempt: int = 1
    final_soak: timedelta = timedelta(0)
    steps: tuple[StepTimes, ...] = ()
    percentage: Decimal | None = None
    planned_at: datetime | None = None
    started_at: datetime | None = None
    confirmed_at: datetime | None = None
    unread: timedelta = timedelta(0)
    completed_at: datetime | None = None
    ended_at: datetime | None = None

    def reach_at(self, percentage: Decimal | None) -> Decimal | None:
        """The share of all actors that is in; None where named people or groups are, who count as few."""
        if self.audience == Audience.ALL_AT_ONCE:
            return Decimal(1)
        return share_of(percentage) if percentage is not None else None


@dataclass(frozen=True, slots=True)
class RolloutTimes:
    """All attempts of all phases, in the order of the plan."""

    slug: str
    state: str
    created_at: datetime
    phases: tuple[PhaseTimes, ...]
    abandoned_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def newest(self) -> tuple[PhaseTimes, ...]:
        """Each phase's newest attempt."""
        return tuple(
            {phase.name: phase for phase in sorted(self.phases, key=lambda p: p.attempt)}[name]
            for name in dict.fromkeys(phase.name for phase in self.phases)
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened or is to happen. ``reach`` is the share of actors from then on, None: as before."""

    at: datetime
    kind: Kind
    certainty: Certainty
    phase: PhaseTimes | None = None
    percentage: Decimal | None = None
    reach: Decimal | None = None

    @property
    def widens(self) -> bool:
        return self.kind in (Kind.START, Kind.STEP)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a phase runs; the part that is still to come is a span of its own."""

    phase: PhaseTimes
    look: SpanLook
    starts_at: datetime
    ends_at: datetime
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Planned:
    """A date that the plan names, whatever came of it."""

    phase: PhaseTimes
    at: datetime
    percentage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Spans and moments in the order of time, and the plan's own dates."""

    spans: tuple[Span, ...]
    moments: tuple[Moment, ...]
    plan: tuple[Planned, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """From when to when a rollout concerns anybody, whatever the time is now.

    ``ends_at`` is None while it is not over. Then it ends, change locks aside, at ``until`` or ``takes`` from now,
    whichever is later.
    """

    begins_at: datetime
    ends_at: datetime | None
    until: datetime | None
    takes: timedelta


def planned_day(text: str) -> datetime | None:
    """The first day that a plan's words name («from 2026-03-16»), as its first moment in UTC."""
    for year, month, day in _DAY.findall(text):
        try:
            return datetime(int(year), int(month), int(day), tzinfo=UTC)
        except ValueError:
            continue
    return None


def schedule(rollout: RolloutTimes, now: datetime, locks: Sequence[Window] = ()) -> Schedule:
    """What has been and what is to come; nothing widens within ``locks``, which ``locks.merged`` has put in order."""
    spans, moments = _past(rollout, now)
    ahead, to_come, _ = _future(rollout, now, locks)
    return Schedule(
        (*spans, *ahead),
        tuple(sorted([*moments, *to_come], key=lambda moment: moment.at)),
        tuple(_plan(rollout)),
    )


def extent(rollout: RolloutTimes) -> Extent:
    """What is stored, so that the rollouts of a window are found without reading all."""
    anyhow = rollout.created_at
    _, moments = _past(rollout, anyhow)
    first = rollout.newest[0] if rollout.newest else None
    wanted = first and (first.planned_at or (first.steps[0].planned_at if first.steps else None))
    begins_at = min((moment.at for moment in moments), default=wanted or anyhow)
    if rollout.state in ENDED:
        return Extent(begins_at, max((moment.at for moment in moments), default=anyhow), None, timedelta(0))
    _, _, cursor = _future(rollout, anyhow, ())
    return Extent(begins_at, None, cursor.until, cursor.takes)


def _plan(rollout: RolloutTimes) -> Iterator[Planned]:
    for phase in rollout.newest:
        if phase.planned_at:
            yield Planned(phase, phase.planned_at)
        for step in phase.steps:
            if step.planned_at:
                yield Planned(phase, step.planned_at, step.percentage)


def _past(rollout: RolloutTimes, now: datetime) -> tuple[list[Span], list[Moment]]:
    spans: list[Span] = []
    moments: list[Moment] = []

    def happened(kind: Kind, at: datetime | None, phase: PhaseTimes | None = None, **more: Decimal | None) -> None:
        if at is not None:
            moments.append(Moment(at, kind, Certainty.DONE, phase, **more))

    for phase in rollout.phases:
        if phase.state == P.SKIPPED and phase.ended_at:
            spans.append(Span(phase, SpanLook.SKIP, phase.ended_at, phase.ended_at, Certainty.DONE))
            happened(Kind.SKIP, phase.ended_at, phase)
        if phase.started_at is None:
            continue
        look = {P.COMPLETED: SpanLook.DONE, P.ROLLED_BACK: SpanLook.BACK}.get(P(phase.state), SpanLook.NOW)
        ends_at = {SpanLook.DONE: phase.completed_at, SpanLook.BACK: phase.ended_at}.get(look) or max(
            now, phase.started_at
        )
        spans.append(Span(phase, look, phase.started_at, ends_at, Certainty.DONE))
        begun = sorted((step for step in phase.steps if step.began_at), key=lambda step: step.percentage)
        share = begun[0].percentage if begun else None
        happened(Kind.START, phase.started_at, phase, percentage=share, reach=phase.reach_at(share))
        for step in begun[1:]:
            happened(Kind.STEP, step.began_at, phase, percentage=step.percentage, reach=phase.reach_at(step.percentage))
        happened(Kind.COMPLETE, phase.completed_at, phase)
        if phase.state == P.ROLLED_BACK:
            happened(Kind.ROLL_BACK, phase.ended_at, phase, reach=None if phase.reach_at(NOTHING) is None else NOTHING)
    if rollout.state == R.ABANDONED:
        happened(Kind.ABANDON, rollout.abandoned_at, reach=NOTHING)
    happened(Kind.CLOSE, rollout.closed_at)
    return spans, moments


@dataclass(slots=True)
class _Cursor:
    """How far the future is told. Without locks ``at`` is ``until``, or ``takes`` from now, whichever is later.

    ``is_whole``: it is told to the end of the last phase.
    """

    at: datetime
    is_dated: bool = False
    is_held: bool = False
    is_whole: bool = True
    takes: timedelta = timedelta(0)
    until: datetime | None = None

    @property
    def certainty(self) -> Certainty:
        return Certainty.DATED if self.is_dated and not self.is_held else Certainty.EARLIEST

    def wait(self, moment: datetime | None) -> None:
        """Not before a date, which from then on is what decides."""
        if moment is None:
            return
        self.until = moment if self.until is None else max(self.until, moment)
        if moment > self.at:
            self.at, self.is_dated = moment, True

    def stand(self, soak: timedelta, since: datetime | None = None) -> None:
        """For so long: since it was confirmed, or from here on."""
        if since is not None:
            self.wait(since + soak)
            return
        self.at += soak
        self.takes += soak
        self.until = self.until and self.until + soak

    def widen(self, locks: Sequence[Window]) -> None:
        """Not while a change lock holds."""
        number = bisect_right(locks, self.at, key=lambda window: window.starts_at)
        if number and locks[number - 1].holds(self.at):
            self.at = locks[number - 1].ends_at


def _future(rollout: RolloutTimes, now: datetime, locks: Sequence[Window]) -> tuple[list[Span], list[Moment], _Cursor]:
    """From where the rollout stands. A draft that has no date and was not asked for has no future yet."""
    if rollout.state in ENDED or not _is_foreseeable(rollout):
        return [], [], _Cursor(now)
    return ahead(rollout.newest, now, locks)


def ahead(
    phases: Sequence[PhaseTimes], now: datetime, locks: Sequence[Window]
) -> tuple[list[Span], list[Moment], _Cursor]:
    """What is to come of these phases (newest attempts, in order), each as early as the guards would let it.

    ``locks`` are in order and do not overlap (``locks.merged``).
    """
    spans: list[Span] = []
    moments: list[Moment] = []
    cursor = _Cursor(now)
    for phase in phases:
        if phase.state in SETTLED:
            continue
        if phase.state == P.ROLLED_BACK:  # nobody has planned another attempt
            cursor.is_whole = False
            break
        cursor.is_held = cursor.is_held or phase.state == P.PAUSED
        begins = _stand_or_start(phase, cursor, locks, moments)
        moments.append(Moment(cursor.at, Kind.COMPLETE, cursor.certainty, phase))
        spans.append(Span(phase, SpanLook.PLAN, begins.at, cursor.at, begins.certainty))
    for number, span in enumerate(spans[:-1]):  # a phase without a soak lasts until the next begins
        spans[number] = replace(span, ends_at=max(span.ends_at, spans[number + 1].starts_at))
    return spans, moments, cursor


def _stand_or_start(phase: PhaseTimes, cursor: _Cursor, locks: Sequence[Window], moments: list[Moment]) -> _Cursor:
    """Tell one phase to its end; returns where it begins."""
    begins: _Cursor | None = None
    left: Iterable[StepTimes] = phase.steps
    if phase.state in MOVING:
        begins = replace(cursor)
        soak = soak_at(phase.steps, phase.percentage, phase.final_soak)
        cursor.stand(soak, phase.confirmed_at and phase.confirmed_at + phase.unread)
        begins.is_dated = cursor.is_dated  # whether what comes next has a date
        left = [step for step in phase.steps if step.percentage > (phase.percentage or 0)]
    else:
        cursor.wait(phase.planned_at)
        if not phase.steps:
            cursor.widen(locks)
            begins = replace(cursor)
            moments.append(Moment(cursor.at, Kind.START, cursor.certainty, phase, reach=phase.reach_at(None)))
            cursor.stand(phase.final_soak)
    for step in left:
        cursor.wait(step.planned_at)
        cursor.widen(locks)
        kind = Kind.STEP if begins else Kind.START
        begins = begins or replace(cursor)
        share = step.percentage
        moments.append(Moment(cursor.at, kind, cursor.certainty, phase, share, phase.reach_at(share)))
        cursor.stand(soak_at(phase.steps, share, phase.final_soak))
    assert begins is not None
    return begins


def _is_foreseeable(rollout: RolloutTimes) -> bool:
    return any(
        phase.started_at or phase.planned_at or phase.state in ASKED or any(step.planned_at for step in phase.steps)
        for phase in rollout.newest
    )


def days(since: datetime, until: datetime) -> Iterator[date]:
    """Every day from the one of ``since`` to the last that begins before ``until``, as the two show them."""
    day, last = since.date(), (until - timedelta(microseconds=1)).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
