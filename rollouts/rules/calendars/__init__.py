"""Change locks from a calendar file: what an iCalendar (RFC 5545) of anybody's making says, within bounds.

``icalendar`` unfolds lines and reads values, ``recurring_ical_events`` puts exceptions in the place of occurrences. The
steps between (parts, zones, recurrence rules) are ours, because a file may ask for work without end there:
docs/decisions/0016-icalendar.md.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ..locks import Window
from ..words import say
from ..zones import zone
from .events import event_of
from .lines import LARGEST, MOST_EVENTS, CalendarRefused, calendars_of, shown
from .occurrences import Span
from .recurrence import Work
from .times import EARLIEST, LATEST, MOST_DATES
from .zones import Zones

__all__ = ["LARGEST", "MOST_DATES", "MOST_EVENTS", "CalendarRefused", "read_calendar"]


def read_calendar(content: bytes, *, since: datetime, until: datetime, default_zone: str = "UTC") -> tuple[Window, ...]:
    """All events that touch [since, until) (aware), whole, in order, each once.

    Times without a zone and whole days are those of ``default_zone``. Events without a length lock nothing and are
    left out, as are cancelled ones. Raises ``CalendarRefused``; and plain ``ValueError`` for an unknown
    ``default_zone`` or a span without a zone, which are not the calendar's fault.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError(say("since and until need a zone. Give them in UTC."))
    work = Work()
    zones = Zones(zone(default_zone), work)
    calendars = calendars_of(content)
    for calendar in calendars:
        for line in calendar.values("CALSCALE"):
            if line.value.strip().upper() != "GREGORIAN":
                raise CalendarRefused(
                    say("the calendar counts by «{written}». Export it as a Gregorian one.", written=shown(line.value))
                )
    for definition in (part for calendar in calendars for part in calendar.parts if part.name == "VTIMEZONE"):
        zones.define(definition)
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
    span = Span(max(since.astimezone(UTC), EARLIEST), min(until.astimezone(UTC), LATEST), work)
    return span.windows([event_of(part, number, zones) for number, part in enumerate(parts, 1)])
