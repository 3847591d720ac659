"""Events: what one VEVENT says, checked, before its occurrences are worked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from icalendar.prop import vDuration

from ..wording import shorten
from ..words import say
from ..zones import edge
from .lines import CalendarRefused, Line, Part, cleaned, shown
from .recurrence import Rule, rule_of
from .times import DAY, When, within
from .zones import Zones

MOST_RULES = 5  # of one event
LONGEST_TITLE = 200

_TEXTS = ("UID", "SEQUENCE", "SUMMARY", "STATUS")


@dataclass(frozen=True, slots=True)
class Event:
    """One VEVENT, checked. ``replaces`` is the moment of the occurrence that it stands for, ``None`` for a series."""

    named: str
    title: str
    uid: str
    sequence: int
    is_cancelled: bool
    start: When
    end: When
    rules: list[Rule]
    dates: list[tuple[datetime, datetime]]
    excluded: frozenset[datetime]
    excluded_days: frozenset[date]
    replaces: datetime | None
    and_future: bool

    def span(self, wall: datetime) -> tuple[datetime, datetime]:
        """The occurrence that starts at a local time: as long by the clock as the first, whatever clocks do."""
        starts_at = edge(wall, self.start.tz, latest=False)
        ends_at = edge(self.end.wall + (wall - self.start.wall), self.end.tz, latest=True)
        return starts_at, max(starts_at, ends_at)

    @property
    def length(self) -> timedelta:
        return self.end.wall_in(self.start.tz) - self.start.wall

    def excludes(self, starts_at: datetime) -> bool:
        return starts_at in self.excluded or (
            bool(self.excluded_days) and starts_at.astimezone(self.start.tz).date() in self.excluded_days
        )


def event_of(part: Part, number: int, zones: Zones) -> Event:
    """Check one VEVENT. Raises ``CalendarRefused`` that names it."""
    texts = {name: part.values(name)[0].value for name in _TEXTS if part.values(name)}
    title = cleaned(texts.get("SUMMARY", ""))[:LONGEST_TITLE].strip()
    named = f"«{shorten(title)}»" if title else say("event {number} of the calendar", number=str(number))
    is_cancelled = texts.get("STATUS", "").strip().upper() == "CANCELLED"
    for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
        if len(part.values(name)) > 1:
            raise CalendarRefused(say("{named} has {name} more than once. Keep one of them.", named=named, name=name))

    if len(part.values("RRULE")) > MOST_RULES:
        raise CalendarRefused(
            say(
                "{named} repeats by more than {most} rules. Make it several events.",
                named=named,
                most=MOST_RULES,
            )
        )

    replaces, and_future = None, False
    for line in part.values("RECURRENCE-ID"):
        replaces = zones.when(line, named)
        and_future = str(line.params.get("RANGE", "")).upper() == "THISANDFUTURE"
    starts = part.values("DTSTART")
    start = zones.when(starts[0], named) if starts else replaces if is_cancelled else None
    if start is None:
        raise CalendarRefused(say("{named} has no DTSTART. Say when it starts.", named=named))
    end = _end_of(part, start, named, zones)
    if end.at(latest=True) < start.at() or (end.tz is start.tz and end.wall < start.wall):
        if not is_cancelled:
            raise CalendarRefused(
                say(
                    "{named} ends before it starts: it starts on {start}, and ends on {end}. Let it end later.",
                    named=named,
                    start=start.wall,
                    end=end.wall,
                )
            )
        end = start
    if start.is_date and end.is_date and end.wall == start.wall:  # many programs mean the whole day by that
        end = When(start.wall + DAY, start.tz, is_date=True)

    rules: list[Rule] = []
    dates: list[tuple[datetime, datetime]] = []
    excluded: list[When] = []
    if replaces is None and not is_cancelled:  # an exception is one occurrence, whatever else it says
        rules = [rule_of(line.value, start, named) for line in part.values("RRULE")]
        dates = [span for line in part.values("RDATE") for span in _dates(line, start, end, named, zones)]
        excluded = [
            zones.when(Line(line.name, line.params, text), named)
            for line in part.values("EXDATE")
            for text in line.value.split(",")
        ]
    sequence = texts.get("SEQUENCE", "").strip()
    return Event(
        named,
        title,
        texts.get("UID", "").strip() or f" {number}",
        int(sequence) if re.fullmatch("[0-9]{1,9}", sequence) else 0,
        is_cancelled,
        start,
        end,
        rules,
        dates,
        frozenset(one.at() for one in excluded if not start.is_date),
        frozenset(one.wall.date() for one in excluded if start.is_date or one.is_date),
        replaces.at() if replaces else None,
        and_future,
    )


def _end_of(part: Part, start: When, named: str, zones: Zones) -> When:
    for line in part.values("DTEND"):
        return zones.when(line, named)
    if not part.values("DURATION"):
        return When(start.wall + (DAY if start.is_date else timedelta(0)), start.tz, start.is_date)
    text = part.values("DURATION")[0].value.strip()
    try:
        length = vDuration.from_ical(text.upper())
        wall = start.wall + length
    except (ValueError, OverflowError):
        raise CalendarRefused(
            say(
                "{named} lasts «{written}», which is no duration. Write it as PT4H or P1D.",
                named=named,
                written=shown(text),
            )
        ) from None
    return When(within(wall, "DURATION", named), start.tz, start.is_date and not length % DAY)


def _dates(line: Line, start: When, end: When, named: str, zones: Zones) -> Iterator[tuple[datetime, datetime]]:
    """The occurrences of an RDATE: dates and times, or periods with an end or a length of their own."""
    for text in line.value.split(","):
        first, slash, last = text.partition("/")
        begin = zones.when(Line(line.name, line.params, first), named)
        if start.is_date:
            begin = When(datetime.combine(begin.wall, time()), start.tz, is_date=True)
        if slash:
            lasts = last.strip().upper().startswith(("P", "+P", "-P"))
            given = Line("DURATION" if lasts else "DTEND", line.params, last)
            finish = _end_of(Part("VEVENT", [given]), begin, named, zones)
        else:
            finish = When(end.wall + (begin.wall_in(start.tz) - start.wall), end.tz)
        if finish.at(latest=True) < begin.at():
            raise CalendarRefused(
                say(
                    "{named} ends before it starts on {start} (RDATE). Let it end later.",
                    named=named,
                    start=begin.wall,
                )
            )
        yield begin.at(), finish.at(latest=True)
