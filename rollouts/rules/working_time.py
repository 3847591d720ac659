"""When somebody is at work, and how much of a time that is: weekdays, hours of a zone, without holidays. Pure.

Hours are local ones: a day on which the clocks change is as long as its hours are there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from .phrases import invalid, shorten
from .zones import edge, is_zone, zone

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
USUAL = "Mon-Fri 09:00-17:00 UTC"
#: Nobody looks further ahead: by then somebody works, or nobody ever does.
HORIZON = timedelta(days=400)
_WRITTEN = re.compile(r"(?P<days>[A-Za-z,-]+) (?P<begins>\d\d:\d\d)-(?P<ends>\d\d:\d\d) (?P<zone>\S+)\Z")
_DAY = timedelta(days=1)
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """``days`` count from Monday as 0; ``begins`` and ``ends`` are minutes of the day, ``ends`` up to 1440."""

    days: frozenset[int]
    begins: int
    ends: int
    zone: str

    @property
    def written(self) -> str:
        """The inverse of ``working_hours``, days one by one."""
        days = ",".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {_clock(self.begins)}-{_clock(self.ends)} {self.zone}"


def working_hours(written: str) -> WorkingHours:
    """Read ``Mon-Fri 09:00-17:00 Europe/Berlin``. Raises ``ValueError`` that says how to write it."""
    match = _WRITTEN.match(" ".join(written.split()))
    days = _days(match["days"]) if match else None
    minutes = [_minutes(match[name]) for name in ("begins", "ends")] if match else []
    if match is None or not days or None in minutes:
        raise invalid(
            "«{written}» are no working hours. Write them like Mon-Fri 09:00-17:00 Europe/Berlin, or "
            "Mon,Wed,Thu 08:30-16:00 UTC.",
            written=shorten(written),
        )
    begins, ends = (minute or 0 for minute in minutes)
    if ends <= begins:
        raise invalid(
            "working hours end after they begin, on the same day: {written} do not.", written=shorten(written)
        )
    if not is_zone(match["zone"]):
        raise invalid("«{zone}» is no time zone. Write one such as Europe/Berlin.", zone=shorten(match["zone"]))
    return WorkingHours(days, begins, ends, match["zone"])


def at_work(
    people: Iterable[WorkingHours], holidays: Collection[Stretch], since: datetime, until: datetime
) -> list[Stretch]:
    """When within [since, until) at least one of these works, in order, apart from each other."""
    found: list[Stretch] = []
    for hours in set(people):
        tz = zone(hours.zone)
        day = since.astimezone(tz).date() - _DAY
        while (midnight := datetime.combine(day, time())) < until.astimezone(tz).replace(tzinfo=None) + _DAY:
            if day.weekday() in hours.days:
                begins, ends = (
                    edge(midnight + timedelta(minutes=minutes), tz, latest=False)
                    for minutes in (hours.begins, hours.ends)
                )
                found.append((max(begins, since), min(ends, until)))
            day += _DAY
    return _without(_merged(found), _merged(holidays))


def length(stretches: Iterable[Stretch]) -> timedelta:
    return sum((ends - begins for begins, ends in stretches), timedelta(0))


def reached(
    people: Iterable[WorkingHours], holidays: Collection[Stretch], since: datetime, span: timedelta
) -> datetime | None:
    """When so much working time has passed since; None where nobody works so much within a year or so."""
    people, left, at = set(people), span, since
    if left <= timedelta(0):
        return since
    while at < since + HORIZON:
        for begins, ends in at_work(people, holidays, at, at + 7 * _DAY):
            if ends - begins >= left:
                return (begins + left).astimezone(UTC)
            left -= ends - begins
        at += 7 * _DAY
    return None


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for begins, ends in sorted(one for one in stretches if one[0] < one[1]):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
        else:
            merged.append((begins, ends))
    return merged


def _without(stretches: list[Stretch], holidays: list[Stretch]) -> list[Stretch]:
    left: list[Stretch] = []
    for begins, ends in stretches:
        at = begins
        for off, on in holidays:
            if on <= at or off >= ends:
                continue
            if off > at:
                left.append((at, off))
            at = max(at, on)
        if at < ends:
            left.append((at, ends))
    return left


def _days(written: str) -> frozenset[int] | None:
    """None where it names no days."""
    found = set()
    for part in written.split(","):
        first, _, last = part.partition("-")
        if first.title() not in DAYS or (last or first).title() not in DAYS:
            return None
        one, two = DAYS.index(first.title()), DAYS.index((last or first).title())
        found |= {day % 7 for day in range(one, two + 1 if two >= one else two + 8)}
    return frozenset(found)


def _minutes(written: str) -> int | None:
    hour, minute = map(int, written.split(":"))
    minutes = hour * 60 + minute
    return minutes if minute < 60 and minutes <= 1_440 else None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
