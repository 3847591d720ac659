"""Exposure over time: what was expected, what was read, where nothing was read, and where the two differ.

What is not known is a gap: no stretch of what was read ever reaches over a time in which GitLab was not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from .expected import Drift, FlagReading, Presence, drift
from .exposure import EVERYONE, NOBODY, Exposure
from .percentages import NOTHING

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Move:
    """A phase, by its position, opens this from then on; None: it was rolled back, and every later one with it."""

    at: datetime
    position: int
    opens: Exposure | None


@dataclass(frozen=True, slots=True)
class Read:
    """GitLab was first read so ``at`` this moment; None: GitLab does not know the flag."""

    at: datetime
    exposure: Exposure | None


@dataclass(frozen=True, slots=True)
class ExposureStretch:
    """One exposure from ``start`` until just before ``end``."""

    start: datetime
    end: datetime
    exposure: Exposure | None

    @property
    def reach(self) -> Decimal:
        """The share of all actors that is surely in: named people and groups count as few."""
        return self.exposure.least_reach if self.exposure else NOTHING


@dataclass(frozen=True, slots=True)
class Piece:
    """What was expected beside what was read; ``is_known`` is False where nothing was read.

    ``waits``: a start or step was asked for and GitLab has not followed yet. That is no drift.
    """

    start: datetime
    end: datetime
    planned: Exposure
    read: Exposure | None
    is_known: bool
    kind: Drift = Drift.NONE
    waits: bool = False

    @property
    def drifts(self) -> bool:
        return self.kind is not Drift.NONE and not self.waits


def planned(moves: Iterable[Move], since: datetime, until: datetime) -> tuple[ExposureStretch, ...]:
    """What the plan expected from ``since`` to ``until``, by what people started, advanced and rolled back."""
    live: dict[int, Exposure] = {}
    steps = [(since, NOBODY)]
    for move in sorted(moves, key=lambda move: move.at):
        if move.opens is None:
            live = {position: opens for position, opens in live.items() if position < move.position}
        else:
            live[move.position] = move.opens
        steps.append((move.at, _sum(live.values())))
    return _stretches(steps, since, until)


def read(reads: Iterable[Read], unread: Sequence[Span], until: datetime) -> tuple[ExposureStretch, ...]:
    """What GitLab was read at, with nothing where it was ``unread``."""
    ends = [*sorted(reads, key=lambda each: each.at), Read(until, None)]
    return tuple(
        ExposureStretch(start, stop, each.exposure)
        for each, after in pairwise(ends)
        for start, stop in without((each.at, min(after.at, until)), unread)
    )


def compared(plan: Sequence[ExposureStretch], readings: Sequence[ExposureStretch]) -> tuple[Piece, ...]:
    """Plan and readings side by side, cut wherever either changes; where nothing was read, a piece says so."""
    pieces: list[Piece] = []
    for stretch in plan:
        expected, followed = stretch.exposure or NOBODY, False
        at = stretch.start
        for seen in readings:
            start, end = max(seen.start, stretch.start), min(seen.end, stretch.end)
            if start >= end:
                continue
            if at < start:
                pieces.append(Piece(at, start, expected, None, False))
            kind = drift(expected, _as_reading(seen.exposure))
            followed = followed or kind is Drift.NONE
            pieces.append(Piece(start, end, expected, seen.exposure, True, kind, kind is Drift.BEHIND and not followed))
            at = end
        if at < stretch.end:
            pieces.append(Piece(at, stretch.end, expected, None, False))
    return tuple(pieces)


def episodes(pieces: Iterable[Piece]) -> tuple[tuple[Piece, ...], ...]:
    """Pieces that drift, those that follow one another together: each group is one drift."""
    groups: list[list[Piece]] = []
    for piece in pieces:
        if not piece.drifts:
            continue
        if groups and groups[-1][-1].end == piece.start:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return tuple(map(tuple, groups))


def at(stretches: Iterable[ExposureStretch], moment: datetime) -> ExposureStretch | None:
    """The stretch that holds at a moment, if any."""
    return next((stretch for stretch in stretches if stretch.start <= moment < stretch.end), None)


def _sum(opened: Iterable[Exposure]) -> Exposure:
    whole = NOBODY
    for exposure in opened:
        whole = whole.plus(exposure)
    return replace(EVERYONE, actors=whole.opt_outs) if whole.boolean else whole


def _stretches(
    steps: Sequence[tuple[datetime, Exposure]], since: datetime, until: datetime
) -> tuple[ExposureStretch, ...]:
    """Steps as stretches within a time; equal ones that follow one another are one."""
    stretches: list[ExposureStretch] = []
    for (start, exposure), (end, _) in pairwise([*steps, (until, NOBODY)]):
        start, end = max(start, since), min(end, until)
        if start >= end:
            continue
        if stretches and stretches[-1].exposure == exposure:
            stretches[-1] = replace(stretches[-1], end=end)
        else:
            stretches.append(ExposureStretch(start, end, exposure))
    return tuple(stretches)


def without(span: Span, cuts: Iterable[Span]) -> list[Span]:
    """What is left of a span without these cuts, in order."""
    left, at = [], span[0]
    for start, end in sorted(cuts):
        if end <= at or start >= span[1]:
            continue
        if start > at:
            left.append((at, start))
        at = max(at, end)
    if at < span[1]:
        left.append((at, span[1]))
    return left


def holes(span: Span, gaps: Iterable[Span], held: Iterable[Span]) -> list[Span]:
    """What was not read of a time, in order: its gaps, without what readings by hand held meanwhile."""
    known = list(held)
    return without(span, without(span, [part for gap in gaps for part in without(gap, known)]))


def length(spans: Iterable[Span]) -> timedelta:
    return sum((end - start for start, end in spans), timedelta(0))


def _as_reading(exposure: Exposure | None) -> FlagReading:
    return FlagReading(Presence.UNKNOWN if exposure is None else Presence.SET, exposure, None, None)
