"""Read calendars of change locks from their addresses: allowed hosts only, over https, up to a size and a time."""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import InterfaceError, OperationalError

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import LockCalendar, Outcome, clock
from ..rules.calendars import LARGEST, CalendarRefused, read_calendar
from ..rules.words import say
from ..services import locks

log = logging.getLogger(__name__)
JOB = Actor.job("calendars")
EVERY = timedelta(minutes=15)
LONGEST = 20.0
PIECE = 64 * 1024


class CalendarUnreadable(Exception):
    """The calendar could not be read; the words say why."""


def read_due() -> None:
    """Each calendar that has an address and was not tried lately; an uploaded one is worked out anew once a day."""
    now = clock.now()
    for calendar in LockCalendar.objects.all():
        try:
            if calendar.url and (calendar.tried_at is None or now - calendar.tried_at >= EVERY):
                read(calendar)
            elif not calendar.url and calendar.read_at and now - calendar.read_at > timedelta(days=1):
                _take(calendar, calendar.content.encode())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # one calendar that breaks keeps no other from being read
            log.exception("calendar %s could not be read", calendar.pk)
            said = say("The portal itself failed at it ({error}): see the log.", error=type(error).__name__)
            _fail(LockCalendar.objects.get(pk=calendar.pk), said)


def read(calendar: LockCalendar) -> None:
    """What was known stays where it can't be read, and the calendar's row says why."""
    try:
        content = fetch(calendar.url)
    except CalendarUnreadable as problem:
        _fail(calendar, str(problem))
        return
    _take(calendar, content)


def _take(calendar: LockCalendar, content: bytes) -> None:
    now = clock.now()
    try:
        windows = read_calendar(content, since=now - locks.BEHIND, until=now + locks.AHEAD, default_zone=calendar.zone)
    except CalendarRefused as refused:
        _fail(calendar, str(refused))
        return
    with deed("calendar.read", by=JOB, about=calendar):
        locks.keep(calendar, content, windows, now)
        calendar.save()


def _fail(calendar: LockCalendar, words: str) -> None:
    calendar.tried_at, calendar.outcome, calendar.words = clock.now(), Outcome.BAD_ANSWER, words
    calendar.save()


def fetch(url: str) -> bytes:
    """The file's bytes. Raises ``CalendarUnreadable``: another host, a redirect, too large, too slow, no 200."""
    parts = urlsplit(url)
    if parts.hostname not in settings.LOCK_CALENDAR_HOSTS:
        raise CalendarUnreadable(say("{host} is not among LOCK_CALENDAR_HOSTS.", host=parts.hostname))
    begun = monotonic()
    try:
        with requests.get(url, timeout=(5, 10), stream=True, allow_redirects=False) as answer:
            if answer.status_code != 200:
                raise CalendarUnreadable(
                    say("{host} answered {status}.", host=parts.hostname, status=str(answer.status_code))
                )
            content = b""
            for piece in answer.iter_content(PIECE):
                content += piece
                if len(content) > LARGEST:
                    raise CalendarUnreadable(say("The calendar is larger than {size} MB.", size=f"{LARGEST / 1e6:g}"))
                if monotonic() - begun > LONGEST:
                    raise CalendarUnreadable(say("{host} does not answer in time.", host=parts.hostname))
            return content
    except requests.RequestException as error:
        raise CalendarUnreadable(
            say("{host} can't be read ({error}).", host=parts.hostname, error=type(error).__name__)
        ) from None
