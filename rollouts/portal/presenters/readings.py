"""A flag's readings over time as a picture of steps: what was read is a line, what is not known is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from ...models import FlagReading
from ...rules.expected import FlagReading as Latest
from ...rules.expected import Presence
from ...rules.exposure import Exposure
from ...rules.phrases import spoken
from .datetimes import day_and_clock

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 208.0, 46.0, 14.0, 14.0, 40.0
#: The strip under the picture, for named people and groups: their number GitLab does not tell.
STRIP = 10.0
LEVELS = (0, 25, 50, 75, 100)
KNOWN = {Presence.UNSET_OFF: Exposure(), Presence.UNSET_ON: Exposure(boolean=True)}


@dataclass(frozen=True, slots=True)
class ReadingStretch:
    """From when to when the flag stood so, in the picture's units; ``y`` is None where nobody knows."""

    x: float
    width: float
    y: float | None
    besides: bool
    words: str


@dataclass(frozen=True, slots=True)
class Readings:
    """``paths`` are the unbroken lines; ``gaps`` what is not known; ``besides`` where people are in by name."""

    paths: tuple[str, ...]
    stretches: tuple[ReadingStretch, ...]
    gaps: tuple[ReadingStretch, ...]
    besides: tuple[ReadingStretch, ...]
    levels: tuple[tuple[float, int], ...]
    ticks: tuple[tuple[float, str, str], ...]
    words: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    plot: float = HEIGHT - TOP - BOTTOM
    strip_y: float = HEIGHT - BOTTOM + 6
    strip: float = STRIP


def picture(readings: Sequence[FlagReading], latest: Latest, now: datetime, *, stale: bool) -> Readings | None:
    """``readings`` newest first. The last one stands until it was last confirmed; from there on, if that is too long
    ago, nobody knows. None where nothing was read yet.
    """
    if not readings or latest.read_at is None:
        return None
    oldest_first = list(reversed(readings))
    known_until = latest.read_at if stale else now
    first = oldest_first[0].read_at
    span = max((now - first).total_seconds(), 60.0)

    def x(moment: datetime) -> float:
        share = min(max((moment - first).total_seconds() / span, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    ends = [reading.read_at for reading in oldest_first[1:]] + [known_until]
    stretches = [_stretch(one, x(one.read_at), x(end)) for one, end in zip(oldest_first, ends, strict=True)]
    gaps = [one for one in stretches if one.y is None]
    if stale:
        begin = x(known_until)
        gaps.append(
            ReadingStretch(begin, max(round(x(now) - begin, 1), 2.0), None, False, _("not read since: not known"))
        )
    return Readings(
        paths=tuple(_paths(stretches)),
        stretches=tuple(stretches),
        gaps=tuple(gaps),
        besides=tuple(one for one in stretches if one.besides),
        levels=tuple((_y(level), level) for level in LEVELS),
        ticks=_ticks(first, now, x),
        words=_("Share of actors that is surely in, from %(first)s to %(last)s. Now: %(now)s.")
        % {
            "first": day_and_clock(first),
            "last": day_and_clock(now),
            "now": _("not known, for GitLab was not read lately") if stale else spoken(latest.words),
        },
    )


def _stretch(reading: FlagReading, start: float, end: float) -> ReadingStretch:
    presence = Presence(reading.presence)
    exposure = reading.exposure if presence is Presence.SET else KNOWN.get(presence)
    words = exposure.words if presence is Presence.SET and exposure else presence.words
    width = max(round(end - start, 1), 1.0)
    message = f"{spoken(words)}, {day_and_clock(reading.read_at)}"
    if exposure is None:
        return ReadingStretch(start, width, None, False, message)
    besides = not exposure.is_everyone and bool(exposure.groups or exposure.named_actors)
    share = 1.0 if exposure.percentage_of_time >= 100 else float(exposure.least_reach)
    return ReadingStretch(start, width, _y(share * 100), besides, message)


def _paths(stretches: Sequence[ReadingStretch]) -> list[str]:
    """Steps, broken where nothing is known."""
    lines: list[list[str]] = []
    is_open = False
    for one in stretches:
        if one.y is None:
            is_open = False
            continue
        if not is_open:
            lines.append([])
        lines[-1] += [f"{one.x},{one.y}", f"{round(one.x + one.width, 1)},{one.y}"]
        is_open = True
    return [" ".join(line) for line in lines]


def _ticks(first: datetime, now: datetime, x: object) -> tuple[tuple[float, str, str], ...]:
    """Begin and now, and the middle where there is room for a day between."""
    assert callable(x)
    ticks = [(x(first), day_and_clock(first), "start"), (x(now), day_and_clock(now), "end")]
    if now - first > timedelta(days=2):
        middle = first + (now - first) / 2
        ticks.insert(1, (x(middle), day_and_clock(middle), "middle"))
    return tuple(ticks)


def _y(percentage: float) -> float:
    return round(TOP + (1 - percentage / 100) * (HEIGHT - TOP - BOTTOM), 1)
