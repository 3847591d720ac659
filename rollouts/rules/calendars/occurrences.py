"""Occurrences: the windows in a span of time in which the events of one file lock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import recurring_ical_events
from icalendar import Calendar
from icalendar import Event as Component
from icalendar.prop import vDDDLists, vDDDTypes

from ..locks import Window
from ..words import say
from .events import Event
from .lines import CalendarRefused
from .recurrence import Rule, Work, starts
from .times import DAY, YEARS

MOST_WINDOWS = 2_000


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is asked about: [since, until), in UTC."""

    since: datetime
    until: datetime
    work: Work

    def windows(self, events: list[Event]) -> tuple[Window, ...]:
        """What of the events touches the span."""
        if self.since >= self.until:
            return ()
        calendar = Calendar()
        by_uid: dict[str, list[Event]] = defaultdict(list)
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
                spans = self._spans(event, [one for one in exceptions if one.and_future])
                found += sum(self._touches(*span) for span in spans)
                if found > MOST_WINDOWS:
                    raise self._too_many(event.named)
                calendar.add_component(_component(event, f"{number}-{place}", spans))
        return self._expanded(calendar, events)

    def _spans(self, event: Event, moves: list[Event]) -> list[tuple[datetime, datetime]]:
        """The series' occurrences that touch the span, or may once ``moves`` (of all that follow) are made."""
        if any(rule.is_endless for rule in event.rules):
            raise CalendarRefused(
                say(
                    "{named} repeats without end. Give it an UNTIL or a COUNT; what comes back every week for good is "
                    "entered as a weekly lock.",
                    named=event.named,
                )
            )
        back, ahead = event.length, timedelta(0)
        for one in moves:
            move = one.start.at() - (one.replaces or one.start.at())
            back, ahead = max(back, move + one.length), max(ahead, -move)
            self.work.spend(1_000)
        since, until = ((one.astimezone(event.start.tz).replace(tzinfo=None)) for one in (self.since, self.until))
        since, until = since - back - 2 * DAY, until + ahead + 2 * DAY
        begins = {start for rule in event.rules for start in self._capped(rule, event, since, until)}
        spans = {*(event.span(start) for start in begins), *event.dates, event.span(event.start.wall)}
        if moves:  # a later length counts, not this one: an hour's change of clocks inside is lost
            usual = event.span(event.start.wall)
            spans = {(begin, begin + (usual[1] - usual[0])) for begin, _ in spans}
        return sorted(span for span in spans if (moves or self._touches(*span)) and not event.excludes(span[0]))

    def _capped(self, rule: Rule, event: Event, since: datetime, until: datetime) -> Iterator[datetime]:
        for number, start in enumerate(starts(rule, event.start.wall, since, until, self.work)):
            if number > 2 * MOST_WINDOWS + len(event.excluded) + len(event.excluded_days):
                raise self._too_many(event.named)
            yield start

    def _expanded(self, calendar: Calendar, events: list[Event]) -> tuple[Window, ...]:
        """The occurrences with the exceptions in their places."""
        # Only what may touch the span is in there; the library would not look back far enough for long periods.
        far = timedelta(days=366 * len(YEARS))
        until = self.until + far if any(event.and_future for event in events) else self.until
        found: set[Window] = set()
        for occurrence in recurring_ical_events.of(calendar).between(self.since - far, until):
            starts_at, ends_at = occurrence["DTSTART"].dt, occurrence["DTEND"].dt
            if occurrence["STATUS"] != "CANCELLED" and self._touches(starts_at, ends_at):
                found.add(Window(starts_at, ends_at, str(occurrence["SUMMARY"])))
        if len(found) > MOST_WINDOWS:
            raise self._too_many(say("the last event"))
        return tuple(sorted(found))

    def _touches(self, starts_at: datetime, ends_at: datetime) -> bool:
        return starts_at < ends_at and starts_at < self.until and self.since < ends_at

    def _too_many(self, named: str) -> CalendarRefused:
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


def _component(event: Event, uid: str, spans: list[tuple[datetime, datetime]]) -> Component:
    """The event for the library, all in UTC and with nothing left to work out: no rule, no zone, no local time."""
    component = Component()
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
