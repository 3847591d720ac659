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
from ..calendars.reader import LARGEST
from ..models import LockCalendar, clock
from ..rules.origins import server_address
from ..rules.phrases import say
from ..services import calendars

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
            elif not calendar.url and (calendar.tried_at is None or now - calendar.tried_at > timedelta(days=1)):
                _take(calendar, calendar.content.encode())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # one calendar that breaks keeps no other from being read
            log.exception("calendar %s could not be read", calendar.pk)
            message = say("The portal itself failed at it ({error}): see the log.", error=type(error).__name__)
            calendars.fail(LockCalendar.objects.get(pk=calendar.pk), message)


def read(calendar: LockCalendar) -> None:
    """What was known stays where it can't be read, and the calendar's row says why."""
    try:
        content = fetch(calendar.url)
    except CalendarUnreadable as problem:
        calendars.fail(calendar, str(problem))
        return
    _take(calendar, content)


def _take(calendar: LockCalendar, content: bytes) -> None:
    try:
        calendars.take(calendar, content, by=JOB)
    except calendars.CalendarRefused as refused:
        calendars.fail(calendar, str(refused))


def fetch(url: str) -> bytes:
    """The file's bytes. Raises ``CalendarUnreadable``: another host, a redirect, too large, too slow, no 200.

    Its words are read by everybody, so they say nothing of the address.
    """
    try:
        is_allowed = urlsplit(server_address(url)).hostname in settings.LOCK_CALENDAR_HOSTS
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise CalendarUnreadable(say("Its address is not one that the portal reads: https, LOCK_CALENDAR_HOSTS."))
    begun = monotonic()
    try:
        with requests.get(url, timeout=(5, 10), stream=True, allow_redirects=False) as answer:
            if answer.status_code != 200:
                raise CalendarUnreadable(say("Its server answered {status}.", status=str(answer.status_code)))
            content = b""
            for piece in answer.iter_content(PIECE):
                content += piece
                if len(content) > LARGEST:
                    raise CalendarUnreadable(say("The calendar is larger than {size} MB.", size=f"{LARGEST / 1e6:g}"))
                if monotonic() - begun > LONGEST:
                    raise CalendarUnreadable(say("Its server does not answer in time."))
            return content
    except requests.RequestException as error:
        raise CalendarUnreadable(say("Its server can't be read ({error}).", error=type(error).__name__)) from None
