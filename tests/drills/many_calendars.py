"""Read many files, each in a fork of its own with the child's very limits: ``python -m tests.drills.many_calendars``.

Takes lines of JSON (name, since, until, how) with the file's content as Latin-1, and answers each with a line. Forks
because the libraries are then loaded once; the portal itself starts a new process for each file.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from datetime import datetime, timedelta
from datetime import time as clock

import recurring_ical_events
from icalendar import Calendar

from rollouts.calendars import child, limits, mending, parsing, periods, zone_names  # noqa: F401 loaded before the forks
from rollouts.calendars.refusals import CalendarRefused
from rollouts.rules.zones import edge, zone


def portal(content: bytes, since: str, until: str) -> dict:
    """What the portal's child says."""
    asked = {"since": since, "until": until, "zone": "UTC", "transparent_locks": True}
    try:
        return {"periods": sorted({tuple(one[:2]) for one in child._read(asked, content)["periods"]})}
    except CalendarRefused as refused:
        return {"refused": str(refused)}


def library(content: bytes, since: str, until: str) -> dict:
    """What the libraries say, left alone; with the portal's view of which moments local times are."""
    first, last = datetime.fromisoformat(since), datetime.fromisoformat(until)
    found = set()
    calendars = Calendar.from_ical(content, multiple=True)
    if not calendars:
        raise ValueError("nothing in it comes to its end")
    for event in (event for calendar in calendars for event in calendar.walk("VEVENT")):
        if "TZID" in event["DTSTART"].params and not getattr(event["DTSTART"].dt, "tzinfo", True):
            raise ValueError("it does not know when that is")
    for calendar in calendars:
        own = str(calendar.get("X-WR-TIMEZONE", "UTC"))
        here = zone(own)
        span = (one.astimezone(here) for one in (first, last))
        for event in recurring_ical_events.of(calendar).between(*span):
            first_day, last_day = event["DTSTART"].dt, event["DTEND"].dt
            if not isinstance(first_day, datetime) and last_day == first_day:  # the library tells of it: it is that day
                last_day += timedelta(days=1)
            start, end = moment(first_day, here, False), moment(last_day, here, True)
            if str(event.get("STATUS", "")) != "CANCELLED" and start < end and start < last and first < end:
                found.add((start.isoformat(), end.isoformat()))
    return {"periods": sorted(found)}


def moment(value, here, latest):
    value = value if isinstance(value, datetime) else datetime.combine(value, clock())
    return edge(value.replace(tzinfo=None, fold=0), value.tzinfo or here, latest=latest)


def main() -> None:
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        asked = json.loads(line)
        content, begun = asked.pop("content").encode("latin-1"), time.monotonic()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            answer_in_fork(writing, asked, content)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            said = told.read()
        _, status, used = os.wait4(pid, 0)
        answer = json.loads(said) if said and status == 0 else {"killed": status}
        figures = {"cpu": used.ru_utime + used.ru_stime, "wall": time.monotonic() - begun, "kb": used.ru_maxrss}
        print(json.dumps({"name": asked["name"], "how": asked["how"], **answer, **figures}), flush=True)


def answer_in_fork(writing: int, asked: dict, content: bytes) -> None:
    with os.fdopen(writing, "wb") as out:
        limits.confine()
        out.write(json.dumps(answered(asked, content)).encode())
    os._exit(0)


def answered(asked: dict, content: bytes) -> dict:
    try:
        return {"portal": portal, "library": library}[asked["how"]](content, asked["since"], asked["until"])
    except (limits.TooLong, MemoryError, RecursionError):
        return {"refused": "too much"}
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"[:200]}


if __name__ == "__main__":
    main()
