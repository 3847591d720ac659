"""Moments as people write them in a plan: 2026-12-01T09:00+01:00, or a local time with its zone."""

from __future__ import annotations

from datetime import UTC, date, datetime

from .words import Phrase, say
from .zones import to_utc

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
HOW = say("Write 2026-12-01T09:00Z, 2026-12-01T09:00+01:00, or 2026-12-01 09:00 Europe/Berlin.")


def parse_moment(value: object) -> datetime:
    """Read a moment, in UTC. Raises ``ValueError`` that says how to write it, or why there is no such time."""
    if isinstance(value, datetime | date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueError(say("that is no time. {how}", how=HOW))
    written, _, zone_name = value.strip().rpartition(" ")
    try:
        if (written and "/" in zone_name) or zone_name == "UTC":
            moment = to_utc(_naive(written), zone_name)
        else:
            moment = _aware(value.strip())
    except OverflowError:
        raise ValueError(say("{value} is no time that a plan can have. {how}", value=value[:40], how=HOW)) from None
    if not FIRST <= moment < LAST:
        raise ValueError(say("{value} is out of this century. {how}", value=value[:40], how=HOW))
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


def _naive(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(say("{value} is no time. {how}", value=written[:40], how=HOW)) from None
    if found.tzinfo is not None:
        raise ValueError(say("{value} has an offset already: leave the zone out, or the offset.", value=written[:40]))
    return found


def _aware(written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(say("{value} is no time. {how}", value=written[:40], how=HOW)) from None
    if found.tzinfo is None:
        raise ValueError(say("{value} does not say in which time zone. {how}", value=written[:40], how=HOW))
    return found.astimezone(UTC)
