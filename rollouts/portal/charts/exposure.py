"""Exposure over time as a picture: the plan dashed, readings as solid steps, with gaps, locks, drift and events.

Everything here is coordinates; what they mean is ``rules.exposure_history``. The picture's height is made of lanes: the
share of actors, who is let in by name, events, phases. Further lanes on the same time axis go below the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from django.utils.translation import gettext as _

from ...rules import exposure_history
from ...rules.blockers import in_words
from ...rules.exposure_history import ExposureStretch, Piece
from ...rules.percentages import NOTHING
from ...rules.phrases import spoken
from ...services.exposure_history import ExposureHistory
from ..presenters.datetimes import with_zone
from .axis import Label, labels
from .bands import Band, gap_bands, lock_band, named_bands, phase_bands
from .lanes import BASE, EVENTS, HEIGHT, LEFT, LETTER, NAMED, PHASES, PHASES_END, RIGHT, TICKS, TOP, WIDTH
from .marks import EventMark, marks_of
from .scale import Scale, number

#: The word for now takes at most so much.
NOW = 40.0
#: Of shares, 0 to 1.
Y = Scale(0, 1, BASE, TOP)


@dataclass(frozen=True, slots=True)
class ExposureChart:
    """Strings are coordinates in units of the picture."""

    words: str
    levels: tuple[tuple[str, str], ...]
    labels: tuple[Label, ...]
    planned: str
    coming: str
    read: str
    area: str
    drift: str
    drift_labels: tuple[tuple[str, str, str], ...]
    named: tuple[Band, ...]
    gaps: tuple[Band, ...]
    locks: tuple[Band, ...]
    phases: tuple[Band, ...]
    marks: tuple[EventMark, ...]
    now: str
    left: str = number(LEFT)
    right: str = number(RIGHT)
    top: str = number(TOP)
    base: str = number(BASE)
    named_y: str = number(NAMED)
    events_y: str = number(EVENTS)
    phases_y: str = number(PHASES)
    lane: str = number(PHASES_END - PHASES)
    plot: str = number(BASE - TOP)
    ticks_y: str = number(TICKS)
    width: str = number(WIDTH)
    height: str = number(HEIGHT)

    @property
    def is_now_last(self) -> bool:
        """Whether the word beside today's line must stand before it, so that the picture does not cut it off."""
        return bool(self.now) and float(self.now) > RIGHT - NOW


def chart(history: ExposureHistory) -> ExposureChart:
    """The exposure history of a rollout as coordinates."""
    axis = Scale(history.since, history.until, LEFT, RIGHT)
    runs = _runs(history.read)
    drifts = exposure_history.episodes(history.pieces)
    words = _("Exposure from %(since)s to %(until)s: planned and read. The tables below say the same.") % {
        "since": with_zone(history.since),
        "until": with_zone(history.until),
    }
    return ExposureChart(
        words=words,
        levels=tuple((Y.at(share / 100), f"{share} %") for share in (0, 25, 50, 75, 100)),
        labels=labels(axis, 10),
        planned=_steps(history.planned, axis),
        coming=_coming(history, axis),
        read=" ".join(_steps(run, axis) for run in runs),
        area=" ".join(_area(run, axis) for run in runs if any(stretch.reach for stretch in run)),
        drift=_rectangles([piece for episode in drifts for piece in episode], axis),
        drift_labels=tuple(_drift_label(episode, axis, history) for episode in drifts[-12:]),
        named=tuple(named_bands(history.read, axis)),
        gaps=tuple(gap_bands(history, axis)),
        locks=tuple(lock_band(window, axis, history) for window in history.locks),
        phases=phase_bands(history, axis),
        marks=marks_of(history.events, axis, history.since),
        now="" if history.is_over else axis.at(history.known_until),
    )


def _runs(stretches: Iterable[ExposureStretch]) -> list[list[ExposureStretch]]:
    """Stretches that follow one another without a gap; of a flag that GitLab does not know there is nothing to draw."""
    runs: list[list[ExposureStretch]] = []
    for stretch in stretches:
        if stretch.exposure is None:
            continue
        if runs and runs[-1][-1].end == stretch.start:
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs


def _steps(stretches: Sequence[ExposureStretch], axis: Scale) -> str:
    """A line of steps. What changes within one unit of the picture is drawn once, from its least to its most."""
    if not stretches:
        return ""
    drawn = [f"M{axis.at(stretches[0].start)} {Y.at(stretches[0].reach)}"]
    column, ends = round(axis(stretches[0].start)), [stretches[0].reach]
    for stretch in stretches[1:]:
        here = round(axis(stretch.start))
        if here == column:
            ends.append(stretch.reach)
            continue
        drawn += _column(ends)
        column, ends = here, [ends[-1], stretch.reach]
        drawn.append(f"H{axis.at(stretch.start)}")
    drawn += _column(ends)
    return "".join([*drawn, f"H{axis.at(stretches[-1].end)}"])


def _column(ends: list[Decimal]) -> list[str]:
    """From the level before to the one after, by way of the extremes in between."""
    way = [ends[0], min(ends), max(ends), ends[-1]]
    return [f"V{Y.at(reach)}" for before, reach in pairwise(way) if reach != before]


def _area(run: Sequence[ExposureStretch], axis: Scale) -> str:
    return f"{_steps(run, axis)}V{number(BASE)}H{axis.at(run[0].start)}Z"


def _coming(history: ExposureHistory, axis: Scale) -> str:
    """From what is expected now on to what is predicted."""
    if not history.prediction.coming:
        return ""
    level = history.planned[-1].reach if history.planned else NOTHING
    drawn = [f"M{axis.at(history.known_until)} {Y.at(level)}"]
    for each in history.prediction.coming:
        if each.reach is not None and each.reach > level:
            level = each.reach
            drawn.append(f"H{axis.at(each.at)}V{Y.at(level)}")
    end = history.prediction.complete_at or history.prediction.coming[-1].at
    return "".join([*drawn, f"H{axis.at(end)}"])


def _rectangles(pieces: Sequence[Piece], axis: Scale) -> str:
    """Between expected and read; where only names differ, the lane of names. Pieces in one unit are drawn once."""
    drawn: dict[int, tuple[float, float, float, float]] = {}
    for piece in pieces:
        x, end = axis(piece.start), max(axis(piece.end), axis(piece.start) + 1)
        expected = piece.planned.least_reach
        read = piece.read.least_reach if piece.read else NOTHING
        high, low = Y(max(expected, read)), Y(min(expected, read))
        if high == low:
            high, low = NAMED - 3, NAMED + 9
        key = round(x)
        if key in drawn:
            _, others_end, others_high, others_low = drawn[key]
            end, high, low = max(end, others_end), min(high, others_high), max(low, others_low)
            x = drawn[key][0]
        drawn[key] = (x, end, high, low)
    return "".join(
        f"M{number(x)} {number(low)}V{number(high)}H{number(end)}V{number(low)}Z"
        for x, end, high, low in drawn.values()
    )


def _drift_label(episode: tuple[Piece, ...], axis: Scale, history: ExposureHistory) -> tuple[str, str, str]:
    """Above the drift, in the picture, and not across the line that says now."""
    lasted = in_words(episode[-1].end - episode[0].start, units=1)
    words = _("drift %(span)s") % {"span": spoken(lasted)}
    half = len(words) * LETTER / 2
    middle = (axis(episode[0].start) + axis(episode[-1].end)) / 2
    end = axis(history.known_until)
    x = end - half - 4 if middle <= end < middle + half + 4 else middle
    x = min(max(x, LEFT + half), RIGHT - half)
    reach = max(max(p.planned.least_reach, p.read.least_reach if p.read else NOTHING) for p in episode)
    return number(x), number(Y(reach) - 5), words
