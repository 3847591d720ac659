"""The exposure history of a rollout: as planned, as read and as predicted, with locks and gaps, on one time axis.

The number of queries does not grow with readings, events or locks; what is older than the limits is left out and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from ..models import AuditEvent, ChangeLock, FlagReading, Phase, Rollout
from ..rules import exposure_history
from ..rules.expected import Presence
from ..rules.exposure import EVERYONE, NOBODY, Exposure
from ..rules.exposure_history import ExposureStretch, Move, Piece, Read
from ..rules.locks import Window, following
from ..rules.prediction import Prediction
from . import facts as facts_of
from . import freshness, schedules

#: So many readings and moves are looked at, the newest, and so many locks drawn.
READINGS, MOVES, LOCKS = 500, 300, 60
MOVING = ("phase.start", "phase.advance", "phase.roll_back")
#: A rollout that has not begun is shown from so long ago.
BEFORE = timedelta(days=1)
AFTER = timedelta(days=1)
#: What is told of a rollout beside its readings: everything that people and the portal did with it.
TOLD = (
    Q(verb__startswith="phase.") | Q(verb__startswith="drift.") | Q(verb__startswith="approval.")
    | Q(verb__startswith="override.") | Q(verb__startswith="ramp.") | Q(verb__startswith="rollout.")
    | Q(verb__in=("plan.apply", "reading.enter", "metric.measure"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExposureHistory:
    """All that the picture and its tables need. ``until`` is the end of the axis, ``known_until`` of the past."""

    since: datetime
    until: datetime
    known_until: datetime
    planned: tuple[ExposureStretch, ...]
    read: tuple[ExposureStretch, ...]
    pieces: tuple[Piece, ...]
    prediction: Prediction
    locks: tuple[Window, ...]
    next_lock: Window | None
    phases: tuple[Phase, ...]
    titles: dict[str, str]
    readings: int
    events: tuple[AuditEvent, ...]
    events_told: int
    events_all: int
    is_over: bool

    @property
    def readings_left_out(self) -> int:
        return max(0, self.readings - READINGS)

    def is_left_out(self, piece: Piece) -> bool:
        """Whether this time was read, only too long ago to be among the readings that are looked at."""
        return self.readings_left_out > 0 and bool(self.read) and piece.end <= self.read[0].start


def history_of(
    rollout: Rollout, now: datetime, *, events: int = 60, locks_by_hand: Iterable[ChangeLock] | None = None
) -> ExposureHistory:
    """``rollout`` comes from ``Rollout.objects.whole()``; eight queries. ``events``: how many are told, the newest.

    ``locks_by_hand``: the change locks as they were known at ``now``, where that is over.
    """
    is_over = rollout.is_over
    known_until = min(now, (rollout.closed_at or rollout.abandoned_at or now) if is_over else now)
    phases = tuple(phase for phase in rollout.phases.all() if phase.started_at)
    since = min((phase.started_at for phase in phases if phase.started_at), default=known_until - BEFORE)
    instance = rollout.flag.instance_id
    locks = schedules.locks_between(since, known_until + (timedelta(0) if is_over else schedules.AHEAD), locks_by_hand)
    prediction = schedules.coming(rollout, now, locks)
    windows = sorted({(w.starts_at, w.ends_at): w for w in schedules.on(locks, instance)}.values())
    until = max(filter(None, (known_until, prediction.complete_at)))
    room = max((until - since) * 0.03, timedelta(minutes=10))
    since, until = since - room, until + room
    planned = exposure_history.planned(_moves(rollout, now), since, known_until)
    readings, by_hand, counted = _readings(rollout, since, known_until)
    unread = freshness.unread(rollout.flag, by_hand, since, known_until)
    read = _clipped(exposure_history.read(readings, unread, known_until), since, known_until)
    shown, told_all, everything = _events(rollout, now, events)
    return ExposureHistory(
        since=since,
        until=until,
        known_until=known_until,
        planned=planned,
        read=read,
        pieces=exposure_history.compared(planned, read),
        prediction=prediction,
        locks=tuple(window for window in windows if window.starts_at < until)[-LOCKS:],
        next_lock=following(windows, now),
        phases=phases,
        titles={phase.name: phase.title for phase in rollout.phases.all()},
        readings=counted,
        events=shown,
        events_told=told_all,
        events_all=everything,
        is_over=is_over,
    )


def _moves(rollout: Rollout, until: datetime) -> list[Move]:
    """What people started, advanced and rolled back, from history: the phases' rows know only how they stand now."""
    phases = {str(phase.pk): phase for phase in rollout.phases.all()}
    moves = []
    rows = AuditEvent.objects.filter(rollout=rollout, verb__in=MOVING, at__lte=until).order_by("-at", "-pk")
    for at, verb, pk, after in rows.values_list("at", "verb", "object_id", "after")[:MOVES]:
        phase = phases.get(pk)
        if phase is not None:
            opens = None
            if verb != "phase.roll_back":
                opens = facts_of.opening_of(phase, rollout).at(after.get("percentage"))
            moves.append(Move(at, phase.position, opens))
    return moves[::-1]


def _readings(rollout: Rollout, since: datetime, until: datetime) -> tuple[list[Read], list[datetime], int]:
    """The newest readings, the one that held before included; when one was by hand; how many there are since."""
    rows = FlagReading.objects.filter(flag=rollout.flag_id, read_at__lte=until).order_by("-read_at", "-pk")
    kept = list(rows.values_list("read_at", "presence", "gates", "source")[:READINGS])
    reads = [Read(at, _exposure(presence, gates)) for at, presence, gates, _source in kept]
    by_hand = [at for at, *_, source in kept if source == FlagReading.Source.BY_HAND]
    return reads, by_hand, rows.filter(read_at__gte=since).count()


def _exposure(presence: str, gates: dict[str, object]) -> Exposure | None:
    if presence == Presence.SET:
        return Exposure.from_json(gates)
    return {Presence.UNSET_OFF: NOBODY, Presence.UNSET_ON: EVERYONE}.get(Presence(presence))


def _clipped(stretches: Iterable[ExposureStretch], since: datetime, until: datetime) -> tuple[ExposureStretch, ...]:
    return tuple(
        ExposureStretch(max(each.start, since), min(each.end, until), each.exposure)
        for each in stretches
        if each.start < until and each.end > since
    )


def _events(rollout: Rollout, until: datetime, limit: int) -> tuple[tuple[AuditEvent, ...], int, int]:
    """The newest events that are told, how many of those there are, and how many events in all."""
    events = AuditEvent.objects.of_rollout(rollout.slug).filter(at__lte=until)
    counted = events.order_by().aggregate(told=Count("pk", filter=TOLD), all=Count("pk"))
    return tuple(events.filter(TOLD).newest_first()[:limit]), counted["told"], counted["all"]
