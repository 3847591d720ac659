"""Rollouts in time: their schedules out of what is stored, and those that touch a window, without reading all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet

from ..models import ChangeLock, LockPeriod, Phase, RampStep, Rollout, keyset
from ..models.keyset import Keyset
from ..rules.collisions import Demand, quota_key
from ..rules.locks import Window, merged
from ..rules.machine import OVER as ENDED
from ..rules.prediction import Prediction, predict
from ..rules.schedule import Extent, PhaseTimes, RolloutTimes, Schedule, StepTimes, extent, planned_day, schedule
from .facts import newest_attempts

#: So far ahead change locks are looked at.
AHEAD = timedelta(days=400)
#: What a schedule needs of each row: rows without model instances, because a page has hundreds of them.
_PHASE = (
    "id",
    "rollout_id",
    "name",
    "title",
    "state",
    "audience",
    "attempt",
    "final_soak",
    "current_step_id",
    "started_at",
    "confirmed_at",
    "unread",
    "completed_at",
    "ended_at",
)
_STEP = ("id", "phase_id", "percentage", "soak", "planned_at", "began_at")
COLUMNS = (
    "id",
    "slug",
    "title",
    "state",
    "drift",
    "owners",
    "timeline",
    "created_at",
    "abandoned_at",
    "closed_at",
    "begins_at",
    "ends_at",
    "peak_requests_per_minute",
    "flag__instance_id",
    "flag__group",
    "ai_model__slug",
    "ai_model__name",
    "ai_model__provider",
    "ai_model__host",
    "ai_model__provider_model_id",
    "ai_model__quota_requests_per_minute",
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A period of a change lock, and of which GitLab it is (None: of every one)."""

    window: Window
    title: str
    instance_id: int | None
    uid: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One rollout with its schedule. ``row`` holds what ``COLUMNS`` names."""

    row: Mapping[str, Any]
    schedule: Schedule
    demand: Demand

    @property
    def slug(self) -> str:
        return self.demand.slug


#: Those that are not over come first, by their beginning.
STILL = Keyset("timeline-open", {"begins_at": datetime, "id": int})
OVER = Keyset("timeline-over", {"ends_at": datetime, "id": int})


def keep_extent(rollout: Rollout) -> None:
    """Set from when to when it lasts; whoever changed what this follows from saves it."""
    rollout.begins_at, rollout.ends_at, rollout.until, rollout.takes = astuple(_extent_of(rollout))


def _extent_of(rollout: Rollout) -> Extent:
    phases = times_of(rollout.phases.all(), rollout)
    return extent(_rollout_times({name: getattr(rollout, name) for name in _OF_TIMES}, phases))


def times_of(phases: Iterable[Phase], rollout: Rollout) -> list[PhaseTimes]:
    """Phases of a rollout, loaded with their steps, as the rules take them."""
    return [
        _phase_times({name: getattr(phase, name) for name in _PHASE}, rollout.timeline, _steps(phase))
        for phase in phases
    ]


def _steps(phase: Phase) -> list[dict[str, Any]]:
    return [{name: getattr(step, name) for name in _STEP} for step in phase.steps.all()]


_OF_TIMES = ("slug", "state", "created_at", "abandoned_at", "closed_at")


def _rollout_times(row: Mapping[str, Any], phases: Iterable[PhaseTimes]) -> RolloutTimes:
    return RolloutTimes(phases=tuple(phases), **{name: row[name] for name in _OF_TIMES})


def _phase_times(row: Mapping[str, Any], timeline: Mapping[str, str], steps: Iterable[Mapping[str, Any]]) -> PhaseTimes:
    known = list(steps)
    return PhaseTimes(
        name=row["name"],
        title=row["title"],
        state=row["state"],
        audience=row["audience"],
        attempt=row["attempt"],
        final_soak=row["final_soak"],
        steps=tuple(StepTimes(s["percentage"], s["soak"], s["planned_at"], s["began_at"]) for s in known),
        percentage=next((step["percentage"] for step in known if step["id"] == row["current_step_id"]), None),
        planned_at=planned_day(str(timeline.get(row["name"], ""))),
        started_at=row["started_at"],
        confirmed_at=row["confirmed_at"],
        unread=row["unread"],
        completed_at=row["completed_at"],
        ended_at=row["ended_at"],
    )


def locks_between(since: datetime, until: datetime, by_hand: Iterable[ChangeLock] | None = None) -> list[Lock]:
    """The periods of all change locks that touch the span, in order; two queries, or one where those ``by_hand`` are
    known.
    """
    once = Q(starts_at__lt=until, ends_at__gt=since)
    held = Q(ended_at=None) | Q(ended_at__gt=since)
    known = ChangeLock.objects.filter(once | Q(kind=ChangeLock.Kind.WEEKLY), held) if by_hand is None else by_hand
    locks = [
        Lock(
            _as_held(window, lock),
            lock.title,
            lock.instance_id,
            f"lock-{lock.pk}-{window.starts_at:%Y%m%dT%H%M}",
            lock.ended_at or lock.created_at,
        )
        for lock in known
        for window in lock.windows(since, until)
    ]
    locks += [
        Lock(
            Window(starts_at, ends_at, title or name),
            title or name,
            None,
            f"calendar-{calendar}-{pk}",
            read_at or since,
        )
        for pk, starts_at, ends_at, title, calendar, name, read_at in LockPeriod.objects.touching(
            since, until
        ).values_list("pk", "starts_at", "ends_at", "title", "calendar", "calendar__name", "calendar__read_at")
    ]
    return sorted((lock for lock in locks if lock.window.starts_at < lock.window.ends_at), key=lambda lock: lock.window)


def _as_held(window: Window, lock: ChangeLock) -> Window:
    """A lock that was ended early held no longer than that, one of every week not before it was entered."""
    is_weekly = lock.kind == ChangeLock.Kind.WEEKLY
    begins = max(window.starts_at, lock.created_at) if is_weekly else window.starts_at
    return Window(begins, min(window.ends_at, lock.ended_at or window.ends_at), lock.title)


def on(locks: Iterable[Lock], instance: int) -> list[Window]:
    """Those that hold on one GitLab."""
    return [lock.window for lock in locks if lock.instance_id in (None, instance)]


def coming(rollout: Rollout, now: datetime, locks: Iterable[Lock] | None = None) -> Prediction:
    """When what is to come of a rollout may begin at the earliest (``ahead``); nothing where it is over."""
    if rollout.state in ENDED:
        return Prediction()
    return ahead(times_of(newest_attempts(rollout), rollout), now, rollout.flag.instance_id, locks)


def ahead(
    phases: Sequence[PhaseTimes], now: datetime, instance: int, locks: Iterable[Lock] | None = None
) -> Prediction:
    """When what is to come of these phases (newest attempts) may begin at the earliest; two queries without ``locks``.

    Each date that is told ahead is this, or ``rules.schedule``'s with the same locks.
    """
    return predict(phases, now, on(locks_between(now, now + AHEAD) if locks is None else locks, instance))


def touching(
    rollouts: QuerySet[Any], since: datetime, until: datetime, now: datetime, locks: Sequence[Lock] = ()
) -> tuple[QuerySet[Any], QuerySet[Any]]:
    """Of these rollouts, those that are not over and those that are, as far as they last within [since, until).

    Both by indexes over what ``keep_extent`` stores. A lock may push the end out by its own length, never by more.
    """
    still = rollouts.filter(ends_at=None, begins_at__lt=until)
    if since > now:
        ahead = merged(lock.window for lock in locks if lock.window.ends_at > now)
        pushed = sum((window.ends_at - max(window.starts_at, now) for window in ahead), timedelta(0))
        still = still.filter(
            Q(until__gte=since - pushed) | Q(takes__gte=since - pushed - now) | Q(begins_at__gte=since)
        )
    over = rollouts.filter(ends_at__gte=since, begins_at__lt=until)
    return still, over


def page(
    rollouts: QuerySet[Any],
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    locks: Sequence[Lock] = (),
    after: str = "",
    limit: int,
) -> keyset.Page:
    """One page of the rollouts of a window with their schedules; four queries.

    Raises ``WrongCursor``.
    """
    still, over = touching(rollouts, since, until, now, locks)
    parts = ((STILL, still.values(*COLUMNS)), (OVER, over.values(*COLUMNS)))
    page = keyset.page_of(parts, after, limit)
    return replace(page, rows=scheduled(chain(*page.rows), now, locks))


def scheduled(rows: Iterable[Mapping[str, Any]], now: datetime, locks: Sequence[Lock] = ()) -> list[Scheduled]:
    """These rows (``COLUMNS``) with their schedules; two queries."""
    rows = list(rows)
    phases: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    steps: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    of_these = [row["id"] for row in rows]
    for phase in Phase.objects.filter(rollout__in=of_these).order_by("position", "attempt").values(*_PHASE):
        phases[phase["rollout_id"]].append(phase)
    for step in RampStep.objects.filter(phase__rollout__in=of_these).order_by("percentage").values(*_STEP):
        steps[step["phase_id"]].append(step)
    held = {instance: merged(on(locks, instance)) for instance in {row["flag__instance_id"] for row in rows}}
    return [
        Scheduled(
            row,
            schedule(
                _rollout_times(
                    row,
                    [_phase_times(phase, row["timeline"], steps[phase["id"]]) for phase in phases[row["id"]]],
                ),
                now,
                held[row["flag__instance_id"]],
            ),
            _demand(row),
        )
        for row in rows
    ]


def _demand(row: Mapping[str, Any]) -> Demand:
    names = ("provider", "host", "provider_model_id", "slug")
    key = quota_key(*(row[f"ai_model__{name}"] for name in names))
    return Demand(row["slug"], key, row["ai_model__quota_requests_per_minute"], row["peak_requests_per_minute"])
