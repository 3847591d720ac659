"""The timeline's rows: phases as bars, steps as ticks, the plan's own dates, all in per cent of the axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from ...rules.expected import Drift
from ...rules.machine import RolloutState
from ...rules.phrases import say, spoken
from ...rules.schedule import Certainty, Kind, Moment, Schedule, Span, SpanLook
from ...services.schedules import Lock, Scheduled
from ..charts.scale import percent
from ..charts.timeline import Axis
from .collisions import Collision

#: From when, about when and until when everybody has it.
Range = tuple[datetime, datetime, datetime]

#: A label needs so much of the width, in per cent for each character, at the least width of the picture.
PER_CHARACTER, BETWEEN = 0.95, 4.5
#: Nearer than this to an edge, words in the middle would be cut off.
EDGE = 3.0
#: Drawn at least so wide.
NARROWEST = 0.45
STATES = {
    SpanLook.DONE: gettext_lazy("completed"),
    SpanLook.NOW: gettext_lazy("underway"),
    SpanLook.SKIP: gettext_lazy("skipped"),
    SpanLook.BACK: gettext_lazy("rolled back"),
}
CERTAIN = {Certainty.DATED: gettext_lazy("planned"), Certainty.EARLIEST: gettext_lazy("at the earliest")}


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    width: str
    look: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """A step at its place. ``words`` are left out where the one before is too near.

    ``edge`` says at which edge of the picture it stands, so that the words stay inside: first, last or neither.
    """

    x: str
    words: str
    look: str
    edge: str = ""


@dataclass(frozen=True, slots=True)
class TimelineLine:
    """One line of the table: a phase, or the part of it that is still to come."""

    phase: str
    state: str
    starts: str
    ends: str
    steps: str


@dataclass(frozen=True, slots=True)
class Everybody:
    """When all users have it: the range as a bar, and where it is likeliest; empty where the axis does not reach."""

    x: str
    width: str
    at: str
    words: str


@dataclass(frozen=True, slots=True)
class TimelineRow:
    title: str
    url: str
    model: str
    state: str
    is_over: bool
    bars: tuple[Bar, ...]
    marks: tuple[TimelineMark, ...]
    plan: tuple[str, ...]
    collisions: tuple[tuple[str, int], ...]
    lines: tuple[TimelineLine, ...]
    words: str
    everybody: Everybody | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """A change lock across all rows."""

    x: str
    width: str
    title: str
    words: str


def rows(
    scheduled: Sequence[Scheduled], axis: Axis, collisions: Iterable[Collision], likely: Mapping[int, Range]
) -> list[TimelineRow]:
    """One row for each rollout; ``collisions`` are marked with their numbers. ``likely`` is when everybody has it."""
    marked: dict[str, list[tuple[str, int]]] = {}
    for collision in collisions:
        for slug, at in collision.at.items():
            if axis.shows(at):
                marked.setdefault(slug, []).append((axis.x(at), collision.number))
    return [_row(each, axis, tuple(marked.get(each.slug, ())), likely.get(each.row["id"])) for each in scheduled]


def _row(
    scheduled: Scheduled, axis: Axis, collisions: tuple[tuple[str, int], ...], likely: Range | None
) -> TimelineRow:
    row, schedule = scheduled.row, scheduled.schedule
    is_off = row["drift"] not in (Drift.NONE, Drift.BEHIND)
    lines = tuple(_lines(schedule))
    summary = "; ".join(f"{line.phase}: {line.state}, {line.starts} – {line.ends}" for line in lines)
    everybody = _everybody(likely, axis) if likely else None
    if everybody:
        summary = f"{summary}. {everybody.words}" if summary else everybody.words
    numbers = ", ".join(str(number) for _x, number in collisions)
    if numbers:
        summary = f"{summary}. " + _("Collisions: {numbers}").format(numbers=numbers)
    return TimelineRow(
        title=row["title"],
        url=reverse("portal:rollout", args=[scheduled.slug]),
        model=model_words(row),
        state=_state(row["state"]),
        is_over=row["ends_at"] is not None,
        bars=tuple(_bars(schedule, axis, is_off)),
        marks=tuple(_marks(schedule, axis)),
        plan=tuple(axis.x(planned.at) for planned in schedule.plan if axis.shows(planned.at)),
        collisions=collisions,
        lines=lines,
        words=summary or _("No dates yet."),
        everybody=everybody,
    )


def _everybody(likely: Range, axis: Axis) -> Everybody:
    """When all users have it, as far as the axis shows it."""
    since, at, until = likely
    days = [date_format(localtime(moment), _("j M")) for moment in likely]
    dates = dict(zip(("since", "at", "until"), days, strict=True))
    words = _("Everybody has it about %(at)s, between %(since)s and %(until)s.") % dates
    start, end = max(axis.share(since), 0), min(axis.share(until), 100)
    if start >= 100 or end <= 0:
        return Everybody("", "", "", words)
    return Everybody(percent(start), percent(max(end - start, 0.2)), axis.x(at) if axis.shows(at) else "", words)


def model_words(row: Mapping[str, object]) -> str:
    name, host = str(row["ai_model__name"]), str(row["ai_model__host"])
    return f"{name} · {host}" if host and host.lower() not in name.lower() else name


def _state(state: str) -> str:
    return {
        RolloutState.DRAFT: _("draft"),
        RolloutState.UNDERWAY: _("underway"),
        RolloutState.COMPLETED: _("completed"),
        RolloutState.ROLLED_BACK: _("rolled back"),
        RolloutState.ABANDONED: _("abandoned"),
        RolloutState.CLOSED: _("closed"),
    }[RolloutState(state)]


def _bars(schedule: Schedule, axis: Axis, is_off: bool) -> Iterable[Bar]:
    shown = [span for span in schedule.spans if span.ends_at >= axis.since and span.starts_at < axis.until]
    labelled = _labelled(shown, axis)
    for span in shown:
        left, width = axis.share.stretch(span.starts_at, span.ends_at, NARROWEST)
        label = str(span.phase.title) if any(span is each for each in labelled) else ""
        yield Bar(percent(left), percent(width), _look(span, is_off), label)


def _labelled(spans: list[Span], axis: Axis) -> list[Span]:
    """Those whose phase's name finds room above them, what runs now before the rest."""
    taken: list[tuple[float, float]] = []
    found = []
    for span in sorted(spans, key=lambda span: (span.look is not SpanLook.NOW, span.starts_at)):
        left = axis.share(span.starts_at)
        right = left + len(span.phase.title) * PER_CHARACTER
        if _is_named(span) and right <= 100 and all(right < begin or left > end for begin, end in taken):
            taken.append((left, right))
            found.append(span)
    return found


def _is_named(span: Span) -> bool:
    """What is to come of a phase that runs carries its name already."""
    return span.look is not SpanLook.PLAN or span.phase.started_at is None


def _look(span: Span, is_off: bool) -> str:
    if span.look is SpanLook.NOW and is_off:
        return "off"
    if span.look is SpanLook.PLAN and span.certainty is Certainty.EARLIEST:
        return "open"
    return span.look.value


def _marks(schedule: Schedule, axis: Axis) -> Iterable[TimelineMark]:
    named_until = -BETWEEN
    for moment in schedule.moments:
        if not axis.shows(moment.at) or not (moment.percentage or moment.kind is Kind.ROLL_BACK):
            continue
        place = axis.share(moment.at)
        words = _("back") if moment.kind is Kind.ROLL_BACK else spoken(say("{n} %", n=moment.percentage))
        if place - named_until < BETWEEN:
            words = ""
        else:
            named_until = place
        edge = "first" if place < EDGE else "last" if place > 100 - EDGE else ""
        yield TimelineMark(percent(place), words, moment.certainty.value, edge)


def _lines(schedule: Schedule) -> Iterable[TimelineLine]:
    for span in schedule.spans:
        steps = [
            moment
            for moment in schedule.moments
            if moment.percentage
            and moment.phase is span.phase
            and (moment.certainty is Certainty.DONE) is (span.look is not SpanLook.PLAN)
        ]
        state = STATES.get(span.look) or CERTAIN[span.certainty]
        again = _(" (attempt {number})").format(number=span.phase.attempt) if span.phase.attempt > 1 else ""
        yield TimelineLine(
            phase=f"{span.phase.title}{again}",
            state=str(state),
            starts=at(span.starts_at),
            ends=_("now") if span.look is SpanLook.NOW else at(span.ends_at),
            steps=", ".join(_step(step) for step in steps),
        )


def _step(moment: Moment) -> str:
    hangs = _(" at the earliest") if moment.certainty is Certainty.EARLIEST else ""
    return f"{spoken(say('{n} %', n=moment.percentage))} {at(moment.at)}{hangs}"


def at(moment: datetime) -> str:
    """«Thu 26 Nov 14:00» in the reader's zone."""
    local = localtime(moment)
    return f"{_day(local.date(), get_language())} {local:%H:%M}"


@lru_cache(maxsize=4096)
def _day(day: date, language: str | None) -> str:
    """In the language that is spoken now, which is part of the key."""
    return date_format(day, _("D j M"))


def bands(locks: Iterable[Lock], axis: Axis) -> list[Band]:
    found = []
    for lock in locks:
        left, width = axis.share.stretch(lock.window.starts_at, lock.window.ends_at, 0.2)
        words = f"{lock.title}, {at(lock.window.starts_at)} – {at(lock.window.ends_at)}"
        found.append(Band(percent(left), percent(width), lock.title, words))
    return found
