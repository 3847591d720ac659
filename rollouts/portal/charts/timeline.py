"""The timeline's axis: a window of whole days in the reader's zone, laid out linearly in real time.

A day on which clocks change is an hour narrower or wider than its neighbours, so nothing is drawn at a wrong place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ...rules.datetimes import FIRST, LAST, asked_day
from ...rules.phrases import invalid
from ...rules.zones import edge
from .axis import ticks
from .scale import Scale, percent

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


class Zoom(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


NAMES = {
    Zoom.WEEK: gettext_lazy("Week"),
    Zoom.MONTH: gettext_lazy("Month"),
    Zoom.QUARTER: gettext_lazy("Quarter"),
    Zoom.YEAR: gettext_lazy("Year"),
}
#: So many days; a year is told in months.
LENGTHS = {Zoom.WEEK: WEEK, Zoom.MONTH: 5 * WEEK, Zoom.QUARTER: 13 * WEEK}
#: So long before this week a window begins that names no day.
LOOKS_BACK = {Zoom.WEEK: 0 * WEEK, Zoom.MONTH: WEEK, Zoom.QUARTER: 3 * WEEK}
#: A week has room for its days, a quarter for its 13 weeks.
MOST_TICKS = 13.5
BEFORE, AFTER = (FIRST + 366 * DAY).date(), (LAST - 366 * DAY).date()


@dataclass(frozen=True, slots=True)
class Tick:
    """A day or month that the axis names, at its place in per cent."""

    x: str
    words: str


@dataclass(frozen=True)
class Axis:
    """From the first day until just before ``last``; ``since`` and ``until`` are those midnights."""

    zoom: Zoom
    first: date
    last: date
    zone: tzinfo

    @cached_property
    def since(self) -> datetime:
        return midnight(self.first, self.zone)

    @cached_property
    def until(self) -> datetime:
        return midnight(self.last, self.zone)

    @cached_property
    def share(self) -> Scale:
        """Where a moment is, in per cent of the width."""
        return Scale(self.since, self.until, 0.0, 100.0)

    @property
    def earlier(self) -> date:
        return max(BEFORE, _months(self.first, -12) if self.zoom is Zoom.YEAR else self.first - LENGTHS[self.zoom])

    @property
    def later(self) -> date:
        return min(AFTER, self.last)

    def x(self, moment: datetime) -> str:
        return percent(self.share(moment))

    def shows(self, moment: datetime) -> bool:
        return self.share.shows(moment)

    @property
    def words(self) -> str:
        first, last = self.first, self.last - DAY
        begin = _("j M") if first.year == last.year else _("j M Y")
        return f"{date_format(first, begin)} – {date_format(last, _('j M Y'))}"

    def ticks(self) -> list[Tick]:
        """Each day of a week, each Monday of a month or quarter, each first of a year's months."""
        found = ticks(self.since, self.until, self.zone, MOST_TICKS)
        shown = [moment for moment, _within in found if self.shows(moment)]
        return [Tick(self.x(moment), self._words(moment.astimezone(self.zone).date())) for moment in shown]

    def _words(self, day: date) -> str:
        if self.zoom is Zoom.YEAR:
            return date_format(day, "M Y" if day.month == 1 else "M")
        return date_format(day, _("D j M") if self.zoom is Zoom.WEEK else _("j M"))

    def weekends(self) -> list[tuple[str, str]]:
        """Places and widths of Saturdays with their Sundays, where days can be told apart."""
        if self.zoom in (Zoom.QUARTER, Zoom.YEAR):
            return []
        found = []
        for day in self._days():
            if day.weekday() == 5 or (day.weekday() == 6 and day == self.first):
                begins, ends = day, day + (7 - day.weekday()) * DAY
                left, width = self.share.stretch(midnight(begins, self.zone), midnight(ends, self.zone))
                found.append((percent(left), percent(width)))
        return found

    def _days(self) -> list[date]:
        return [self.first + number * DAY for number in range((self.last - self.first).days)]


def midnight(day: date, zone: tzinfo) -> datetime:
    return edge(datetime.combine(day, time()), zone, latest=False)


def day_of_axis(text: str) -> date:
    """The first day of a window. Raises ``ValueError`` with words."""
    day = asked_day(text)
    if not BEFORE <= day <= AFTER:
        raise invalid("«{day}» is no day of this century. This is today.", day=text)
    return day


def axis_of(zoom: Zoom, first: date | None, now: datetime, zone: tzinfo) -> Axis:
    """The window from that day on; usually one about today."""
    day = first or _usual(zoom, now.astimezone(zone).date())
    last = _months(day, 12) if zoom is Zoom.YEAR else day + LENGTHS[zoom]
    return Axis(zoom, day, last, zone)


def _usual(zoom: Zoom, today: date) -> date:
    if zoom is Zoom.YEAR:
        return _months(today.replace(day=1), -3)
    return today - today.weekday() * DAY - LOOKS_BACK[zoom]


def _months(day: date, count: int) -> date:
    """The same day so many months on; of a month that has not got it, the 28th."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    try:
        return date(year, month + 1, day.day)
    except ValueError:
        return date(year, month + 1, 28)
