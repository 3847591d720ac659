"""The text of a calendar file: its lines, and the parts that they make between BEGIN and END."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from icalendar.parser import Contentline, Contentlines, Parameters

from ..wording import shorten
from ..words import say

LARGEST = 1_000_000  # bytes
MOST_EVENTS = 2_000
MOST_LEVELS = 10

#: Which lines are read of which part; all others are passed over.
_READ = {
    "VCALENDAR": frozenset({"CALSCALE"}),
    "VEVENT": frozenset("UID SEQUENCE SUMMARY STATUS DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID".split()),
    "VTIMEZONE": frozenset({"TZID"}),
    "STANDARD": frozenset("DTSTART TZOFFSETFROM TZOFFSETTO RRULE RDATE".split()),
    "DAYLIGHT": frozenset("DTSTART TZOFFSETFROM TZOFFSETTO RRULE RDATE".split()),
}


class CalendarRefused(ValueError):
    """Why a calendar is not read, in words: what, where, and the cure."""


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    params: Parameters
    value: str


@dataclass(slots=True)
class Part:
    """What stands between BEGIN and END."""

    name: str
    lines: list[Line] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def values(self, name: str) -> list[Line]:
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


def calendars_of(content: bytes) -> list[Part]:
    """The file's calendars. Raises ``CalendarRefused`` for another kind of file, a broken, deep or crowded one."""
    found: list[Part] = []
    open_parts: list[Part] = []
    events = 0
    for line in Contentlines.from_ical(_text_of(content)):
        if not line.strip():
            continue
        name, value = re.split("[:;]", line, maxsplit=1)[0].strip().upper(), line.partition(":")[2].strip().upper()
        if not open_parts and (name, value) != ("BEGIN", "VCALENDAR"):
            raise CalendarRefused(
                say("this is not an iCalendar file: no BEGIN:VCALENDAR. Export the calendar as .ics.")
            )
        if name == "BEGIN":
            part = Part(value)
            (open_parts[-1].parts if open_parts else found).append(part)
            open_parts.append(part)
            events += value == "VEVENT"
        elif name == "END":
            if open_parts.pop().name != value:
                raise CalendarRefused(
                    say(
                        "the calendar is broken: END:{written} ends another part. Export it anew.",
                        written=shown(value),
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
            say("the calendar breaks off inside {written}. Export it anew.", written=shown(open_parts[-1].name))
        )
    if not found:
        raise CalendarRefused(say("the calendar is empty. Export it as .ics."))
    return found


def _line(line: Contentline) -> Line:
    try:
        name, params, value = line.parts()
    except (ValueError, IndexError):
        raise CalendarRefused(
            say("the calendar's line «{written}» cannot be read. Export it anew.", written=shown(line))
        ) from None
    return Line(name.upper(), params, value)


def shown(text: str) -> str:
    return shorten(cleaned(text[:200]))


def cleaned(text: str) -> str:
    """On one line, without what cannot be seen (control characters, marks that turn the direction of writing)."""
    return " ".join("".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text).split())
