"""The zones that a calendar file names: of the world, or defined by a VTIMEZONE of its own."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise

from icalendar.parser import Parameters
from icalendar.prop import vUTCOffset

from ..words import joined, say
from ..zones import is_zone, zone
from .lines import CalendarRefused, Line, Part, shown
from .recurrence import Work, rule_of, starts
from .times import DAY, LATEST, MOST_DATES, When, moment_of, within


class _FileZone(tzinfo):
    """A zone that a VTIMEZONE of the file defines: (moment of change, naive UTC; offset from then on), rising."""

    def __init__(self, name: str, before: timedelta, changes: list[tuple[datetime, timedelta]]) -> None:
        self._name = name
        self._offsets = [before, *(offset for _, offset in changes)]
        self._moments = [moment for moment, _ in changes]
        pairs = list(zip(self._moments, pairwise(self._offsets), strict=True))
        # When clocks show the change: for the first time that they show a local time, and for the second (PEP 495).
        self._walls = (
            [moment + max(offsets) for moment, offsets in pairs],
            [moment + min(offsets) for moment, offsets in pairs],
        )

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return self._offsets[0]
        return self._offsets[bisect_right(self._walls[moment.fold], moment.replace(tzinfo=None, fold=0))]

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return self._name

    def fromutc(self, moment: datetime) -> datetime:
        naive = moment.replace(tzinfo=None)
        place = bisect_right(self._moments, naive)
        local = naive + self._offsets[place]
        twice = place > 0 and naive - self._moments[place - 1] < self._offsets[place - 1] - self._offsets[place]
        return local.replace(tzinfo=self, fold=int(twice))


@dataclass(slots=True)
class Zones:
    """What the lines of one file mean by a time. ``default`` is the zone of times without one."""

    default: tzinfo
    work: Work
    definitions: dict[str, Part] = field(default_factory=dict)
    known: dict[str, tzinfo] = field(default_factory=dict)

    def define(self, definition: Part) -> None:
        """Take a VTIMEZONE up; it is read when a line asks for it, and the first of a name counts."""
        for line in definition.values("TZID")[:1]:
            self.definitions.setdefault(line.value.strip(), definition)

    def when(self, line: Line, named: str) -> When:
        value = moment_of(line.value, joined((named, line.name), ": "))
        tz = self._zone(line.params, named)
        if not isinstance(value, datetime):
            wall = datetime.combine(value, time())
            return When(within(wall, line.name, named), self.default, is_date=True)
        if value.tzinfo is not None:
            tz = UTC
        return When(within(value.replace(tzinfo=None), line.name, named), tz)

    def _zone(self, params: Parameters, named: str) -> tzinfo:
        """The zone of a line: of the world, or else of the file. The world's are kept up to date, a file's are not."""
        name = params.get("TZID")
        if name is None:
            return self.default
        name = str(name).strip()
        if name not in self.known:
            if is_zone(name.strip("/")):
                self.known[name] = zone(name.strip("/"))
            elif name in self.definitions:
                self.known[name] = _defined(self.definitions[name], name, self.work)
            else:
                raise CalendarRefused(
                    say(
                        "{named} is in the time zone «{written}», which nobody knows and the file does not "
                        "define. Choose a zone such as Europe/Berlin, or write UTC.",
                        named=named,
                        written=shown(name),
                    )
                )
        return self.known[name]


def _defined(definition: Part, name: str, work: Work) -> tzinfo:
    """The zone of a VTIMEZONE."""
    named = say("the calendar's time zone «{written}»", written=shown(name))
    changes: set[tuple[datetime, timedelta, timedelta]] = set()
    for part in definition.parts:
        try:
            begin = moment_of(part.values("DTSTART")[0].value, named)
            before, after = (
                vUTCOffset.from_ical(part.values(key)[0].value.strip()) for key in ("TZOFFSETFROM", "TZOFFSETTO")
            )
            if not (abs(before) < DAY and abs(after) < DAY):
                raise ValueError(say("an offset of more than a day"))
        except (ValueError, IndexError):
            raise CalendarRefused(
                say("{named} cannot be read. Choose one such as Europe/Berlin.", named=named)
            ) from None
        first = When(datetime.combine(begin, getattr(begin, "time", time)()), timezone(before))
        onsets = [first.wall]
        for line in part.values("RDATE"):
            for text in line.value.split(","):
                moment = moment_of(text, named)
                onsets.append(datetime.combine(moment, getattr(moment, "time", time)()))
        for line in part.values("RRULE"):
            rule = rule_of(line.value, first, named)
            # Many files let their rules begin in 1601; before 1970 nobody wrote events.
            since = max(first.wall, datetime.combine(date(1970, 1, 1), time()))
            onsets.extend(starts(rule, first.wall, since, LATEST.replace(tzinfo=None), work))
        changes.update((onset - before, before, after) for onset in onsets if 1 < onset.year < 9999)
    if not changes:
        raise CalendarRefused(
            say("{named} says nothing about its clocks. Choose one such as Europe/Berlin.", named=named)
        )
    if len(changes) > MOST_DATES:
        raise CalendarRefused(
            say("{named} changes its clocks too often. Choose one such as Europe/Berlin.", named=named)
        )
    in_order = sorted(changes)
    return _FileZone(name, in_order[0][1], [(moment, after) for moment, _, after in in_order])
