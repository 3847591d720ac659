"""From a file's bytes to ``icalendar``'s calendars: what can't be read is refused with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from icalendar import Calendar, Component
from icalendar.parser import Contentline, Parameters
from icalendar.parser.ical.calendar import CalendarIcalParser

from ..rules.phrases import say
from . import zone_names
from .refusals import CalendarRefused, shown

MOST_LEVELS = 10
#: What says when an event is. Where such a line can't be read, the event would lock too short or not at all.
TIMES = frozenset(
    "DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID TZID TZOFFSETFROM TZOFFSETTO X-WR-TIMEZONE".split()
)
READ = TIMES | frozenset("BEGIN END CALSCALE UID SEQUENCE SUMMARY STATUS TRANSP TZNAME".split())
LISTS = frozenset({"RDATE", "EXDATE"})
#: Where the event begins in the file.
LINE = "X-LINE"


def calendars_of(content: bytes) -> list[Calendar]:
    """The file's calendars; what follows the last is passed over. Raises ``CalendarRefused``."""
    zone_names.install()
    text = content.decode("utf-8-sig", "replace")
    parts = _Parser(_unfolded(text)).parse()
    calendars = [one for one in parts if isinstance(one, Calendar)]
    if not calendars and any(one.name != "VCARD" for one in parts):  # as some programs hand out single events
        calendars = [Calendar()]
        for one in parts:
            calendars[0].add_component(one)
    if not calendars:
        raise _no_calendar(text)
    return calendars


def _unfolded(text: str) -> list[tuple[int, str]]:
    """Whole lines, each with the number of the line in the file where it begins."""
    unfolded: list[tuple[int, list[str]]] = []
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1][1].append(line[1:])
        elif line:
            unfolded.append((number, [line]))
    return [(number, "".join(parts)) for number, parts in unfolded]


def _no_calendar(text: str) -> CalendarRefused:
    if not text.strip():
        return CalendarRefused(say("the calendar is empty. Export it as .ics."))
    return CalendarRefused(say("this is not an iCalendar file: no BEGIN:VCALENDAR. Export the calendar as .ics."))


class _Parser(CalendarIcalParser):
    """Knows which line it reads, and skips what does not say when something is."""

    def __init__(self, lines: list[tuple[int, str]]) -> None:
        super().__init__([], Calendar._get_component_factory(), Calendar.types_factory)
        self._lines, self._line = lines, 0
        self._begun: list[int] = []

    def initialize_parsing(self) -> None:
        self._stack, self._components, self._begun = [], [], []
        self._content_lines_iterator = self._counted()

    def parse(self) -> list[Component]:
        components: list[Component] = super().parse()
        if self._stack:
            raise CalendarRefused(
                say("the calendar breaks off inside {written}, which begins in line {line}. Export it anew.",
                    written=shown(self._stack[-1].name), line=str(self._begun[-1]))
            )  # fmt: skip
        return components

    def _counted(self) -> Iterator[Contentline]:
        for line, text in self._lines:
            self._line = line
            if self._name(text) in READ:
                yield Contentline(text.replace("\r", ""))

    @staticmethod
    def _name(text: str) -> str:
        return re.sub(r"[ \t]", "", re.split("[:;]", text[:100], maxsplit=1)[0]).upper()

    def handle_begin_component(self, vals: str) -> None:
        super().handle_begin_component(vals.strip())
        self._begun.append(self._line)
        if self._stack[-1].name == "VEVENT":
            self._stack[-1][LINE] = self._line
        if len(self._stack) > MOST_LEVELS:
            raise CalendarRefused(
                say("the calendar's parts lie {most} deep in each other. Export it anew.", most=MOST_LEVELS)
            )

    def handle_end_component(self, vals: str) -> None:
        """Whatever it is called: where one is missing, the calendar does not come to its end."""
        if not self._stack:
            return
        begun, part = self._begun.pop(), self._stack[-1]
        try:
            super().handle_end_component(vals.strip())
        except Exception:
            raise CalendarRefused(
                say("the calendar's time zone «{written}» in line {line} can't be read. Choose one such as "
                    "Europe/Berlin.", written=shown(part.get("TZID", "")), line=str(begun))
            ) from None  # fmt: skip

    def handle_property(self, name: str, params: Parameters, vals: str, line: Contentline) -> None:
        """Empty lists and rules mean nothing. What stands outside of a calendar does not count."""
        if name in LISTS:
            vals = ",".join(one.strip() for one in vals.split(",") if one.strip())
        if not self._stack or (name in {*LISTS, "RRULE"} and not vals.strip(" ;")):
            return
        try:
            super().handle_property(name, params, vals.strip() if name in TIMES else vals, line)
        except CalendarRefused:
            raise
        except Exception as error:  # whatever a library finds wrong with a line
            self.handle_line_parse_error(error)

    def handle_property_parse_error(
        self, exception: Exception, name: str, params: Parameters, val: str, line: Contentline
    ) -> None:
        self._refuse_times(name, str(val))

    def handle_line_parse_error(self, exception: Exception) -> None:
        text = dict(self._lines)[self._line]
        self._refuse_times(self._name(text), text.partition(":")[2])

    def _refuse_times(self, name: str, value: str) -> None:
        """Of the parts that say when something is; an alarm may say what it likes."""
        inside = [part.name for part in self._stack]
        if name in TIMES and not {"VALARM", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"} & set(inside):
            raise CalendarRefused(
                say("the calendar's line {line} can't be read: {name} is «{written}». Correct it, or export it anew.",
                    line=str(self._line), name=name, written=shown(value))
            )  # fmt: skip
