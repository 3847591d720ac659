"""From calendars to periods: when the events of a file lock, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import recurring_ical_events
from icalendar import Calendar
from recurring_ical_events import ComponentsWithName
from recurring_ical_events.series import Series

from ..rules.locks import DAYS
from ..rules.phrases import listed, say, say_n
from ..rules.zones import edge
from .limits import CPU_SECONDS, TooLong
from .mending import all_of, first, is_cancelled, is_turned_round, mend, named, title_of
from .refusals import CalendarRefused, shown

MOST_PERIODS = 5_000
MOST_NOTES = 20
#: A day on each side: the ends of whole days depend on their zone.
_MORE = timedelta(days=2)
_FAR = timedelta(days=366 * 20)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

Period = tuple[datetime, datetime, str]


@dataclass(slots=True)
class CalendarQuestion:
    """The span of time (aware, UTC), the zone of times without one, and whether events lock that block no time."""

    since: datetime
    until: datetime
    zone: tzinfo
    transparent_locks: bool = False
    periods: set[Period] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    passed_over: int = 0

    def add(self, start: date, end: date, title: str, zone: tzinfo) -> bool:
        """Whether this occurrence touches the span."""
        starts_at, ends_at = _edge(start, zone, latest=False), _edge(end, zone, latest=True)
        if not (starts_at < ends_at and starts_at < self.until and self.since < ends_at):
            return False
        self.periods.add((starts_at, ends_at, title))
        if len(self.periods) > MOST_PERIODS:
            raise CalendarRefused(
                say("with «{title}» the calendar has more than {most} periods from {since} to {until}. Let it repeat "
                    "less often, or export fewer events.", title=shown(title), most=MOST_PERIODS,
                    since=self.since.date(), until=self.until.date())
            )  # fmt: skip
        return True


def periods(calendars: list[Calendar], asked: CalendarQuestion) -> tuple[list[Period], list[str]]:
    """The periods that touch the span, whole, in order, each once; and what to tell people. Raises ``CalendarRefused``.

    Cancelled events and those without a length lock nothing.
    """
    for calendar in calendars:
        zone = mend(calendar, asked.zone)
        back = _longest(calendar)
        selected = ComponentsWithName("VEVENT", series=_Named)
        for series in recurring_ical_events.of(calendar, components=[selected]).series:
            _take(series, asked, zone, back)
    if asked.passed_over:
        asked.notes.append(
            say_n(
                "{n} event blocks no time (TRANSP:TRANSPARENT) and does not lock.",
                "{n} events block no time (TRANSP:TRANSPARENT) and do not lock.",
                asked.passed_over,
            )
        )
    return sorted(asked.periods), asked.notes


class _Named(Series):
    """Events with one UID; what goes wrong with them is said of them by name."""

    def __init__(self, components: Any) -> None:
        self.named = named(components[0]._component)
        self.event = next((c._component for c in components if not c.is_modification()), None)
        with _naming(self.named):
            super().__init__(components)


class _naming:
    """What goes wrong in this block goes wrong with this event."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, TooLong):
            raise CalendarRefused(
                say("{named} takes too long to work out (more than {seconds} seconds). Give its rule an UNTIL, "
                    "let it repeat less often, or leave it out.", named=self.name, seconds=CPU_SECONDS)
            ) from None  # fmt: skip
        if isinstance(error, MemoryError):
            raise CalendarRefused(
                say("{named} takes more memory than there is for a calendar. Let it repeat less often.",
                    named=self.name)
            ) from None  # fmt: skip
        if isinstance(error, Exception) and not isinstance(error, CalendarRefused):
            raise CalendarRefused(
                say("{named} can't be worked out: {why}. Correct its times or its rule.", named=self.name,
                    why=shown(error) or type(error).__name__)
            ) from None  # fmt: skip


def _take(series: _Named, asked: CalendarQuestion, zone: tzinfo, back: timedelta) -> None:
    since, until = (moment.astimezone(zone) for moment in (asked.since - back - _MORE, asked.until + _MORE))
    locks = is_transparent = False
    with _naming(series.named):
        for occurrence in series.between(since, until):
            event = occurrence.as_component(keep_recurrence_attributes=False)
            if is_cancelled(event):
                continue
            if not asked.transparent_locks and _is_transparent(event):
                is_transparent = True
                continue
            locks = asked.add(occurrence.start, occurrence.end, title_of(event), zone) or locks
        asked.passed_over += is_transparent
        if locks and series.event is not None and len(asked.notes) < MOST_NOTES:
            asked.notes += _said(series.event, zone)


def _is_transparent(event: Any) -> bool:
    return str(event.get("TRANSP", "")).strip().upper() == "TRANSPARENT"


def _edge(value: date, zone: tzinfo, *, latest: bool) -> datetime:
    """The moment in UTC; where clocks change, a lock never shrinks."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return edge(moment.replace(tzinfo=None, fold=0), moment.tzinfo or zone, latest=latest)


def _longest(calendar: Calendar) -> timedelta:
    """Of the periods with a length of their own: the library looks back only as far as the event is long."""
    longest = timedelta(0)
    for event in calendar.walk("VEVENT"):
        for one in (each.dt for group in all_of(event, "RDATE") for each in group.dts):
            if isinstance(one, tuple):
                length = one[1] if isinstance(one[1], timedelta) else one[1] - one[0]
                if length < timedelta(0):
                    raise CalendarRefused(
                        say("{named} ends before it starts (RDATE). Let it end later.", named=named(event))
                    )
                longest = max(longest, min(length, _FAR))
    return longest


def _said(event: Any, zone: tzinfo) -> Iterator[str]:
    """«Freeze: every Friday, without end.»"""
    if is_turned_round(event, zone):
        yield say("{named} ends before it starts; it is read the other way round.", named=named(event))
    for rule in all_of(event, "RRULE"):
        if not first(rule.get("UNTIL")) and not first(rule.get("COUNT")):
            yield say(
                "{title}: {often}, without end.", title=title_of(event) or named(event), often=_often(rule, event)
            )


def _often(rule: Any, event: Any) -> str:
    each = int(first(rule.get("INTERVAL")) or 1)
    match str(first(rule.get("FREQ"))).upper():
        case "DAILY":
            return say_n("every day", "every {n} days", each)
        case "WEEKLY" if each == 1:
            written = [str(day)[-2:].upper() for day in all_of(rule, "BYDAY")]
            days = [_WEEKDAYS.index(day) for day in written if day in _WEEKDAYS] or [event["DTSTART"].dt.weekday()]
            return say("every {days}", days=listed([DAYS[day] for day in sorted(set(days))]))
        case "WEEKLY":
            return say_n("every week", "every {n} weeks", each)
        case "MONTHLY":
            return say_n("every month", "every {n} months", each)
        case "YEARLY":
            return say_n("every year", "every {n} years", each)
    return say("again and again")
