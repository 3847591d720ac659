"""What stands under a picture over time: whole hours, days, weeks, months of the reader's clock, which may change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext as _

from ...rules.zones import edge
from ..presenters.datetimes import day_and_clock
from .scale import Scale


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    words: str
    anchor: str = "middle"


def labels(x: Scale, most: int = 8) -> tuple[Label, ...]:
    """So many at most; the last one stands before its tick where it would be cut off."""
    found = ticks(x.least, x.most, get_current_timezone(), most)
    months = len(found) > 1 and found[1][0] - found[0][0] > timedelta(days=27)
    return tuple(
        Label(x.at(moment), _words(moment, within, months), "end" if x(moment) > x.end - 16 else "middle")
        for moment, within in found
    )


def ends(x: Scale, *, middle: bool = False) -> tuple[Label, ...]:
    """Begin and end to the minute, and the middle where there is room for a day between."""
    labels = [Label(x.at(x.least), day_and_clock(x.least), "start"), Label(x.at(x.most), day_and_clock(x.most), "end")]
    if middle and x.most - x.least > timedelta(days=2):
        between = x.least + (x.most - x.least) / 2
        labels.insert(1, Label(x.at(between), day_and_clock(between)))
    return tuple(labels)


def _words(moment: datetime, within_a_day: bool, months: bool) -> str:
    return date_format(localtime(moment), "H:i" if within_a_day else "M Y" if months else _("j M"))


_DAY = timedelta(days=1)
#: Hours between labels while the axis is short.
_HOURS = (1, 2, 3, 6, 12)
#: Days between labels; then months.
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def ticks(since: datetime, until: datetime, tz: tzinfo, most: float) -> tuple[tuple[datetime, bool], ...]:
    """At most so many moments (aware, UTC) within [since, until], and whether each is within a day."""
    if until <= since or most < 1:
        return ()
    for hours in _HOURS:
        if (until - since) / timedelta(hours=hours) <= most:
            return _fitting(_hours(since, until, tz, hours), since, until, tz)
    for days in _DAYS:
        if (until - since) / (_DAY * days) <= most:
            return _fitting(_days(since, until, tz, days), since, until, tz)
    for months in _MONTHS:
        if (until - since) / (_DAY * 30 * months) <= most:
            break
    return _fitting(_months(since, until, tz, months), since, until, tz)


def _fitting(
    locals_: list[datetime], since: datetime, until: datetime, tz: tzinfo
) -> tuple[tuple[datetime, bool], ...]:
    found = {edge(local, tz, latest=False): local.time() != time() for local in locals_}
    return tuple((moment, within) for moment, within in sorted(found.items()) if since <= moment <= until)


def _hours(since: datetime, until: datetime, tz: tzinfo, step: int) -> list[datetime]:
    return [datetime.combine(day, time(hour)) for day in _dates(since, until, tz) for hour in range(0, 24, step)]


def _days(since: datetime, until: datetime, tz: tzinfo, step: int) -> list[datetime]:
    """Every so many days; weeks begin on Monday."""
    return [
        datetime.combine(day, time())
        for day in _dates(since, until, tz)
        if (day.toordinal() - 1) % step == 0  # the first day of the calendar was a Monday
    ]


def _months(since: datetime, until: datetime, tz: tzinfo, step: int) -> list[datetime]:
    first, last = since.astimezone(tz).date(), until.astimezone(tz).date()
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [datetime.combine(date(n // 12, n % 12 + 1, 1), time()) for n in numbers if n % step == 0]


def _dates(since: datetime, until: datetime, tz: tzinfo) -> list[date]:
    first, last = since.astimezone(tz).date(), until.astimezone(tz).date()
    return [first + _DAY * n for n in range((last - first).days + 1)]
