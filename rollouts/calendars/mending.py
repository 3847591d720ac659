"""What sloppy programs write and everybody understands, made into what the libraries understand; the rest is refused.

Each of these would lock too short, or not at all, if the library were left alone with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Calendar
from icalendar.prop import vDDDLists, vDDDTypes

from ..rules.phrases import say
from .parsing import LINE
from .refusals import CalendarRefused, cleaned, shown
from .zone_names import known

LONGEST_TITLE = 200
_ONCE = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")
_MOMENTS = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")
_SEVERAL_A_DAY = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_OFTEN = ("HOURLY", "MINUTELY", "SECONDLY")


def mend(calendar: Calendar, zone: tzinfo) -> tzinfo:
    """Mend it in place, and say of which zone its times without one are. Raises ``CalendarRefused``."""
    if "CALSCALE" in calendar:
        scale = str(first(calendar["CALSCALE"])).strip().upper()
        if scale != "GREGORIAN":
            raise CalendarRefused(
                say("the calendar counts by «{written}». Export it as a Gregorian one.", written=shown(scale))
            )
        calendar["CALSCALE"] = scale
    zone = _own_zone(calendar) or zone
    events = calendar.walk("VEVENT")
    for event in events:
        _mend_event(event)
    _tell_apart(events)
    return zone


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def all_of(event: Any, name: str) -> list[Any]:
    """The lines of this name, however many there are."""
    value = event.get(name, [])
    return value if isinstance(value, list) else [value]


def title_of(event: Any) -> str:
    return cleaned(first(event.get("SUMMARY", "")))[:LONGEST_TITLE].strip()


def named(event: Any) -> str:
    """«Freeze» in line 12"""
    line = str(event.get(LINE, ""))
    title = shown(title_of(event))
    return (
        say("«{title}» in line {line}", title=title, line=line) if title else say("the event in line {line}", line=line)
    )


def _own_zone(calendar: Calendar) -> tzinfo | None:
    written = str(first(calendar.pop("X-WR-TIMEZONE", ""))).strip()
    if not written:
        return None
    zone = known(written)
    if zone is None:
        raise _unknown(say("the calendar"), written)
    calendar["X-WR-TIMEZONE"] = str(zone)
    return zone


def _unknown(of: str, written: str) -> CalendarRefused:
    return CalendarRefused(
        say(
            "{named} is in the time zone «{written}», which nobody knows and the file does not define. Choose a zone "
            "such as Europe/Berlin, or write UTC.",
            named=of,
            written=shown(written),
        )
    )


def _mend_event(event: Any) -> None:
    for name in _ONCE:
        if isinstance(event.get(name), list):
            raise CalendarRefused(
                say("{named} has {name} more than once. Keep one of them.", named=named(event), name=name)
            )
    for name in ("UID", "SEQUENCE", "STATUS", "TRANSP"):
        if name in event:
            event[name] = first(event[name])
    if not isinstance(event.get("SEQUENCE", 0), int):
        del event["SEQUENCE"]
    for name in _MOMENTS:
        _know_zones(event, name)
    if "DTSTART" not in event:
        if "RECURRENCE-ID" not in event or not is_cancelled(event):
            raise CalendarRefused(say("{named} has no DTSTART. Say when it begins.", named=named(event)))
        event["DTSTART"] = vDDDTypes(event["RECURRENCE-ID"].dt)
    start = event["DTSTART"].dt
    if not isinstance(start, date):
        raise CalendarRefused(say("{named} begins at no date or time. Correct its DTSTART.", named=named(event)))
    _mend_end(event, start)
    _mend_rules(event, start)
    _mend_exceptions(event, start)


def is_cancelled(event: Any) -> bool:
    return str(first(event.get("STATUS", ""))).strip().upper() == "CANCELLED"


def _know_zones(event: Any, name: str) -> None:
    """A zone that nobody knows leaves local times behind, and those would be taken for another zone's."""
    for one in all_of(event, name):
        written = one.params.get("TZID") if hasattr(one, "params") else None
        moments = [each.dt for each in one.dts] if hasattr(one, "dts") else []
        moments = [part for moment in moments for part in (moment if isinstance(moment, tuple) else (moment,))]
        is_local = any(isinstance(moment, datetime) and moment.tzinfo is None for moment in moments)
        if written and is_local and known(str(written)) is None:
            raise _unknown(named(event), str(written))


def _mend_end(event: Any, start: date) -> None:
    end = event["DTEND"].dt if "DTEND" in event else None
    if end is not None and not isinstance(end, date):
        raise CalendarRefused(say("{named} ends at no date or time. Correct its DTEND.", named=named(event)))
    if end == start and not isinstance(start, datetime):  # many programs mean the whole day by that
        del event["DTEND"]
    if end is None and "DURATION" in event and not isinstance(event["DURATION"].dt, timedelta):
        raise CalendarRefused(
            say("{named} lasts no time that can be read. Write it as PT4H or P1D.", named=named(event))
        )


def is_turned_round(event: Any, zone: tzinfo) -> bool:
    """Whether it ends before it starts; the library takes the earlier of both for its start."""
    if "DTEND" in event:
        return _moment(event["DTEND"].dt, zone) < _moment(event["DTSTART"].dt, zone)
    return "DURATION" in event and event["DURATION"].dt < timedelta(0)


def _moment(value: date, zone: tzinfo) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _mend_rules(event: Any, start: date) -> None:
    """A rule until a day includes that day, whatever the time at which the event begins."""
    for rule in all_of(event, "RRULE"):
        until = first(rule.get("UNTIL"))
        if isinstance(until, date) and not isinstance(until, datetime) and isinstance(start, datetime):
            last = datetime.combine(until, time(23, 59, 59))
            aware = last.replace(tzinfo=start.tzinfo).astimezone(UTC) if start.tzinfo else last
            rule["UNTIL"] = [aware]


def _mend_exceptions(event: Any, start: date) -> None:
    """Leave out exceptions of times at which the event never begins.

    The library compares clocks of both UTC and the zone: an exception of 13:00 in Berlin takes away 12:00 too.
    """
    several = any(
        _SEVERAL_A_DAY & rule.keys() or str(first(rule.get("FREQ"))).upper() in _OFTEN
        for rule in all_of(event, "RRULE")
    )
    if "EXDATE" not in event or several or "RDATE" in event or not isinstance(start, datetime) or start.tzinfo is None:
        return
    kept = []
    for one in (each.dt for group in all_of(event, "EXDATE") for each in group.dts):
        there = one.astimezone(start.tzinfo) if isinstance(one, datetime) and one.tzinfo else one
        if not isinstance(there, datetime) or there.time() == start.time():
            kept.append(one)
    if kept:
        event["EXDATE"] = vDDDLists(kept)
    else:
        del event["EXDATE"]


def _tell_apart(events: Iterable[Any]) -> None:
    """Two events of one name, both of the newest version, are two events: rather lock too much."""
    by_uid: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        if "UID" in event and "RECURRENCE-ID" not in event:
            by_uid[str(event["UID"])].append(event)
    for uid, same in by_uid.items():
        newest = max(event.get("SEQUENCE", -1) for event in same)
        seen: set[str] = set()
        for event in (event for event in same if event.get("SEQUENCE", -1) == newest):
            if seen and str(event["DTSTART"].dt) not in seen:
                event["UID"] = type(event["UID"])(f"{uid} {len(seen)}")
            seen.add(str(event["DTSTART"].dt))
