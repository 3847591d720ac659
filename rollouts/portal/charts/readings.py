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
from ...rules.exposure_history import Span, without
from ...rules.phrases import spoken
from ..presenters.datetimes import day_and_clock, with_zone
from .axis import Label, ends
from .scale import Scale, number

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760.0, 208.0, 46.0, 14.0, 14.0, 40.0
#: The strip under the picture, for named people and groups: their number GitLab does not tell.
STRIP = 10.0
LEVELS = (0, 25, 50, 75, 100)
Y = Scale(0, 100, HEIGHT - BOTTOM, TOP)
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
    levels: tuple[tuple[str, int], ...]
    ticks: tuple[Label, ...]
    words: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    plot: float = HEIGHT - TOP - BOTTOM
    strip_y: float = HEIGHT - BOTTOM + 6
    strip: float = STRIP


def picture(
    readings: Sequence[FlagReading], latest: Latest, unread: Sequence[Span], now: datetime, *, stale: bool
) -> Readings | None:
    """``readings`` newest first; each stands until the next, but where it was ``unread``: there nobody knows.

    None where nothing was read yet.
    """
    if not readings or latest.read_at is None:
        return None
    oldest_first = list(reversed(readings))
    first = oldest_first[0].read_at
    x = Scale(first, max(now, first + timedelta(minutes=1)), LEFT, WIDTH - RIGHT)
    until = [reading.read_at for reading in oldest_first[1:]] + [now]
    drawn = {
        start: _stretch(one, start, stop, x)
        for one, end in zip(oldest_first, until, strict=True)
        for start, stop in without((one.read_at, end), unread)
    }
    drawn |= {start: _gap(start, end, now, x) for start, end in unread}
    stretches = [drawn[start] for start in sorted(drawn)]
    return Readings(
        paths=tuple(_paths(stretches)),
        stretches=tuple(stretches),
        gaps=tuple(one for one in stretches if one.y is None),
        besides=tuple(one for one in stretches if one.besides),
        levels=tuple((Y.at(level), level) for level in LEVELS),
        ticks=ends(x, middle=True),
        words=_("Share of actors that is surely in, from %(first)s to %(last)s. Now: %(now)s.")
        % {
            "first": day_and_clock(first),
            "last": day_and_clock(now),
            "now": _("not known, for GitLab was not read lately") if stale else spoken(latest.words),
        },
    )


def _gap(start: datetime, end: datetime, now: datetime, x: Scale) -> ReadingStretch:
    place, width = x.stretch(start, end, 2.0)
    words = _("Not read from %(start)s to %(end)s") % {"start": with_zone(start), "end": with_zone(end)}
    return ReadingStretch(place, width, None, False, words if end < now else _("not read since: not known"))


def _stretch(reading: FlagReading, start: datetime, end: datetime, x: Scale) -> ReadingStretch:
    presence = Presence(reading.presence)
    exposure = reading.exposure if presence is Presence.SET else KNOWN.get(presence)
    words = exposure.words if presence is Presence.SET and exposure else presence.words
    place, width = x.stretch(start, end, 1.0)
    message = f"{spoken(words)}, {day_and_clock(reading.read_at)}"
    if exposure is None:
        return ReadingStretch(place, width, None, False, message)
    besides = not exposure.is_everyone and bool(exposure.groups or exposure.named_actors)
    share = 1.0 if exposure.percentage_of_time >= 100 else float(exposure.least_reach)
    return ReadingStretch(place, width, Y(share * 100), besides, message)


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
        lines[-1] += [f"{number(one.x)},{number(one.y)}", f"{number(one.x + one.width)},{number(one.y)}"]
        is_open = True
    return [" ".join(line) for line in lines]
