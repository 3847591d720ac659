"""Local times as a calendar file writes them, with the zone that each is of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from icalendar.prop import vDDDTypes

from ..words import say
from ..zones import edge
from .lines import CalendarRefused, shown

MOST_DATES = 10_000  # RDATE and EXDATE together, or changes of one zone's clocks
YEARS = range(1900, 2200)
DAY = timedelta(days=1)
EARLIEST, LATEST = datetime(YEARS[0], 1, 2, tzinfo=UTC), datetime(YEARS[-1], 12, 30, tzinfo=UTC)
_MOMENT = re.compile("[0-9]{8}(T[0-9]{6}Z?)?$")


@dataclass(frozen=True, slots=True)
class When:
    """A local time, naive, and its zone; a whole day is its 00:00."""

    wall: datetime
    tz: tzinfo
    is_date: bool = False

    def at(self, *, latest: bool = False) -> datetime:
        return edge(self.wall, self.tz, latest=latest)

    def wall_in(self, tz: tzinfo) -> datetime:
        return self.wall if self.tz is tz else self.at().astimezone(tz).replace(tzinfo=None)


def moment_of(text: str, named: str) -> date:
    """A date, a datetime in UTC, or a naive datetime."""
    try:
        value = vDDDTypes.from_ical(text.strip().upper()) if _MOMENT.match(text.strip().upper()) else None
    except ValueError:  # the 30th of February
        value = None
    if not isinstance(value, date):
        raise CalendarRefused(
            say(
                "{named} is «{written}», which is no date or time. Write it as 20270131T120000Z.",
                named=named,
                written=shown(text),
            )
        )
    return value


def within(wall: datetime, name: str, named: str) -> datetime:
    """The same time. Raises ``CalendarRefused`` where its year is not one of those that are read."""
    if wall.year in YEARS:
        return wall
    raise CalendarRefused(
        say(
            "{named}: {name} is in the year {year}. Years from {first} to {last} are read.",
            named=named,
            name=name,
            year=str(wall.year),
            first=str(YEARS[0]),
            last=str(YEARS[-1]),
        )
    )
