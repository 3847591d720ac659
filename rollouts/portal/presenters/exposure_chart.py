"""Exposure over time as a picture: the plan dashed, readings as solid steps, with gaps, locks, drift and events.

Everything here is coordinates; what they mean is ``rules.series``. The picture's height is made of lanes: the share of
actors, who is let in by name, events, phases. Further lanes on the same time axis go below the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...models import AuditEvent, Phase
from ...rules import series
from ...rules.blockers import in_words
from ...rules.exposure import Exposure
from ...rules.locks import Window
from ...rules.machine import PhaseState, state_in_words
from ...rules.series import Piece, Stretch
from ...rules.words import spoken
from ...services.course import Course
from . import history
from .time_axis import Label, TimeAxis, exactly, number

WIDTH, LEFT, RIGHT = 760.0, 62.0, 748.0
TOP, BASE = 40.0, 196.0
NAMED, EVENTS, PHASES, PHASES_END, TICKS, HEIGHT = 208.0, 232.0, 248.0, 266.0, 284.0, 292.0
#: Narrower than this a label would not fit; a letter takes about so much.
LETTER = 5.8
BOLD = 6.6
#: Marks nearer than this are drawn as one.
MARK = 15.0
ON = frozenset({"start", "advance", "resume", "complete", "ended", "freed"})
BACK = frozenset({"roll_back", "pause", "reject", "began", "held", "unconfirmed", "abandon"})


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


@dataclass(frozen=True, slots=True)
class Mark:
    """One event, or several so near to each other that they are drawn as one. ``href`` is its row in the table."""

    x: str
    y: str
    points: str
    count: int
    look: str
    href: str
    words: str
    shown: str
    shown_x: str


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
    marks: tuple[Mark, ...]
    now: str
    has_drift: bool
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


def chart(course: Course) -> ExposureChart:
    """The course of a rollout as coordinates."""
    axis = TimeAxis(course.since, course.until, LEFT, RIGHT)
    runs = _runs(course.read)
    drifts = series.episodes(course.pieces)
    words = _("Exposure from %(since)s to %(until)s: planned and read. The tables below say the same.") % {
        "since": exactly(course.since),
        "until": exactly(course.until),
    }
    return ExposureChart(
        words=words,
        levels=tuple((number(_y(share / 100)), f"{share} %") for share in (0, 25, 50, 75, 100)),
        labels=axis.labels(10),
        planned=_steps(course.planned, axis),
        coming=_coming(course, axis),
        read=" ".join(_steps(run, axis) for run in runs),
        area=" ".join(_area(run, axis) for run in runs if any(stretch.reach for stretch in run)),
        drift=_rectangles([piece for episode in drifts for piece in episode], axis),
        drift_labels=tuple(_drift_label(episode, axis, course) for episode in drifts[-12:]),
        named=tuple(_named(course.read, axis)),
        gaps=tuple(_gaps(course, axis)),
        locks=tuple(_lock(window, axis, course) for window in course.locks),
        phases=_phases(course, axis),
        marks=_marks(course.events, axis, course.since),
        now="" if course.is_over else axis.at(course.known_until),
        has_drift=bool(drifts),
    )


def _y(reach: float) -> float:
    return BASE - reach * (BASE - TOP)


def _runs(stretches: Iterable[Stretch]) -> list[list[Stretch]]:
    """Stretches that follow one another without a gap; of a flag that GitLab does not know there is nothing to draw."""
    runs: list[list[Stretch]] = []
    for stretch in stretches:
        if stretch.exposure is None:
            continue
        if runs and runs[-1][-1].end == stretch.start:
            runs[-1].append(stretch)
        else:
            runs.append([stretch])
    return runs


def _steps(stretches: Sequence[Stretch], axis: TimeAxis) -> str:
    """A line of steps. What changes within one unit of the picture is drawn once, from its least to its most."""
    if not stretches:
        return ""
    drawn = [f"M{axis.at(stretches[0].start)} {number(_y(stretches[0].reach))}"]
    column, ends = round(axis.x(stretches[0].start)), [stretches[0].reach]
    for stretch in stretches[1:]:
        here = round(axis.x(stretch.start))
        if here == column:
            ends.append(stretch.reach)
            continue
        drawn += _column(ends)
        column, ends = here, [ends[-1], stretch.reach]
        drawn.append(f"H{axis.at(stretch.start)}")
    drawn += _column(ends)
    return "".join([*drawn, f"H{axis.at(stretches[-1].end)}"])


def _column(ends: list[float]) -> list[str]:
    """From the level before to the one after, by way of the extremes in between."""
    way = [ends[0], min(ends), max(ends), ends[-1]]
    return [f"V{number(_y(reach))}" for before, reach in pairwise(way) if reach != before]


def _area(run: Sequence[Stretch], axis: TimeAxis) -> str:
    return f"{_steps(run, axis)}V{number(BASE)}H{axis.at(run[0].start)}Z"


def _coming(course: Course, axis: TimeAxis) -> str:
    """From what is expected now on to what is predicted."""
    if not course.prediction.coming:
        return ""
    level = course.planned[-1].reach if course.planned else 0.0
    drawn = [f"M{axis.at(course.known_until)} {number(_y(level))}"]
    for each in course.prediction.coming:
        if each.reach is not None and each.reach > level:
            level = each.reach
            drawn.append(f"H{axis.at(each.at)}V{number(_y(level))}")
    end = course.prediction.complete_at or course.prediction.coming[-1].at
    return "".join([*drawn, f"H{axis.at(end)}"])


def _rectangles(pieces: Sequence[Piece], axis: TimeAxis) -> str:
    """Between expected and read; where only names differ, the lane of names. Pieces in one unit are drawn once."""
    drawn: dict[int, tuple[float, float, float, float]] = {}
    for piece in pieces:
        x, end = axis.x(piece.start), max(axis.x(piece.end), axis.x(piece.start) + 1)
        expected = piece.planned.least_reach
        read = piece.read.least_reach if piece.read else 0.0
        high, low = _y(max(expected, read)), _y(min(expected, read))
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


def _drift_label(episode: tuple[Piece, ...], axis: TimeAxis, course: Course) -> tuple[str, str, str]:
    """Above the drift, in the picture, and not across the line that says now."""
    lasted = in_words(episode[-1].end - episode[0].start, units=1)
    words = _("drift %(span)s") % {"span": spoken(lasted)}
    half = len(words) * LETTER / 2
    middle = (axis.x(episode[0].start) + axis.x(episode[-1].end)) / 2
    end = axis.x(course.known_until)
    x = end - half - 4 if middle <= end < middle + half + 4 else middle
    x = min(max(x, LEFT + half), RIGHT - half)
    reach = max(max(p.planned.least_reach, p.read.least_reach if p.read else 0.0) for p in episode)
    return number(x), number(_y(reach) - 5), words


def _band(
    axis: TimeAxis, start: datetime, end: datetime, label: Callable[[float], str], words: str, look: str = ""
) -> Band:
    x, width = axis.x(start), max(axis.x(end) - axis.x(start), 2.0)
    return Band(number(x), number(width), label(width), words, look, number(x + width / 2))


def _fits(*labels: str) -> Callable[[float], str]:
    """The first of these that fits into a width, or nothing."""
    return lambda width: next((label for label in labels if len(label) * LETTER + 6 <= width), "")


def _named(stretches: Iterable[Stretch], axis: TimeAxis) -> Iterable[Band]:
    """When GitLab let somebody in by name or group: how many people that is, it does not tell."""
    last: Stretch | None = None
    for stretch in [*stretches, None]:
        if last and stretch and last.end == stretch.start and _by_name(last.exposure) == _by_name(stretch.exposure):
            last = Stretch(last.start, stretch.end, stretch.exposure)
            continue
        if last and (exposure := _by_name(last.exposure)):
            span = _("%(words)s, %(start)s to %(end)s") % {
                "words": spoken(exposure.words),
                "start": exactly(last.start),
                "end": exactly(last.end),
            }
            yield _band(axis, last.start, last.end, _fits(), span)
        last = stretch


def _by_name(exposure: Exposure | None) -> Exposure | None:
    if exposure is None or not (exposure.groups or exposure.actors):
        return None
    return Exposure(groups=exposure.groups, actors=exposure.actors)


def _gaps(course: Course, axis: TimeAxis) -> Iterable[Band]:
    """Where nothing is drawn, as nothing was read; or as there are older readings than are looked at."""
    gaps: list[tuple[Piece, datetime]] = []
    for piece in course.pieces:
        if piece.is_known:
            continue
        if gaps and gaps[-1][1] == piece.start:
            gaps[-1] = (gaps[-1][0], piece.end)
        else:
            gaps.append((piece, piece.end))
    for piece, end in gaps:
        span = {"start": exactly(piece.start), "end": exactly(end)}
        if course.is_left_out(piece):
            words = _("Older readings, from %(start)s to %(end)s, are not drawn") % span
            yield _band(axis, piece.start, end, _fits(_("older readings")), words)
        else:
            words = _("Not read from %(start)s to %(end)s") % span
            yield _band(axis, piece.start, end, _fits(_("not read")), words)


def _lock(window: Window, axis: TimeAxis, course: Course) -> Band:
    words = _("Change lock «%(title)s» from %(start)s to %(end)s") % {
        "title": window.title,
        "start": exactly(window.starts_at),
        "end": exactly(window.ends_at),
    }
    start, end = max(window.starts_at, course.since), min(window.ends_at, course.until)
    return _band(axis, start, end, _fits(_("change lock"), _("lock")), words)


def _phases(course: Course, axis: TimeAxis) -> tuple[Band, ...]:
    """Each attempt as a band; where its name does not fit in, it stands beside it if there is room before the next."""
    bands = [(str(phase), _phase(phase, axis, course)) for phase in course.phases] + _phases_to_come(course, axis)
    bands.sort(key=lambda each: float(each[1].x))
    placed: list[Band] = []
    for (title, band), after in pairwise([*bands, ("", None)]):
        assert band is not None
        end = float(band.x) + float(band.width)
        room = (float(after[1].x) if after[1] else RIGHT) - end
        beside = "" if band.label else _fits(title)(room - 2)
        placed.append(replace(band, label=beside, middle=number(end + 4), anchor="start") if beside else band)
    return tuple(placed)


def _phases_to_come(course: Course, axis: TimeAxis) -> list[tuple[str, Band]]:
    """Phases that have not begun, from when each may begin at the earliest to when the next may."""
    begun = {phase.name for phase in course.phases if phase.state not in (PhaseState.PLANNED, PhaseState.ROLLED_BACK)}
    starts: dict[str, datetime] = {}
    for each in course.prediction.coming:
        starts.setdefault(each.phase, each.at)
    names = list(starts)
    bands = []
    for name, following in pairwise([*names, ""]):
        end = starts[following] if following else course.prediction.complete_at
        if name in begun or end is None:
            continue
        title = course.titles.get(name, name)
        words = _("%(phase)s: at the earliest %(start)s to %(end)s") % {
            "phase": title,
            "start": exactly(starts[name]),
            "end": exactly(end),
        }
        bands.append((title, _band(axis, starts[name], end, _fits(title), words, "coming")))
    return bands


def _phase(phase: Phase, axis: TimeAxis, course: Course) -> Band:
    assert phase.started_at
    end = phase.completed_at if phase.state == PhaseState.COMPLETED else phase.ended_at or course.known_until
    looks = {PhaseState.COMPLETED: "done", PhaseState.ROLLED_BACK: "back"}
    words = _("%(phase)s: %(state)s, %(start)s to %(end)s") % {
        "phase": phase,
        "state": spoken(state_in_words(phase.state)),
        "start": exactly(phase.started_at),
        "end": exactly(end or course.known_until),
    }
    look = looks.get(PhaseState(phase.state), "now")
    return _band(axis, phase.started_at, end or course.known_until, _fits(str(phase), phase.title), words, look)


def _marks(events: Sequence[AuditEvent], axis: TimeAxis, since: datetime) -> tuple[Mark, ...]:
    """Events as marks, oldest first; those too near to each other as one that says how many."""
    groups: list[list[AuditEvent]] = []
    for event in sorted((event for event in events if event.at >= since), key=lambda event: (event.at, event.pk)):
        if groups and axis.x(event.at) - axis.x(groups[-1][0].at) < MARK:
            groups[-1].append(event)
        else:
            groups.append([event])
    return tuple(_mark(group, axis) for group in groups)


def _mark(group: list[AuditEvent], axis: TimeAxis) -> Mark:
    x = (axis.x(group[0].at) + axis.x(group[-1].at)) / 2
    said = [f"{spoken(history.who(event))} {spoken(history.sentence(event))}" for event in group]
    looks = {_look(event) for event in group}
    look = next((each for each in ("back", "on") if each in looks), "talk")
    when = exactly(group[-1].at)
    shown = f"{when} · {said[-1]}"
    if len(group) > 1:
        more = ngettext("and %(count)s more", "and %(count)s more", len(group) - 1) % {"count": len(group) - 1}
        shown = f"{_cut(shown, 78)} · {more}"
    shown = _cut(shown, 100)
    shown_width = len(shown) * BOLD
    return Mark(
        x=number(x),
        y=number(EVENTS + 4),
        points=_glyph(x, look),
        count=len(group) if len(group) > 1 else 0,
        look=look,
        href=f"#event-{group[-1].pk}",
        words=f"{when}: {_cut('; '.join(reversed(said)), 300)}",
        shown=shown,
        shown_x=number(min(max(x - shown_width / 2, 4.0), max(4.0, WIDTH - shown_width - 4))),
    )


def _look(event: AuditEvent) -> str:
    verb = event.verb.partition(".")[2]
    return "back" if verb in BACK else "on" if verb in ON else "talk"


def _glyph(x: float, look: str) -> str:
    """A triangle up for what went on, down for what went back, a diamond for what was said."""
    shapes = {
        "on": ((-7, 6), (0, -7), (7, 6)),
        "back": ((-7, -6), (0, 7), (7, -6)),
        "talk": ((-6, 0), (0, -6), (6, 0), (0, 6)),
    }
    return " ".join(f"{number(x + dx)},{number(EVENTS + dy)}" for dx, dy in shapes[look])


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
