"""Time zones by name, and local times that a change of clocks leaves out or makes twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from .phrases import invalid, say, shorten

_NOT_PLACES = ("posix/", "right/")
_NOT_NAMES = frozenset({"localtime", "Factory", "posixrules"})


@cache
def zone_names() -> tuple[str, ...]:
    """All names that ``zone`` knows, sorted."""
    known = available_timezones() - _NOT_NAMES
    return tuple(sorted(name for name in known if not name.startswith(_NOT_PLACES)))


@cache
def _known() -> frozenset[str]:
    return frozenset(zone_names())


def is_zone(name: str) -> bool:
    return name in _known()


def zone(name: str) -> ZoneInfo:
    """The zone of this name. Raises ``ValueError`` with the nearest name that exists.

    A name is looked up in the list and never used as a path, whatever it looks like.
    """
    if is_zone(name):
        return ZoneInfo(name)
    if not name.strip():
        raise invalid("the time zone is empty. Write a name such as Europe/Berlin or UTC.")
    shown = shorten("".join(character if character.isprintable() else " " for character in name))
    raise invalid("«{written}» is not the name of a time zone. {nearest}", written=shown, nearest=_nearest(name))


def to_utc(local: datetime, zone_name: str, fold: int | None = None) -> datetime:
    """The moment (aware, UTC) at which clocks of the zone show ``local`` (naive).

    ``fold`` chooses where clocks show it twice: 0 the first time, 1 the second. Raises ``ValueError`` for an unknown
    zone, for a time that clocks leave out, and, without ``fold``, for one that they show twice.
    """
    if local.tzinfo is not None:
        raise invalid("{local} has a zone already. Give the local time without one.", local=local)
    tz = zone(zone_name)
    try:
        turn = _turn(local, tz)
        if turn is None:
            return _utc(local, tz, 0)
        shown = [_clock(local, turn + offset) for offset in _offsets(local, tz)]
        if _is_left_out(local, tz):
            raise invalid(
                "{clock} does not exist in {zone_name}: clocks go from {before} to {after}. Take {after} or later.",
                clock=_clock(None, local),
                zone_name=zone_name,
                before=shown[0],
                after=shown[1],
            )
        if fold is None:
            raise invalid(
                "{clock} exists twice in {zone_name}: clocks go back from {before} to {after}. Write it in "
                "UTC, or take a time outside that hour.",
                clock=_clock(None, local),
                zone_name=zone_name,
                before=shown[0],
                after=shown[1],
            )
        return _utc(local, tz, fold)
    except OverflowError:
        raise invalid("{local} is at the end of time. Take a year between 2 and 9998.", local=local) from None


def from_utc(moment: datetime, zone_name: str) -> datetime:
    """What clocks of the zone show at ``moment`` (aware): aware, in that zone. Raises ``ValueError``."""
    if moment.tzinfo is None:
        raise invalid("{moment} has no zone. Give a moment with one.", moment=moment)
    try:
        return moment.astimezone(zone(zone_name))
    except OverflowError:
        raise invalid("{moment} is at the end of time. Take a year between 2 and 9998.", moment=moment) from None


def edge(local: datetime, tz: tzinfo, *, latest: bool) -> datetime:
    """Where a lock begins or ends (aware, UTC) whose edge was written as ``local`` (naive) in ``tz``.

    A time that clocks leave out moves forward to the first that exists. Of one that they show twice it is the first,
    or with ``latest`` the second: as start and as end so chosen, a lock never shrinks. Raises ``OverflowError``.
    """
    turn = _turn(local, tz)
    if turn is not None and _is_left_out(local, tz):
        return turn.replace(tzinfo=UTC)
    return _utc(local, tz, 1 if latest else 0)


def _offsets(local: datetime, tz: tzinfo) -> tuple[timedelta, timedelta]:
    """The offsets before and after the change of clocks that ``local`` falls into (PEP 495); else twice the same."""
    before, after = (local.replace(fold=fold, tzinfo=tz).utcoffset() for fold in (0, 1))
    return before or timedelta(0), after or timedelta(0)


def _is_left_out(local: datetime, tz: tzinfo) -> bool:
    before, after = _offsets(local, tz)
    return before < after


def _turn(local: datetime, tz: tzinfo) -> datetime | None:
    """The moment (naive, UTC) when clocks change, if that leaves out ``local`` or makes it twice."""
    before, after = _offsets(local, tz)
    if before == after:
        return None
    whole = local.replace(microsecond=0, fold=0)
    early, late = whole - max(before, after), whole - min(before, after)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=int((late - early).total_seconds()) // 2)
        if middle.replace(tzinfo=UTC).astimezone(tz).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def _utc(local: datetime, tz: tzinfo, fold: int) -> datetime:
    return (local.replace(fold=0) - _offsets(local, tz)[fold]).replace(tzinfo=UTC)


def _clock(beside: datetime | None, local: datetime) -> str:
    """A local time as text, without the date where it is the same as that of ``beside``."""
    clock = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    return clock if beside is not None and beside.date() == local.date() else f"{local.date()} {clock}"


def _nearest(name: str) -> str:
    places = {known.rpartition("/")[2].lower(): known for known in zone_names()}
    places |= {known.lower(): known for known in zone_names()}
    close = get_close_matches(name[:60].strip().lower().replace(" ", "_"), places, n=1, cutoff=0.6)
    return (
        say("Did you mean {value}?", value=places[close[0]])
        if close
        else say("Write a name such as Europe/Berlin or UTC.")
    )
