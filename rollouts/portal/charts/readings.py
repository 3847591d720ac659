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
from ..presenters.datetimes import day_and_clock
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


def picture(readings: Sequence[FlagReading], latest: Latest, now: datetime, *, stale: bool) -> Readings | None:
    """``readings`` newest first. The last one stands until it was last confirmed; from there on, if that is too long
    ago, nobody knows. None where nothing was read yet.
    """
    if not readings or latest.read_at is None:
        return None
    oldest_first = list(reversed(readings))
    known_until = latest.read_at if stale else now
    first = oldest_first[0].read_at
    x = Scale(first, max(now, first + timedelta(minutes=1)), LEFT, WIDTH - RIGHT)
    until = [reading.read_at for reading in oldest_first[1:]] + [known_until]
    stretches = [_stretch(one, end, x) for one, end in zip(oldest_first, until, strict=True)]
    gaps = [one for one in stretches if one.y is None]
    if stale:
        place, width = x.stretch(known_until, now, 2.0)
        gaps.append(ReadingStretch(place, width, None, False, _("not read since: not known")))
    return Readings(
        paths=tuple(_paths(stretches)),
        stretches=tuple(stretches),
        gaps=tuple(gaps),
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


def _stretch(reading: FlagReading, end: datetime, x: Scale) -> ReadingStretch:
    presence = Presence(reading.presence)
    exposure = reading.exposure if presence is Presence.SET else KNOWN.get(presence)
    words = exposure.words if presence is Presence.SET and exposure else presence.words
    place, width = x.stretch(reading.read_at, end, 1.0)
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
