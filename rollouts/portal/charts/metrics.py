"""Guard metrics over time, in small multiples on the axis of the exposure picture, each with its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10

from ...rules.metrics import Metric, tidy
from ...rules.phrases import say, spoken
from ...services.exposure_history import ExposureHistory
from ...services.series import Point
from ..presenters.datetimes import with_zone
from .axis import Label, labels
from .lanes import LEFT, RIGHT, WIDTH
from .scale import Scale, number

TOP, BASE, HEIGHT, TICKS = 8.0, 76.0, 84.0, 14.0
#: So much room above and below what is drawn, as a share of it.
ROOM = 0.12


@dataclass(frozen=True, slots=True)
class MetricPicture:
    """One figure: ``value`` and ``baseline`` are paths, broken where nobody knows; ``range`` the least to the most.

    ``limits`` are the plan's own bounds (y and words), ``beyond`` the paths of those beside the baseline;
    ``levels`` what stands at the axis; ``hurt`` from where to where it is beyond, up to now.
    """

    metric: Metric
    words: str
    value: str
    range: str
    baseline: str
    limits: tuple[tuple[str, str], ...]
    beside: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]
    hurt: tuple[str, str] | None
    now: str
    width: str = number(WIDTH)
    height: str = number(HEIGHT)
    left: str = number(LEFT)
    right: str = number(RIGHT)
    top: str = number(TOP)
    base: str = number(BASE)
    plot: str = number(BASE - TOP)


@dataclass(frozen=True, slots=True)
class MetricPictures:
    """All figures of a rollout, under one axis."""

    panels: tuple[MetricPicture, ...]
    labels: tuple[Label, ...]
    untold: tuple[Metric, ...]
    width: str = number(WIDTH)
    axis_height: str = number(TICKS + 6)
    axis_y: str = number(TICKS)

    @property
    def has_baseline(self) -> bool:
        return any(panel.baseline for panel in self.panels)


def pictures(
    metrics: Iterable[Metric], series: Mapping[str, Sequence[Point]], history: ExposureHistory
) -> MetricPictures:
    """What is known of each figure, on the time axis of the exposure picture."""
    axis = Scale(history.since, history.until, LEFT, RIGHT)
    known = [(metric, series.get(metric.bound.name, ())) for metric in metrics]
    panels = tuple(_panel(metric, points, axis, history) for metric, points in known if points)
    return MetricPictures(panels, labels(axis, 10) if panels else (), tuple(m for m, points in known if not points))


def _panel(metric: Metric, points: Sequence[Point], axis: Scale, history: ExposureHistory) -> MetricPicture:
    bound = metric.bound
    limits = [limit for limit in (bound.at_most, bound.at_least) if limit is not None]
    factors = [1 + (bound.above_baseline or 0) / 100] if bound.above_baseline is not None else []
    factors += [1 - bound.below_baseline / 100] if bound.below_baseline is not None else []
    y = _scale(points, limits, factors)
    runs = _runs(points, history)
    shown = say("{metric} from {since} to {until}: {how}", metric=bound.title, since=with_zone(history.since),
                until=with_zone(history.known_until), how=metric.words)  # fmt: skip
    hurt = None
    if metric.is_beyond and metric.hurt_since is not None and metric.measured_at is not None:
        begin, width = axis.stretch(metric.hurt_since, metric.measured_at, 2.0)
        hurt = (number(begin), number(width))
    return MetricPicture(
        metric,
        spoken(shown),
        " ".join(_line(run, "value", axis, y) for run in runs),
        " ".join(filter(None, (_band(run, axis, y) for run in runs))),
        " ".join(filter(None, (_line(run, "baseline", axis, y) for run in runs))),
        tuple((y.at(limit), spoken(bound.shown(limit))) for limit in limits),
        tuple(" ".join(filter(None, (_line(run, "baseline", axis, y, factor) for run in runs))) for factor in factors),
        tuple((y.at(level), spoken(say("{n}", n=tidy(level)))) for level in _levels(y)),
        hurt,
        "" if history.is_over else axis.at(history.known_until),
    )


def _scale(points: Sequence[Point], limits: Sequence[float], factors: Sequence[float]) -> Scale:
    values = [value for point in points for value in (point.least, point.most, point.baseline) if value is not None]
    values += [point.baseline * factor for point in points for factor in factors if point.baseline is not None]
    least, most = min([*values, *limits]), max([*values, *limits])
    room = (most - least) * ROOM or abs(most) * ROOM or 1.0
    return Scale(least - room, most + room, BASE, TOP)


def _levels(y: Scale) -> list[float]:
    """Two at the axis, in numbers that are short."""
    low, high = y.least + (y.most - y.least) * 0.1, y.most - (y.most - y.least) * 0.1
    digits = 1 - floor(log10(high - low)) if high > low else 0
    return [round(low, digits), round(high, digits)]


def _runs(points: Sequence[Point], history: ExposureHistory) -> list[list[Point]]:
    """Broken where no value came for ten times as long as usual, or where there was none."""
    steps = sorted((after.at - before.at) for before, after in pairwise(points))
    usual = steps[len(steps) // 2] if steps else None
    runs: list[list[Point]] = []
    for point in points:
        if point.value is None:
            continue
        if runs and usual and point.at - runs[-1][-1].at <= usual * 10:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _line(run: Sequence[Point], name: str, axis: Scale, y: Scale, factor: float = 1.0) -> str:
    """A path; a value that stands alone is a short stroke, so that it is seen."""
    known = [(point.at, getattr(point, name)) for point in run if getattr(point, name) is not None]
    if not known:
        return ""
    drawn = [f"{axis.at(at)} {y.at(value * factor)}" for at, value in known]
    if len(drawn) == 1:
        return f"M{drawn[0]}h4"
    return f"M{'L'.join(drawn)}"


def _band(run: Sequence[Point], axis: Scale, y: Scale) -> str:
    """From the least to the most of each stretch, where they differ."""
    if all(point.least == point.most for point in run):
        return ""
    high = [f"{axis.at(point.at)} {y.at(point.most)}" for point in run]
    low = [f"{axis.at(point.at)} {y.at(point.least)}" for point in reversed(run)]
    return f"M{'L'.join([*high, *low])}Z"
