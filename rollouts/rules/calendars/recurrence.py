"""Recurrence rules: what an RRULE says, and the local times at which it lets an event start."""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product

from ..words import joined, say
from .lines import CalendarRefused, shown
from .times import YEARS, When, moment_of

MOST_TIMES_A_DAY = 12
#: Days that may be looked at to work out all repetitions: less than a second. A weekly event takes 7 a week.
MOST_WORK = 400_000

_ENDLESS_COUNT = 100_000
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TOO_OFTEN = {"SECONDLY": say("every second"), "MINUTELY": say("every minute"), "HOURLY": say("every hour")}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
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


class Work:
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
class Rule:
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
        """Without an end that anybody now alive would see."""
        ends = self.until is not None and self.until.year in YEARS
        return not ends and (self.count is None or self.count > _ENDLESS_COUNT)


def starts(rule: Rule, first: datetime, since: datetime, until: datetime, work: Work) -> Iterator[datetime]:
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


def _period(rule: Rule, day: date) -> int:
    """The number of the day, week, month or year, as the rule counts, that the day is in."""
    match rule.freq:
        case "DAILY":
            return day.toordinal()
        case "WEEKLY":
            return (day.toordinal() - 1 - rule.week_start) // 7
        case "MONTHLY":
            return day.year * 12 + day.month - 1
    return day.year


def _days_of(rule: Rule, period: int) -> list[date]:
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


def _matches(rule: Rule, day: date) -> bool:
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


def rule_of(text: str, first: When, named: str) -> Rule:
    """Read an RRULE. Raises ``CalendarRefused`` for what is not known, not valid, or too often."""

    def refuse(why: str) -> CalendarRefused:
        return CalendarRefused(
            say("{named} repeats by a rule that cannot be read: {why} Correct its RRULE.", named=named, why=why)
        )

    parts: dict[str, list[str]] = {}
    for pair in text.strip().strip(";").split(";"):
        key, equals, values = (piece.strip().upper() for piece in pair.partition("="))
        if not equals or key in parts:
            raise refuse(say("«{written}» is no part of it, or there twice.", written=shown(pair)))
        parts[key] = values.split(",")
        if key not in (*_NUMBERS, "FREQ", "UNTIL", "WKST", "BYDAY"):
            raise refuse(say("{written} is not known.", written=shown(key)))
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
    if freq not in _FREQUENCIES:
        raise refuse(say("FREQ={written} is not DAILY, WEEKLY, MONTHLY or YEARLY.", written=shown(freq)))

    numbers: dict[str, frozenset[int]] = {}
    for key, (least, most) in _NUMBERS.items():
        numbers[key] = frozenset(int(one) for one in parts.get(key, []) if re.fullmatch(r"[+-]?[0-9]{1,9}", one))
        wrong = any(not least <= number <= most or (least < 0 and number == 0) for number in numbers[key])
        if wrong or (key in parts and not numbers[key]) or len(parts.get(key, [])) > 1_000:
            raise refuse(
                say(
                    "{key}={written} must be from {least} to {most}.",
                    key=key,
                    written=shown(",".join(parts[key][:20])),
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
        raise refuse(say("WKST={written} is not a day of the week, such as MO.", written=shown(week_start)))
    days = [_WEEKDAY.match(one.strip()) for one in parts.get("BYDAY", [])]
    if not all(days):
        raise refuse(
            say(
                "BYDAY={written} are not days of the week, such as MO or -1FR.",
                written=shown(",".join(parts["BYDAY"][:20])),
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
    return Rule(
        freq,
        max(numbers["INTERVAL"], default=1),
        max(numbers["COUNT"], default=None),
        until,
        _WEEKDAYS.index(week_start),
        by_day,
        numbers,
        times,
    )


def _until(text: str, first: When, named: str) -> datetime:
    """The last local time at which a rule may start, on the side of more: a lock never shrinks."""
    last = moment_of(text, joined((named, "UNTIL"), ": "))
    if not isinstance(last, datetime):
        return datetime.combine(last, time() if first.is_date else time(23, 59, 59))
    wall = last.replace(tzinfo=None)
    if last.tzinfo is not None and last.year in YEARS:
        local = last.astimezone(first.tz).replace(tzinfo=None)
        return max(local, datetime.combine(wall, time())) if first.is_date else local
    return wall
