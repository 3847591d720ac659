"""Calendars of change locks: imported, added, removed; and what reading one changes of its periods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from django.conf import settings

from ..audit.actor import Actor
from ..audit.recording import Recording, recorded
from ..calendars.reader import CalendarRefused, Reading, read_calendar
from ..models import LockCalendar, LockPeriod, Outcome, clock
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.origins import server_address
from ..rules.phrases import invalid, say
from ..rules.zones import zone
from .refusals import refuse_if, role_missing

#: For how long calendars are worked out, back and ahead.
BEHIND, AHEAD = timedelta(days=8), timedelta(days=731)
#: So many periods that came and went are written into one event, by name.
MOST_TOLD = 50

Period = tuple[datetime, datetime, str]


def import_calendar(
    name: str, content: bytes, *, by: Actor, zone_name: str = "UTC", transparent_locks: bool = False
) -> LockCalendar:
    """Take an iCalendar file over under a name, anew or again. Raises ``Refused``; then nothing changed."""
    refuse_if(role_missing(by, Role.ADMIN, say("Importing a calendar of change locks")))
    blockers, name, now, reading = [], name.strip()[:100], clock.now(), Reading(())
    try:
        reading = read(content, zone_name, transparent_locks, now)
    except ValueError as wrong:
        blockers.append(Blocker("calendar", str(wrong)))
    if not name:
        blockers.append(Blocker("name_missing", say("Give the calendar a name.")))
    refuse_if(blockers)
    with recorded("calendar.import", by=by) as recording:
        calendar = LockCalendar.objects.locked().filter(name=name).first() or LockCalendar(name=name)
        calendar.url, calendar.zone, calendar.transparent_locks = "", zone_name, transparent_locks
        calendar.content = content.decode("utf-8", "replace").replace("\x00", "")
        recording.about = calendar
        keep(recording, calendar, content, reading, now)
        recording.notes["digest"] = calendar.digest
    return calendar


def read(content: bytes, zone_name: str, transparent_locks: bool, now: datetime) -> Reading:
    """What a file says from some days ago on. Raises ``CalendarRefused``, and ``ValueError`` for an unknown zone."""
    since, until = now - BEHIND, now + AHEAD
    return read_calendar(content, since=since, until=until, default_zone=zone_name, transparent_locks=transparent_locks)


def take(calendar: LockCalendar, content: bytes, *, by: Actor) -> None:
    """What an address or a kept file says now; the history is told of it where periods changed.

    Raises ``CalendarRefused``; then nothing changed.
    """
    now = clock.now()
    is_known = calendar.digest == _digest(content) and calendar.known_until is not None
    if is_known and calendar.known_until and calendar.known_until > now + AHEAD - timedelta(days=1):
        calendar.read_at = calendar.tried_at = now
        calendar.outcome, calendar.words = Outcome.OK, ""
        calendar.save()
        return
    reading = read(content, calendar.zone, calendar.transparent_locks, now)
    with recorded("calendar.read", by=by, about=calendar) as recording:
        LockCalendar.objects.locked().get(pk=calendar.pk)
        keep(recording, calendar, content, reading, now)


def keep(recording: Recording, calendar: LockCalendar, content: bytes, reading: Reading, now: datetime) -> None:
    """What was read is what holds from now on; of what is over, what was known stays."""
    known_until = calendar.known_until
    calendar.digest, calendar.known_until = _digest(content), now + AHEAD
    calendar.notes, calendar.read_at, calendar.tried_at = list(reading.notes), now, now
    calendar.outcome, calendar.words = Outcome.OK, ""
    calendar.save()
    rows = calendar.periods.filter(ends_at__gt=now)
    old = {(row.starts_at, row.ends_at, row.title): row.pk for row in rows}
    read = {(one.starts_at, one.ends_at, one.title[:200]) for one in reading.windows}
    new = {one for one in read if one[1] > now or known_until is None}
    went = old.keys() - new
    calendar.periods.filter(pk__in=[old[one] for one in went]).delete()
    LockPeriod.objects.bulk_create(
        (LockPeriod(calendar=calendar, starts_at=s, ends_at=e, title=t) for s, e, t in sorted(new - old.keys())),
        batch_size=500,
    )
    # What only came within reach as time went on is no change.
    came = {one for one in new - old.keys() if one[1] > now and (known_until is None or one[0] < known_until)}
    if went or came:
        recording.note(calendar, {"periods": _told(went)}, {"periods": _told(came), "digest": calendar.digest})


def _told(periods: Iterable[Period]) -> list[str]:
    in_order = sorted(periods)
    listed = [f"{start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M} UTC {title}".strip() for start, end, title in in_order]
    return listed if len(listed) <= MOST_TOLD else [*listed[:MOST_TOLD], f"… {len(listed) - MOST_TOLD}"]


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def fail(calendar: LockCalendar, words: str) -> None:
    """It could not be read, and why; what was known stays."""
    calendar.tried_at, calendar.outcome, calendar.words = clock.now(), Outcome.BAD_ANSWER, words
    calendar.save()


def add_calendar(
    name: str, url: str, *, by: Actor, zone_name: str = "UTC", transparent_locks: bool = False
) -> LockCalendar:
    """A calendar to be read from an address on an allowed host, by the next job. Raises ``Refused``."""
    blockers, name = role_missing(by, Role.ADMIN, say("Adding a calendar of change locks")), name.strip()[:100]
    try:
        url = server_address(url)
        if urlsplit(url).hostname not in settings.LOCK_CALENDAR_HOSTS:
            hosts = ", ".join(settings.LOCK_CALENDAR_HOSTS) or say("none: set LOCK_CALENDAR_HOSTS")
            raise invalid("Calendars are read from allowed hosts only. Allowed: {hosts}.", hosts=hosts)
    except ValueError as wrong:
        blockers.append(Blocker("host", str(wrong)))
    if not name or LockCalendar.objects.filter(name=name).exists():
        blockers.append(Blocker("name", say("Give the calendar a name that no other has.")))
    try:
        zone(zone_name)
    except ValueError as wrong:
        blockers.append(Blocker("zone", str(wrong)))
    refuse_if(blockers)
    with recorded("calendar.add", by=by) as recording:
        recording.about = calendar = LockCalendar.objects.create(
            name=name, url=url, zone=zone_name, transparent_locks=transparent_locks
        )
    return calendar


def remove_calendar(calendar: LockCalendar, *, by: Actor, reason: str) -> None:
    """Its periods lock no longer. Raises ``Refused``."""
    blockers = role_missing(by, Role.ADMIN, say("Removing a calendar of change locks"))
    if not reason.strip():
        blockers.append(Blocker("reason_missing", say("Removing a calendar needs a reason.")))
    refuse_if(blockers)
    with recorded("calendar.remove", by=by, about=calendar, reason=reason.strip()):
        calendar.delete()


__all__ = ["CalendarRefused", "add_calendar", "fail", "import_calendar", "remove_calendar", "take"]
