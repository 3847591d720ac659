"""Change locks from a calendar file: what an iCalendar (RFC 5545) of anybody's making says, within bounds.

``icalendar`` unfolds lines and reads values, ``recurring_ical_events`` puts exceptions in the place of occurrences. The
steps between (structure, zones, repetition rules) are here, because a file may ask for work without end there:
docs/decisions/0016-icalendar.md.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from calendar import isleap, monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from heapq import merge
from itertools import pairwise, product

import recurring_ical_events
from icalendar import Calendar, Event
from icalendar.parser import Contentline, Contentlines, Parameters
from icalendar.prop import vDDDLists, vDDDTypes, vDuration, vUTCOffset

from .locks import Window
from .wording import shorten
from .words import joined, say
from .zones import edge, is_zone, zone

LARGEST = 1_000_000  # bytes
MOST_EVENTS = 2_000
MOST_WINDOWS = 2_000
MOST_DATES = 10_000  # RDATE and EXDATE together
MOST_LEVELS = 10
MOST_TIMES_A_DAY = 12
MOST_RULES = 5  # of one event
LONGEST_TITLE = 200
#: Days that may be looked at to work out all repetitions: less than a second. A weekly event takes 7 a week.
MOST_WORK = 400_000
YEARS = range(1900, 2200)

_DAY = timedelta(days=1)
_ZERO = timedelta(0)
_EARLIEST, _LATEST = datetime(YEARS[0], 1, 2, tzinfo=UTC), datetime(YEARS[-1], 12, 30, tzinfo=UTC)
_ENDLESS_COUNT = 100_000
#: Which lines are read of which part; all others are passed over.
_READ = {
    "VCALENDAR": frozenset({"CALSCALE"}),
    "VEVENT": frozenset("UID SEQUENCE SUMMARY STATUS DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID".split()),
    "VTIMEZONE": frozenset({"TZID"}),
    "STANDARD": frozenset("DTSTART TZOFFSETFROM TZOFFSETTO RRULE RDATE".split()),
    "DAYLIGHT": frozenset("DTSTART TZOFFSETFROM TZOFFSETTO RRULE RDATE".split()),
}
_LENGTHS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
_TOO_OFTEN = {"SECONDLY": say("every second"), "MINUTELY": say("every minute"), "HOURLY": say("every hour")}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MOMENT = re.compile("[0-9]{8}(T[0-9]{6}Z?)?$")
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z")
#: The least and the most of a part's numbers; where the least is negative they count from the end, and 0 is none.
_NUMBERS = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "INTERVAL": (1, 10_000),
    "COUNT": (1, 999_999_999),
}


class CalendarRefused(ValueError):
    """Why a calendar is not read, in words: what, where, and the cure."""


def read_calendar(content: bytes, *, since: datetime, until: datetime, default_zone: str = "UTC") -> tuple[Window, ...]:
    """All events that touch [since, until) (aware), whole, in order, each once.

    Times without a zone and whole days are those of ``default_zone``. Events without a length lock nothing and are
    left out, as are cancelled ones. Raises ``CalendarRefused``; and plain ``ValueError`` for an unknown
    ``default_zone`` or a span without a zone, which are not the calendar's fault.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError(say("since and until need a zone. Give them in UTC."))
    reading = _Reading(max(since.astimezone(UTC), _EARLIEST), min(until.astimezone(UTC), _LATEST), zone(default_zone))
    calendars = _parts_of(_text_of(content))
    for calendar in calendars:
        for line in calendar.values("CALSCALE"):
            if line.value.strip().upper() != "GREGORIAN":
                raise CalendarRefused(
                    say("the calendar counts by «{written}». Export it as a Gregorian one.", written=_shown(line.value))
                )
    for definition in (part for calendar in calendars for part in calendar.parts if part.name == "VTIMEZONE"):
        for line in definition.values("TZID")[:1]:
            reading.definitions.setdefault(line.value.strip(), definition)
    parts = [part for calendar in calendars for part in calendar.parts if part.name == "VEVENT"]
    dates = sum(line.value.count(",") + 1 for part in parts for line in part.values("RDATE") + part.values("EXDATE"))
    if dates > MOST_DATES:
        raise CalendarRefused(
            say(
                "the calendar has {dates} single dates (RDATE, EXDATE), {most} are the most. Use a rule instead.",
                dates=dates,
                most=MOST_DATES,
            )
        )
    return reading.windows([reading.event(part, number) for number, part in enumerate(parts, 1)])


# The file: text, lines, parts


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    params: Parameters
    value: str


@dataclass(slots=True)
class _Part:
    """What stands between BEGIN and END."""

    name: str
    lines: list[_Line] = field(default_factory=list)
    parts: list[_Part] = field(default_factory=list)

    def values(self, name: str) -> list[_Line]:
        return [line for line in self.lines if line.name == name]


def _text_of(content: bytes) -> str:
    if len(content) > LARGEST:
        raise CalendarRefused(
            say("the calendar is larger than {size} MB. Export a shorter span of it.", size=f"{LARGEST / 1e6:g}")
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise CalendarRefused(
            say("the calendar's line {line} is not UTF-8 text. Export it as UTF-8.", line=str(line))
        ) from None


def _parts_of(text: str) -> list[_Part]:
    """The file's calendars. Raises ``CalendarRefused`` for another kind of file, a broken, deep or crowded one."""
    found: list[_Part] = []
    open_parts: list[_Part] = []
    events = 0
    for line in Contentlines.from_ical(text):
        if not line.strip():
            continue
        name, value = re.split("[:;]", line, maxsplit=1)[0].strip().upper(), line.partition(":")[2].strip().upper()
        if not open_parts and (name, value) != ("BEGIN", "VCALENDAR"):
            raise CalendarRefused(
                say("this is not an iCalendar file: no BEGIN:VCALENDAR. Export the calendar as .ics.")
            )
        if name == "BEGIN":
            part = _Part(value)
            (open_parts[-1].parts if open_parts else found).append(part)
            open_parts.append(part)
            events += value == "VEVENT"
        elif name == "END":
            if open_parts.pop().name != value:
                raise CalendarRefused(
                    say(
                        "the calendar is broken: END:{written} ends another part. Export it anew.",
                        written=_shown(value),
                    )
                )
        elif name in _READ.get(open_parts[-1].name, ()):
            open_parts[-1].lines.append(_line(line))
        if len(open_parts) > MOST_LEVELS:
            raise CalendarRefused(
                say(
                    "the calendar's parts lie {most} deep in each other. Export it anew.",
                    most=MOST_LEVELS,
                )
            )
        if events > MOST_EVENTS:
            raise CalendarRefused(
                say(
                    "the calendar has more than {most} events. Export a shorter span of it.",
                    most=MOST_EVENTS,
                )
            )
    if open_parts:
        raise CalendarRefused(
            say("the calendar breaks off inside {written}. Export it anew.", written=_shown(open_parts[-1].name))
        )
    if not found:
        raise CalendarRefused(say("the calendar is empty. Export it as .ics."))
    return found


def _line(line: Contentline) -> _Line:
    try:
        name, params, value = line.parts()
    except (ValueError, IndexError):
        raise CalendarRefused(
            say("the calendar's line «{written}» cannot be read. Export it anew.", written=_shown(line))
        ) from None
    return _Line(name.upper(), params, value)


def _shown(text: str) -> str:
    return shorten(_cleaned(text[:200]))


def _cleaned(text: str) -> str:
    """On one line, without what cannot be seen (control characters, marks that turn the direction of writing)."""
    return " ".join("".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text).split())


# Repetition: a rule and the local times at which it starts


class _Work:
    """How many days may still be looked at."""

    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, days: int) -> None:
        self.left -= days
        if self.left < 0:
            raise CalendarRefused(
                say("the calendar's repetitions take too much work to read. Export a shorter span, or fewer events.")
            )


@dataclass(frozen=True, slots=True)
class _Rule:
    """An RRULE. Times are local and naive; ``days`` are (which one in the month or year, or 0 for each; weekday)."""

    freq: str
    interval: int
    count: int | None
    until: datetime | None
    week_start: int
    days: frozenset[tuple[int, int]]
    numbers: dict[str, frozenset[int]]
    times: tuple[time, ...]

    @property
    def is_endless(self) -> bool:
        ends = self.until is not None and self.until.year in YEARS
        return not ends and (self.count is None or self.count > _ENDLESS_COUNT)


def _starts(rule: _Rule, first: datetime, since: datetime, until: datetime, work: _Work) -> Iterator[datetime]:
    """The rule's starts in [since, until], rising; ``first`` is where it counts from. All local and naive."""
    origin, last = _period(rule, first.date()), _period(rule, until.date())
    begin = origin
    if rule.count is None:  # without a count nothing before the span matters
        begin += max(0, _period(rule, since.date()) - origin) // rule.interval * rule.interval
    positions = rule.numbers["BYSETPOS"]
    count = 0
    for period in range(begin, last + 1, rule.interval):
        days = _days_of(rule, period)
        work.spend(1 + len(days) * (1 + len(rule.times) // 4))
        chosen = [datetime.combine(day, clock) for day in days if _matches(rule, day) for clock in rule.times]
        if positions:
            size = len(chosen)
            chosen = [one for place, one in enumerate(chosen, 1) if {place, place - size - 1} & positions]
        for start in chosen:
            if start < first:
                continue
            count += 1
            if start > until or (rule.until and start > rule.until) or (rule.count and count > rule.count):
                return
            if start >= since:
                yield start


def _period(rule: _Rule, day: date) -> int:
    """The number of the day, week, month or year, as the rule counts, that the day is in."""
    match rule.freq:
        case "DAILY":
            return day.toordinal()
        case "WEEKLY":
            return (day.toordinal() - 1 - rule.week_start) // 7
        case "MONTHLY":
            return day.year * 12 + day.month - 1
    return day.year


def _days_of(rule: _Rule, period: int) -> list[date]:
    """The days of a period, without the months that the rule leaves out."""
    match rule.freq:
        case "DAILY":
            return [date.fromordinal(period)]
        case "WEEKLY":
            monday = period * 7 + 1 + rule.week_start
            return [date.fromordinal(day) for day in range(monday, monday + 7)]
        case "MONTHLY":
            months = [divmod(period, 12)]
        case _:
            months = [(period, month) for month in range(12)]
    wanted = rule.numbers["BYMONTH"]
    return [
        date(year, month + 1, day)
        for year, month in months
        if not wanted or month + 1 in wanted
        for day in range(1, monthrange(year, month + 1)[1] + 1)
    ]


def _matches(rule: _Rule, day: date) -> bool:
    numbers = rule.numbers
    if numbers["BYMONTH"] and day.month not in numbers["BYMONTH"]:
        return False
    in_month, in_year = monthrange(day.year, day.month)[1], 366 if isleap(day.year) else 365
    of_year = day.timetuple().tm_yday
    if numbers["BYMONTHDAY"] and not {day.day, day.day - in_month - 1} & numbers["BYMONTHDAY"]:
        return False
    if numbers["BYYEARDAY"] and not {of_year, of_year - in_year - 1} & numbers["BYYEARDAY"]:
        return False
    if numbers["BYWEEKNO"] and not _week_numbers(day, rule.week_start) & numbers["BYWEEKNO"]:
        return False
    if not rule.days or (0, day.weekday()) in rule.days:
        return True
    by_month = rule.freq == "MONTHLY" or numbers["BYMONTH"]
    place, size = (day.day, in_month) if by_month else (of_year, in_year)
    return bool({((place - 1) // 7 + 1, day.weekday()), (-((size - place) // 7 + 1), day.weekday())} & rule.days)


def _week_numbers(day: date, week_start: int) -> set[int]:
    """The number of the day's week, from the year's start and from its end; a week is of the year of its middle."""
    middle = day + timedelta(days=3 - (day.weekday() - week_start) % 7)
    end = date(middle.year, 12, 31)
    last = end - timedelta(days=(end.weekday() - middle.weekday()) % 7)
    number, of = ((one.timetuple().tm_yday - 1) // 7 + 1 for one in (middle, last))
    return {number, number - of - 1}


def _rule(text: str, first: _When, named: str) -> _Rule:
    """Read an RRULE. Raises ``CalendarRefused`` for what is not known, not valid, or too often."""

    def refuse(why: str) -> CalendarRefused:
        return CalendarRefused(
            say("{named} repeats by a rule that cannot be read: {why} Correct its RRULE.", named=named, why=why)
        )

    parts: dict[str, list[str]] = {}
    for pair in text.strip().strip(";").split(";"):
        key, equals, values = (piece.strip().upper() for piece in pair.partition("="))
        if not equals or key in parts:
            raise refuse(say("«{written}» is no part of it, or there twice.", written=_shown(pair)))
        parts[key] = values.split(",")
        if key not in (*_NUMBERS, "FREQ", "UNTIL", "WKST", "BYDAY"):
            raise refuse(say("{written} is not known.", written=_shown(key)))
    freq = ",".join(parts.get("FREQ", []))
    if freq in _TOO_OFTEN:
        raise CalendarRefused(
            say(
                "{named} repeats {often} (FREQ={freq}). Let it repeat daily, weekly, monthly or yearly; what "
                "lasts longer is one longer event.",
                named=named,
                often=_TOO_OFTEN[freq],
                freq=freq,
            )
        )
    if freq not in _LENGTHS:
        raise refuse(say("FREQ={written} is not DAILY, WEEKLY, MONTHLY or YEARLY.", written=_shown(freq)))

    numbers: dict[str, frozenset[int]] = {}
    for key, (least, most) in _NUMBERS.items():
        numbers[key] = frozenset(int(one) for one in parts.get(key, []) if re.fullmatch(r"[+-]?[0-9]{1,9}", one))
        wrong = any(not least <= number <= most or (least < 0 and number == 0) for number in numbers[key])
        if wrong or (key in parts and not numbers[key]) or len(parts.get(key, [])) > 1_000:
            raise refuse(
                say(
                    "{key}={written} must be from {least} to {most}.",
                    key=key,
                    written=_shown(",".join(parts[key][:20])),
                    least=least,
                    most=most,
                )
            )
    if any(not re.fullmatch(r"[+-]?[0-9]{1,9}", one) for key in _NUMBERS for one in parts.get(key, [])):
        raise refuse(say("one of its numbers is none."))
    if len(numbers["INTERVAL"]) > 1 or len(numbers["COUNT"]) > 1:
        raise refuse(say("INTERVAL and COUNT are one number each."))

    week_start = ",".join(parts.get("WKST", ["MO"]))
    if week_start not in _WEEKDAYS:
        raise refuse(say("WKST={written} is not a day of the week, such as MO.", written=_shown(week_start)))
    days = [_WEEKDAY.match(one.strip()) for one in parts.get("BYDAY", [])]
    if not all(days):
        raise refuse(
            say(
                "BYDAY={written} are not days of the week, such as MO or -1FR.",
                written=_shown(",".join(parts["BYDAY"][:20])),
            )
        )
    by_day = frozenset((int(one[1] or 0), _WEEKDAYS.index(one[2])) for one in days if one)
    if freq in ("DAILY", "WEEKLY") and any(which for which, _ in by_day):
        raise refuse(say("the first or last weekday of what? FREQ={freq} has none.", freq=freq))

    if not any(numbers[key] for key in ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY")) and not by_day:
        # What the rule does not say, the first occurrence does (RFC 5545, 3.3.10).
        if freq == "WEEKLY":
            by_day = frozenset({(0, first.wall.weekday())})
        elif freq in ("MONTHLY", "YEARLY"):
            numbers["BYMONTHDAY"] = frozenset({first.wall.day})
            if freq == "YEARLY":
                numbers["BYMONTH"] = numbers["BYMONTH"] or frozenset({first.wall.month})
    clock = first.wall.time()
    hours = sorted(numbers["BYHOUR"] or {clock.hour})
    minutes = sorted(numbers["BYMINUTE"] or {clock.minute})
    seconds = sorted(numbers["BYSECOND"] or {clock.second})
    if len(hours) * len(minutes) * len(seconds) > MOST_TIMES_A_DAY:
        raise CalendarRefused(
            say(
                "{named} repeats more than {most} times a day. Make it one longer event on each day.",
                named=named,
                most=MOST_TIMES_A_DAY,
            )
        )
    times = (clock,) if first.is_date else tuple(time(*one) for one in product(hours, minutes, seconds))
    until = _until(",".join(parts["UNTIL"]), first, named) if "UNTIL" in parts else None
    return _Rule(
        freq,
        max(numbers["INTERVAL"], default=1),
        max(numbers["COUNT"], default=None),
        until,
        _WEEKDAYS.index(week_start),
        by_day,
        numbers,
        times,
    )


def _until(text: str, first: _When, named: str) -> datetime:
    """The last local time at which a rule may start, on the side of more: a lock never shrinks."""
    last = _moment(text, joined((named, "UNTIL"), ": "))
    if not isinstance(last, datetime):
        return datetime.combine(last, time() if first.is_date else time(23, 59, 59))
    wall = last.replace(tzinfo=None)
    if last.tzinfo is not None and last.year in YEARS:
        local = last.astimezone(first.tz).replace(tzinfo=None)
        return max(local, datetime.combine(wall, time())) if first.is_date else local
    return wall


def _locks_for_ever(rules: list[_Rule], first: datetime, length: timedelta, work: _Work) -> bool:
    """Whether rules without an end leave no gap. Exceptions do not matter: there is always a time after the last."""
    # Five years hold a leap year and every weekday of each month; two periods hold two starts.
    years = timedelta(days=min(5 * 366 + max(2 * _LENGTHS[rule.freq] * rule.interval for rule in rules), 73_000))
    horizon = first + years
    covered = None
    for start in merge(*(_starts(rule, first, first, horizon, work) for rule in rules)):
        if covered is not None and start > covered:
            return False
        covered = max(covered or start, start + length)
    return covered is not None and covered >= horizon


# Times: local, of a zone that has a name or that the file defines


@dataclass(frozen=True, slots=True)
class _When:
    """A local time, naive, and its zone; a whole day is its 00:00."""

    wall: datetime
    tz: tzinfo
    is_date: bool = False

    def at(self, *, latest: bool = False) -> datetime:
        return edge(self.wall, self.tz, latest=latest)

    def wall_in(self, tz: tzinfo) -> datetime:
        return self.wall if self.tz is tz else self.at().astimezone(tz).replace(tzinfo=None)


def _moment(text: str, named: str) -> date:
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
                written=_shown(text),
            )
        )
    return value


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
        return _ZERO

    def tzname(self, moment: datetime | None) -> str:
        return self._name

    def fromutc(self, moment: datetime) -> datetime:
        naive = moment.replace(tzinfo=None)
        place = bisect_right(self._moments, naive)
        local = naive + self._offsets[place]
        twice = place > 0 and naive - self._moments[place - 1] < self._offsets[place - 1] - self._offsets[place]
        return local.replace(tzinfo=self, fold=int(twice))


# Events


@dataclass(frozen=True, slots=True)
class _Event:
    """One VEVENT, checked. ``replaces`` is the moment of the occurrence that it stands for, ``None`` for a series."""

    named: str
    title: str
    uid: str
    sequence: int
    is_cancelled: bool
    start: _When
    end: _When
    rules: list[_Rule]
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


@dataclass(slots=True)
class _Reading:
    """One reading of one file, for a span of time."""

    since: datetime
    until: datetime
    default: tzinfo
    definitions: dict[str, _Part] = field(default_factory=dict)
    zones: dict[str, tzinfo] = field(default_factory=dict)
    work: _Work = field(default_factory=_Work)

    def event(self, part: _Part, number: int) -> _Event:
        """Check one VEVENT. Raises ``CalendarRefused`` that names it."""
        texts = {name: part.values(name)[0].value for name in _TEXTS if part.values(name)}
        title = _cleaned(texts.get("SUMMARY", ""))[:LONGEST_TITLE].strip()
        named = f"«{shorten(title)}»" if title else say("event {number} of the calendar", number=str(number))
        is_cancelled = texts.get("STATUS", "").strip().upper() == "CANCELLED"
        for name in ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID"):
            if len(part.values(name)) > 1:
                raise CalendarRefused(
                    say("{named} has {name} more than once. Keep one of them.", named=named, name=name)
                )

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
            replaces = self.when(line, named)
            and_future = str(line.params.get("RANGE", "")).upper() == "THISANDFUTURE"
        starts = part.values("DTSTART")
        start = self.when(starts[0], named) if starts else replaces if is_cancelled else None
        if start is None:
            raise CalendarRefused(say("{named} has no DTSTART. Say when it starts.", named=named))
        end = self.end_of(part, start, named)
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
            end = _When(start.wall + _DAY, start.tz, is_date=True)

        rules: list[_Rule] = []
        dates: list[tuple[datetime, datetime]] = []
        excluded: list[_When] = []
        if replaces is None and not is_cancelled:  # an exception is one occurrence, whatever else it says
            rules = [_rule(line.value, start, named) for line in part.values("RRULE")]
            dates = [span for line in part.values("RDATE") for span in self.dates(line, start, end, named)]
            excluded = [
                self.when(_Line(line.name, line.params, text), named)
                for line in part.values("EXDATE")
                for text in line.value.split(",")
            ]
        sequence = texts.get("SEQUENCE", "").strip()
        return _Event(
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

    def end_of(self, part: _Part, start: _When, named: str) -> _When:
        for line in part.values("DTEND"):
            return self.when(line, named)
        if not part.values("DURATION"):
            return _When(start.wall + (_DAY if start.is_date else _ZERO), start.tz, start.is_date)
        text = part.values("DURATION")[0].value.strip()
        try:
            length = vDuration.from_ical(text.upper())
            wall = start.wall + length
        except (ValueError, OverflowError):
            raise CalendarRefused(
                say(
                    "{named} lasts «{written}», which is no duration. Write it as PT4H or P1D.",
                    named=named,
                    written=_shown(text),
                )
            ) from None
        return _When(self.within(wall, "DURATION", named), start.tz, start.is_date and not length % _DAY)

    def dates(self, line: _Line, start: _When, end: _When, named: str) -> Iterator[tuple[datetime, datetime]]:
        """The occurrences of an RDATE: dates and times, or periods with an end or a length of their own."""
        for text in line.value.split(","):
            first, slash, last = text.partition("/")
            begin = self.when(_Line(line.name, line.params, first), named)
            if start.is_date:
                begin = _When(datetime.combine(begin.wall, time()), start.tz, is_date=True)
            if slash:
                lasts = last.strip().upper().startswith(("P", "+P", "-P"))
                given = _Line("DURATION" if lasts else "DTEND", line.params, last)
                finish = self.end_of(_Part("VEVENT", [given]), begin, named)
            else:
                finish = _When(end.wall + (begin.wall_in(start.tz) - start.wall), end.tz)
            if finish.at(latest=True) < begin.at():
                raise CalendarRefused(
                    say(
                        "{named} ends before it starts on {start} (RDATE). Let it end later.",
                        named=named,
                        start=begin.wall,
                    )
                )
            yield begin.at(), finish.at(latest=True)

    def when(self, line: _Line, named: str) -> _When:
        value = _moment(line.value, joined((named, line.name), ": "))
        tz = self.zone(line.params, named)
        if not isinstance(value, datetime):
            wall = datetime.combine(value, time())
            return _When(self.within(wall, line.name, named), self.default, is_date=True)
        if value.tzinfo is not None:
            tz = UTC
        return _When(self.within(value.replace(tzinfo=None), line.name, named), tz)

    def within(self, wall: datetime, name: str, named: str) -> datetime:
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

    def zone(self, params: Parameters, named: str) -> tzinfo:
        """The zone of a line: of the world, or else of the file. The world's are kept up to date, a file's are not."""
        name = params.get("TZID")
        if name is None:
            return self.default
        name = str(name).strip()
        if name not in self.zones:
            if is_zone(name.strip("/")):
                self.zones[name] = zone(name.strip("/"))
            elif name in self.definitions:
                self.zones[name] = self.defined(self.definitions[name], name)
            else:
                raise CalendarRefused(
                    say(
                        "{named} is in the time zone «{written}», which nobody knows and the file does not "
                        "define. Choose a zone such as Europe/Berlin, or write UTC.",
                        named=named,
                        written=_shown(name),
                    )
                )
        return self.zones[name]

    def defined(self, definition: _Part, name: str) -> tzinfo:
        """The zone of a VTIMEZONE."""
        named = say("the calendar's time zone «{written}»", written=_shown(name))
        changes: set[tuple[datetime, timedelta, timedelta]] = set()
        for part in definition.parts:
            try:
                begin = _moment(part.values("DTSTART")[0].value, named)
                before, after = (
                    vUTCOffset.from_ical(part.values(key)[0].value.strip()) for key in ("TZOFFSETFROM", "TZOFFSETTO")
                )
                if not (abs(before) < _DAY and abs(after) < _DAY):
                    raise ValueError(say("an offset of more than a day"))
            except (ValueError, IndexError):
                raise CalendarRefused(
                    say("{named} cannot be read. Choose one such as Europe/Berlin.", named=named)
                ) from None
            first = _When(datetime.combine(begin, getattr(begin, "time", time)()), timezone(before))
            onsets = [first.wall]
            for line in part.values("RDATE"):
                for text in line.value.split(","):
                    moment = _moment(text, named)
                    onsets.append(datetime.combine(moment, getattr(moment, "time", time)()))
            for line in part.values("RRULE"):
                rule = _rule(line.value, first, named)
                # Many files let their rules begin in 1601; before 1970 nobody wrote events.
                since = max(first.wall, datetime.combine(date(1970, 1, 1), time()))
                onsets.extend(_starts(rule, first.wall, since, _LATEST.replace(tzinfo=None), self.work))
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

    def windows(self, events: list[_Event]) -> tuple[Window, ...]:
        """What of the events touches the span."""
        if self.since >= self.until:
            return ()
        calendar = Calendar()
        by_uid: dict[str, list[_Event]] = defaultdict(list)
        for event in events:
            by_uid[event.uid].append(event)
        found = 0
        for number, same in enumerate(by_uid.values()):
            exceptions = [event for event in same if event.replaces is not None]
            series = [event for event in same if event.replaces is None]
            newest = max((event.sequence for event in series), default=0)
            series = [event for event in series if event.sequence == newest and not event.is_cancelled]
            for event in exceptions:
                if event.replaces and not any(one.excludes(event.replaces) for one in series):
                    calendar.add_component(_component(event, f"{number}-0", []))
            for place, event in enumerate(series):  # two series of one name are two: rather lock too much
                spans = self.spans(event, [one for one in exceptions if one.and_future])
                found += sum(self.touches(*span) for span in spans)
                if found > MOST_WINDOWS:
                    raise self.too_many(event.named)
                calendar.add_component(_component(event, f"{number}-{place}", spans))
        return self.expanded(calendar, events)

    def spans(self, event: _Event, moves: list[_Event]) -> list[tuple[datetime, datetime]]:
        """The series' occurrences that touch the span, or may once ``moves`` (of all that follow) are made."""
        endless = [rule for rule in event.rules if rule.is_endless]
        if endless and _locks_for_ever(endless, event.start.wall, event.length, self.work):
            raise CalendarRefused(
                say(
                    "{named} repeats without end and without a gap: it would lock for ever. Give it an UNTIL, or "
                    "shorten it.",
                    named=event.named,
                )
            )
        back, ahead = event.length, _ZERO
        for one in moves:
            move = one.start.at() - (one.replaces or one.start.at())
            back, ahead = max(back, move + one.length), max(ahead, -move)
            self.work.spend(1_000)
        since, until = ((one.astimezone(event.start.tz).replace(tzinfo=None)) for one in (self.since, self.until))
        since, until = since - back - 2 * _DAY, until + ahead + 2 * _DAY
        starts = {start for rule in event.rules for start in self.capped(rule, event, since, until)}
        spans = {*(event.span(start) for start in starts), *event.dates, event.span(event.start.wall)}
        if moves:  # a later length counts, not this one: an hour's change of clocks inside is lost
            usual = event.span(event.start.wall)
            spans = {(begin, begin + (usual[1] - usual[0])) for begin, _ in spans}
        return sorted(span for span in spans if (moves or self.touches(*span)) and not event.excludes(span[0]))

    def capped(self, rule: _Rule, event: _Event, since: datetime, until: datetime) -> Iterator[datetime]:
        for number, start in enumerate(_starts(rule, event.start.wall, since, until, self.work)):
            if number > 2 * MOST_WINDOWS + len(event.excluded) + len(event.excluded_days):
                raise self.too_many(event.named)
            yield start

    def expanded(self, calendar: Calendar, events: list[_Event]) -> tuple[Window, ...]:
        """The occurrences with the exceptions in their places."""
        # Only what may touch the span is in there; the library would not look back far enough for long periods.
        far = timedelta(days=366 * len(YEARS))
        until = self.until + far if any(event.and_future for event in events) else self.until
        found: set[Window] = set()
        for occurrence in recurring_ical_events.of(calendar).between(self.since - far, until):
            starts_at, ends_at = occurrence["DTSTART"].dt, occurrence["DTEND"].dt
            if occurrence["STATUS"] != "CANCELLED" and self.touches(starts_at, ends_at):
                found.add(Window(starts_at, ends_at, str(occurrence["SUMMARY"])))
        if len(found) > MOST_WINDOWS:
            raise self.too_many(say("the last event"))
        return tuple(sorted(found))

    def touches(self, starts_at: datetime, ends_at: datetime) -> bool:
        return starts_at < ends_at and starts_at < self.until and self.since < ends_at

    def too_many(self, named: str) -> CalendarRefused:
        return CalendarRefused(
            say(
                "{named}: with it the calendar has more than {most} occurrences from {since} to {until}. Let it "
                "repeat less often, or export fewer events.",
                named=named,
                most=MOST_WINDOWS,
                since=self.since.date(),
                until=self.until.date(),
            )
        )


_TEXTS = ("UID", "SEQUENCE", "SUMMARY", "STATUS")


def _component(event: _Event, uid: str, spans: list[tuple[datetime, datetime]]) -> Event:
    """The event for the library, all in UTC and with nothing left to work out: no rule, no zone, no local time."""
    component = Event()
    component["UID"], component["SEQUENCE"] = uid, event.sequence
    component["SUMMARY"], component["STATUS"] = event.title, "CANCELLED" if event.is_cancelled else "CONFIRMED"
    starts_at, ends_at = event.span(event.start.wall)
    component["DTSTART"], component["DTEND"] = vDDDTypes(starts_at), vDDDTypes(ends_at)
    if event.replaces is not None:
        component["RECURRENCE-ID"] = vDDDTypes(event.replaces, {"RANGE": "THISANDFUTURE"} if event.and_future else {})
    usual = ends_at - starts_at
    periods = [(begin, end) if end - begin != usual else begin for begin, end in spans if begin != starts_at]
    if periods:
        component["RDATE"] = vDDDLists(periods)
    if event.excludes(starts_at):
        component["EXDATE"] = vDDDLists([starts_at])
    return component
