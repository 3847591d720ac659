"""The reviewer's clock: how much working time a request has waited, and when its approvers are reminded.

It runs while the request waits for an answer, and stands while it is back with who asked: granted, and not begun yet.
It counts while at least one of those who are asked is at work; an answer, in the hours of who gave it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from ..models import Account, ApprovalRequest, LockPeriod
from ..rules.approvals import RequestFacts, RequestState
from ..rules.working_time import HORIZON, Stretch, WorkingHours, at_work, length, reached, working_hours
from .asked_people import Everybody

#: Reminded: not yet, at half of the time, at its end.
NOT_YET, AT_HALF, AT_THE_END = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ReviewClock:
    """``waited`` and ``within`` are working time; ``half_at`` and ``ends_at`` are None where no policy gives a time, or
    the clock stands."""

    waited: timedelta
    runs: bool
    within: timedelta | None
    half_at: datetime | None
    ends_at: datetime | None
    first_answer_after: timedelta | None
    decided_after: timedelta | None

    @property
    def is_late(self) -> bool:
        return self.within is not None and self.waited >= self.within


def usual_hours() -> WorkingHours:
    hours: WorkingHours = settings.WORKING_HOURS
    return hours


def hours_of(account: Account | None) -> WorkingHours:
    """A person's own, or the portal's."""
    return working_hours(account.working_hours) if account and account.working_hours else usual_hours()


def clock_of(request: RequestFacts, now: datetime, everybody: Everybody | None = None) -> ReviewClock:
    """How it stands now. ``everybody`` is read here where it is not given."""
    runs, within = request.state == RequestState.OPEN, request.policy.decide_within
    waited, half_at, ends_at = request.waited, None, None
    if runs:
        people = _hours_of_asked(request, everybody or Everybody())
        since = request.waiting_since or request.requested_at
        off = holidays(since, (now if within is None else now + HORIZON))
        waited += length(at_work(people, off, since, now))
        if within is not None:
            half_at = reached(people, off, since, within / 2 - request.waited)
            ends_at = reached(people, off, since, within - request.waited)
    return ReviewClock(waited, runs, within, half_at, ends_at, request.first_answer_after, request.decided_after)


def due(request: RequestFacts, now: datetime) -> str:
    """``remind`` or ``escalate``, where that is due and was not done. Reads people only where a policy gives a time."""
    if not _is_timed(request) or request.reminders >= AT_THE_END:
        return ""
    clock = clock_of(request, now)
    if clock.ends_at is not None and clock.ends_at <= now:
        return "escalate"
    is_half = clock.half_at is not None and clock.half_at <= now
    return "remind" if is_half and request.reminders < AT_HALF else ""


def next_due(request: RequestFacts, now: datetime) -> list[datetime]:
    """When somebody is to be reminded next."""
    if not _is_timed(request) or request.reminders >= AT_THE_END:
        return []
    clock = clock_of(request, now)
    return [at for at in (clock.half_at, clock.ends_at) if at is not None and at > now]


def answered(request: ApprovalRequest, person: Any, now: datetime) -> None:
    """Somebody has approved or rejected: the first answer is told from then on."""
    if request.first_answer_after is None:
        request.first_answer_after = _waited(request, person, now)


def decided(request: ApprovalRequest, person: Any, now: datetime) -> None:
    """Granted or rejected: the clock stands."""
    request.waited = request.decided_after = _waited(request, person, now)
    request.waiting_since = None


def begins(request: ApprovalRequest, now: datetime, *, anew: bool) -> None:
    """It waits for an answer again; ``anew`` where something else is asked now."""
    request.waiting_since, request.decided_after = now, None
    if anew:
        request.waited, request.reminders, request.first_answer_after = timedelta(0), NOT_YET, None


def holidays(since: datetime, until: datetime) -> list[Stretch]:
    """Of the calendars that ``HOLIDAY_CALENDARS`` names."""
    if not settings.HOLIDAY_CALENDARS:
        return []
    rows = LockPeriod.objects.filter(
        calendar__name__in=settings.HOLIDAY_CALENDARS, ends_at__gt=since, starts_at__lt=until
    )
    return list(rows.values_list("starts_at", "ends_at"))


def _is_timed(request: RequestFacts) -> bool:
    return request.state == RequestState.OPEN and request.policy.decide_within is not None


def _waited(request: ApprovalRequest, person: Any, now: datetime) -> timedelta:
    since = request.waiting_since or request.requested_at
    people = [hours_of(getattr(person, "account", None) if person is not None else None)]
    waited: timedelta = request.waited + length(at_work(people, holidays(since, now), since, now))
    return waited


def _hours_of_asked(request: RequestFacts, everybody: Everybody) -> set[WorkingHours]:
    names = {one.name for one in everybody.asked(request)}
    return _hours(everybody.users, names) or {usual_hours()}


def _hours(users: Iterable[User], names: set[str]) -> set[WorkingHours]:
    return {hours_of(getattr(user, "account", None)) for user in users if user.get_username() in names}
