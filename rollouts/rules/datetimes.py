"""Moments as people write them, bounded: in a plan with their zone, in questions a day or a time of the reader's."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from .phrases import Phrase, invalid, say
from .zones import edge, to_utc

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
HOW = say("Write 2026-12-01T09:00Z, 2026-12-01T09:00+01:00, or 2026-12-01 09:00 Europe/Berlin.")
#: What may be asked for: no calendar ends under it, in whatever zone it is told.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
#: A day and a time have one form; ``fromisoformat`` knows more of them.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DAY.pattern + "[T ][0-9]{2}:[0-9]{2}")


def asked_since(text: str, zone: tzinfo = UTC) -> datetime:
    """From when on, in UTC: a time, or a day of ``zone`` from its first moment on. Raises ``ValueError``, as below."""
    return _asked(text.strip(), zone, is_end=False)


def asked_until(text: str, zone: tzinfo = UTC) -> datetime:
    """Until just before when, in UTC: a time, or a day of ``zone``, which is then included.

    A time without an offset is one of ``zone``. Raises ``ValueError`` that says how to write it.
    """
    return _asked(text.strip(), zone, is_end=True)


def asked_day(text: str) -> date:
    """A day. Raises ``ValueError`` that says how to write it."""
    try:
        if not _DAY.fullmatch(text.strip()):
            raise ValueError
        day = date.fromisoformat(text.strip())
        if not day_in_bounds(day):
            raise ValueError
    except ValueError:
        message = say("«{written}» is no day that can be named. Write it as 2026-11-30.", written=text[:40])
        raise ValueError(message) from None
    return day


def in_bounds(moment: datetime) -> bool:
    """Whether a moment from outside is one that the portal can keep and tell in every zone."""
    return EARLIEST <= moment < LATEST


def day_in_bounds(day: date) -> bool:
    return EARLIEST.date() <= day < LATEST.date()


def _asked(text: str, zone: tzinfo, *, is_end: bool) -> datetime:
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text) + (timedelta(days=1) if is_end else timedelta(0))
            moment = edge(datetime.combine(day, time()), zone, latest=False)
        elif "/" in (name := text.rpartition(" ")[2]):
            moment = to_utc(_naive(text.rpartition(" ")[0]), name)
        elif not _TIME.match(text):
            raise ValueError
        else:
            written = datetime.fromisoformat(text)
            moment = written.astimezone(UTC) if written.tzinfo else edge(written, zone, latest=is_end)
        if not in_bounds(moment):
            raise ValueError
    except (ValueError, OverflowError):
        raise invalid(
            "«{written}» is no time that can be asked for. Write 2026-11-01, 2026-11-01T14:00Z or "
            "2026-11-01T14:00+01:00, from 1970 to 8999.",
            written=text[:50],
        ) from None
    return moment


def parse_moment(value: object) -> datetime:
    """Read a moment, in UTC. Raises ``ValueError`` that says how to write it, or why there is no such time."""
    if isinstance(value, datetime | date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise invalid("that is no time. {how}", how=HOW)
    written, _, zone_name = value.strip().rpartition(" ")
    try:
        if (written and "/" in zone_name) or zone_name == "UTC":
            moment = to_utc(_naive(written), zone_name)
        else:
            moment = _aware(value.strip())
    except OverflowError:
        raise invalid("{value} is no time that a plan can have. {how}", value=value[:40], how=HOW) from None
    if not FIRST <= moment < LAST:
        raise invalid("{value} is out of this century. {how}", value=value[:40], how=HOW)
    return moment


#: As in «1 Dec 09:00».
MONTHS = (
    say("Jan"),
    say("Feb"),
    say("Mar"),
    say("Apr"),
    say("May"),
    say("Jun"),
    say("Jul"),
    say("Aug"),
    say("Sep"),
    say("Oct"),
    say("Nov"),
    say("Dec"),
)


def day_and_clock(moment: datetime, *, with_year: bool = False) -> Phrase:
    """«1 Dec 09:00» or «1 Dec 2026 09:00», as the moment's own zone has it."""
    month, clock = MONTHS[moment.month - 1], f"{moment:%H:%M}"
    if with_year:
        return say("{day} {month} {year} {clock}", day=moment.day, month=month, year=f"{moment.year}", clock=clock)
    return say("{day} {month} {clock}", day=moment.day, month=month, clock=clock)


def day_in_words(day: date) -> Phrase:
    """«1 Dec 2026»"""
    return say("{day} {month} {year}", day=day.day, month=MONTHS[day.month - 1], year=f"{day.year}")


def is_before(one: datetime, other: datetime) -> bool:
    """Whether it surely was earlier: of two moments told at different precision the coarser decides.

    GitLab's REST answers have milliseconds, its webhooks whole seconds: what is told without a fraction is a second.
    """
    return _at_precision(one, other) < _at_precision(other, one)


def may_be_same(one: datetime, other: datetime) -> bool:
    """Whether both may be one moment, at the coarser precision of the two."""
    return _at_precision(one, other) == _at_precision(other, one)


def _at_precision(one: datetime, other: datetime) -> datetime:
    return one if one.microsecond and other.microsecond else one.replace(microsecond=0)


def _written(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        raise invalid("{value} is no time. {how}", value=written[:40], how=HOW) from None


def _naive(written: str) -> datetime:
    moment = _written(written)
    if moment.tzinfo is not None:
        raise invalid("{value} has an offset already: leave the zone out, or the offset.", value=written)
    return moment


def _aware(written: str) -> datetime:
    moment = _written(written)
    if moment.tzinfo is None:
        raise invalid("{value} does not say in which time zone. {how}", value=written, how=HOW)
    return moment.astimezone(UTC)
