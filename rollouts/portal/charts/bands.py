"""Times as bands of the exposure picture: who is let in by name, what was not read, change locks, phases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.utils.translation import gettext as _

from ...models import Phase
from ...rules.exposure import Exposure
from ...rules.exposure_history import ExposureStretch, Piece
from ...rules.locks import Window
from ...rules.machine import PhaseState, state_in_words
from ...rules.phrases import spoken
from ...services.exposure_history import ExposureHistory
from ..presenters.datetimes import with_zone
from .lanes import LETTER, RIGHT
from .scale import Scale, number


@dataclass(frozen=True, slots=True)
class Band:
    """A time as a rectangle; ``label`` is empty where it would not fit, ``words`` always say what it is."""

    x: str
    width: str
    label: str
    words: str
    look: str = ""
    middle: str = ""
    anchor: str = "middle"


def named_bands(stretches: Iterable[ExposureStretch], axis: Scale) -> Iterable[Band]:
    """When GitLab let somebody in by name or group: how many people that is, it does not tell."""
    last: ExposureStretch | None = None
    for stretch in [*stretches, None]:
        if last and stretch and last.end == stretch.start and _by_name(last.exposure) == _by_name(stretch.exposure):
            last = ExposureStretch(last.start, stretch.end, stretch.exposure)
            continue
        if last and (exposure := _by_name(last.exposure)):
            span = _("%(words)s, %(start)s to %(end)s") % {
                "words": spoken(exposure.words),
                "start": with_zone(last.start),
                "end": with_zone(last.end),
            }
            yield _band(axis, last.start, last.end, _fits(), span)
        last = stretch


def _by_name(exposure: Exposure | None) -> Exposure | None:
    if exposure is None or not (exposure.groups or exposure.actors):
        return None
    return Exposure(groups=exposure.groups, actors=exposure.actors)


def gap_bands(history: ExposureHistory, axis: Scale) -> Iterable[Band]:
    """Where nothing is drawn, as nothing was read; or as there are older readings than are looked at."""
    gaps: list[tuple[Piece, datetime]] = []
    for piece in history.pieces:
        if piece.is_known:
            continue
        if gaps and gaps[-1][1] == piece.start:
            gaps[-1] = (gaps[-1][0], piece.end)
        else:
            gaps.append((piece, piece.end))
    for piece, end in gaps:
        span = {"start": with_zone(piece.start), "end": with_zone(end)}
        if history.is_left_out(piece):
            words = _("Older readings, from %(start)s to %(end)s, are not drawn") % span
            yield _band(axis, piece.start, end, _fits(_("older readings")), words)
        else:
            words = _("Not read from %(start)s to %(end)s") % span
            yield _band(axis, piece.start, end, _fits(_("not read")), words)


def lock_band(window: Window, axis: Scale, history: ExposureHistory) -> Band:
    words = _("Change lock «%(title)s» from %(start)s to %(end)s") % {
        "title": window.title,
        "start": with_zone(window.starts_at),
        "end": with_zone(window.ends_at),
    }
    start, end = max(window.starts_at, history.since), min(window.ends_at, history.until)
    return _band(axis, start, end, _fits(_("change lock"), _("lock")), words)


def phase_bands(history: ExposureHistory, axis: Scale) -> tuple[Band, ...]:
    """Each attempt as a band; where its name does not fit in, it stands beside it if there is room before the next."""
    bands = [(str(phase), _phase(phase, axis, history)) for phase in history.phases] + _phases_to_come(history, axis)
    bands.sort(key=lambda each: float(each[1].x))
    placed: list[Band] = []
    for (title, band), after in pairwise([*bands, ("", None)]):
        assert band is not None
        end = float(band.x) + float(band.width)
        room = (float(after[1].x) if after[1] else RIGHT) - end
        beside = "" if band.label else _fits(title)(room - 2)
        placed.append(replace(band, label=beside, middle=number(end + 4), anchor="start") if beside else band)
    return tuple(placed)


def _phases_to_come(history: ExposureHistory, axis: Scale) -> list[tuple[str, Band]]:
    """Phases that have not begun, from when each may begin at the earliest to when the next may."""
    begun = {phase.name for phase in history.phases if phase.state not in (PhaseState.PLANNED, PhaseState.ROLLED_BACK)}
    starts: dict[str, datetime] = {}
    for each in history.prediction.coming:
        starts.setdefault(each.phase, each.at)
    names = list(starts)
    bands = []
    for name, following in pairwise([*names, ""]):
        end = starts[following] if following else history.prediction.complete_at
        if name in begun or end is None:
            continue
        title = history.titles.get(name, name)
        words = _("%(phase)s: at the earliest %(start)s to %(end)s") % {
            "phase": title,
            "start": with_zone(starts[name]),
            "end": with_zone(end),
        }
        bands.append((title, _band(axis, starts[name], end, _fits(title), words, "coming")))
    return bands


def _phase(phase: Phase, axis: Scale, history: ExposureHistory) -> Band:
    assert phase.started_at
    end = phase.completed_at if phase.state == PhaseState.COMPLETED else phase.ended_at or history.known_until
    looks = {PhaseState.COMPLETED: "done", PhaseState.ROLLED_BACK: "back"}
    words = _("%(phase)s: %(state)s, %(start)s to %(end)s") % {
        "phase": spoken(str(phase)),
        "state": spoken(state_in_words(phase.state)),
        "start": with_zone(phase.started_at),
        "end": with_zone(end or history.known_until),
    }
    look = looks.get(PhaseState(phase.state), "now")
    return _band(axis, phase.started_at, end or history.known_until, _fits(str(phase), phase.title), words, look)


def _band(
    axis: Scale, start: datetime, end: datetime, label: Callable[[float], str], words: str, look: str = ""
) -> Band:
    x, width = axis.stretch(start, end, 2.0)
    return Band(number(x), number(width), label(width), words, look, number(x + width / 2))


def _fits(*labels: str) -> Callable[[float], str]:
    """The first of these that fits into a width, or nothing."""
    return lambda width: next((label for label in labels if len(label) * LETTER + 6 <= width), "")
