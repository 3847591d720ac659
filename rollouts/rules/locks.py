"""Change locks: when no flag may reach more people. Windows of time, weekly ones, and which of them holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from .phrases import invalid, say
from .zones import edge, zone

DAYS = (
    say("Monday"),
    say("Tuesday"),
    say("Wednesday"),
    say("Thursday"),
    say("Friday"),
    say("Saturday"),
    say("Sunday"),
)
#: Each of them.
EACH = (
    say("Mondays"),
    say("Tuesdays"),
    say("Wednesdays"),
    say("Thursdays"),
    say("Fridays"),
    say("Saturdays"),
    say("Sundays"),
)
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From ``starts_at`` until just before ``ends_at``, both aware and kept in UTC. Raises ``ValueError``."""

    starts_at: datetime
    ends_at: datetime
    title: str = ""

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise invalid("a window's times need a zone. Write them in UTC.")
        object.__setattr__(self, "starts_at", self.starts_at.astimezone(UTC))
        object.__setattr__(self, "ends_at", self.ends_at.astimezone(UTC))
        named = f"«{self.title}»" if self.title else say("it")
        if self.ends_at < self.starts_at:
            raise invalid("{named} ends before it starts. Let it end later.", named=named)
        if self.ends_at == self.starts_at:
            raise invalid("{named} ends when it starts. Let it end later.", named=named)

    def holds(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Weekly:
    """Each week from a day and local time to a day and local time; over the week's end where ``to`` comes first.

    Days count from 0 = Monday. Raises ``ValueError`` for a day or zone that does not exist, and where it ends when it
    starts.
    """

    from_day: int
    from_time: time
    to_day: int
    to_time: time
    zone: str

    def __post_init__(self) -> None:
        for day in (self.from_day, self.to_day):
            if not 0 <= day <= 6:
                raise invalid("{day} is not a day of the week. Write 0 for Monday to 6 for Sunday.", day=day)
        if self.from_time.tzinfo or self.to_time.tzinfo:
            raise invalid("a weekly lock's times are local. Leave their zone out and name it once.")
        zone(self.zone)
        if not self._length:
            raise invalid(
                "it starts and ends on {day} at {clock}: that is no time or all the time. "
                "Write when it ends; for a lock of a whole week, end it a minute earlier.",
                day=DAYS[self.from_day],
                clock=_clock(self.from_time),
            )

    @property
    def _length(self) -> timedelta:
        """By the clock on the wall: it ignores that clocks may change."""
        return (_since_monday(self.to_day, self.to_time) - _since_monday(self.from_day, self.from_time)) % _WEEK

    @property
    def words(self) -> str:
        """«Fridays 12:00 to Mondays 09:00, Europe/Berlin»"""
        return say(
            "{from_day} {from_clock} to {to_day} {to_clock}, {zone}",
            from_day=EACH[self.from_day],
            from_clock=_clock(self.from_time),
            to_day=EACH[self.to_day],
            to_clock=_clock(self.to_time),
            zone=self.zone,
        )

    def windows(self, since: datetime, until: datetime) -> list[Window]:
        """The occurrences that touch [since, until), whole, in order; none overlaps another.

        Edges stay at their local times when clocks change. One that clocks leave out moves forward; of one that they
        show twice, a start is the first and an end the second. So one occurrence may end after the next should start:
        then the next starts where it ends.
        """
        if since >= until:
            return []
        tz = zone(self.zone)
        day = since.astimezone(tz).date() - 3 * _WEEK  # the longest occurrence, and the one before it for its end
        monday = datetime.combine(day - timedelta(days=day.weekday()), time())
        found: list[Window] = []
        last_end = None
        while True:
            start = monday + _since_monday(self.from_day, self.from_time)
            starts_at, ends_at = edge(start, tz, latest=False), edge(start + self._length, tz, latest=True)
            if starts_at >= until:
                return found
            if last_end is not None:
                starts_at = max(starts_at, last_end)
            # Clocks may leave out all of a short lock; then there is none that week.
            if starts_at < ends_at and ends_at > since:
                found.append(Window(starts_at, ends_at, self.words))
            last_end = ends_at
            monday += _WEEK


def edges(windows: Iterable[Window], now: datetime) -> list[datetime]:
    """When these windows begin or end after ``now``."""
    return [moment for window in windows for moment in (window.starts_at, window.ends_at) if moment > now]


def current(windows: Iterable[Window], now: datetime) -> list[Window]:
    """The windows that hold now."""
    return [window for window in windows if window.holds(now)]


def following(windows: Iterable[Window], now: datetime) -> Window | None:
    """The next window to start, if any; those that hold now are not to come."""
    return min((window for window in windows if window.starts_at > now), default=None)


def merged_end(windows: Iterable[Window], now: datetime) -> datetime | None:
    """When the lock that holds now really ends: windows that adjoin or overlap count as one. None if none holds."""
    in_order = sorted(windows)
    ends_at = max((window.ends_at for window in current(in_order, now)), default=None)
    if ends_at is None:
        return None
    for window in in_order:
        if window.starts_at <= ends_at:
            ends_at = max(ends_at, window.ends_at)
    return ends_at


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same locked time in order, where no two windows adjoin or overlap; their titles are left out."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.starts_at <= found[-1].ends_at:
            found[-1] = Window(found[-1].starts_at, max(found[-1].ends_at, window.ends_at))
        else:
            found.append(Window(window.starts_at, window.ends_at))
    return tuple(found)


def _since_monday(day: int, clock: time) -> timedelta:
    return day * _DAY + timedelta(
        hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
    )


def _clock(clock: time) -> str:
    return clock.strftime("%H:%M:%S" if clock.second else "%H:%M")
