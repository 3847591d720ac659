"""Guard metrics as series: what is kept of each, and how it stands by that. No history: it follows from the series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Avg, F, Max, Min

from ..models import MetricSample, MetricWatch, Phase, Rollout
from ..rules.machine import MOVING
from ..rules.metrics import Bound, Number
from ..rules.phrases import unpacked
from ..rules.series import Judged, Sample, judge, needed_since
from . import facts as facts_of

#: So many values of one figure are told within its window, and no more are looked at.
MOST = 3000
#: What is told holds until the next: without a window the newest value counts, however old.
TOLD_LASTS = timedelta(days=30)


def stale_after() -> timedelta:
    """A value that was read and is older says nothing of now: three were due since."""
    return timedelta(seconds=3 * settings.METRICS_INTERVAL_SECONDS + 60)


def live_phase(rollout: Rollout) -> Phase | None:
    """The phase that guard metrics are about: the last of those that let somebody in and are not complete."""
    moving = [phase for phase in facts_of.newest_attempts(rollout) if phase.state in MOVING]
    return moving[-1] if moving else None


def keep(rollout: Rollout, name: str, samples: Iterable[Sample]) -> None:
    """Add values to a series. A moment that is known stays as it is: the first to bring it is believed."""
    rows = [MetricSample.of(rollout.pk, name, one.at, one.value, one.baseline) for one in samples]
    MetricSample.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def known_at(rollout: Rollout, name: str, at: datetime) -> MetricSample | None:
    return MetricSample.objects.filter(rollout=rollout, name=name, at=at).first()


def newest(rollout: Rollout, name: str) -> datetime | None:
    """When the newest value of a series is from."""
    return MetricSample.objects.filter(rollout=rollout, name=name).aggregate(newest=Max("at"))["newest"]


def count_anew(rollout_id: int, now: datetime) -> None:
    """Somebody lets a phase go on: what hurt before that does not pause it again."""
    MetricWatch.objects.filter(rollout=rollout_id).update(counts_from=now)


def rejudge(rollout: Rollout, now: datetime, troubles: Mapping[str, str] | None = None) -> None:
    """Work out how its figures stand, and keep it. ``troubles``: what could not be read now, by name; None: as before.

    Two queries, and one more where something has changed. ``rollout`` comes from ``Rollout.objects.for_rules()``.
    """
    bounds = Bound.all_from(rollout.guard_metrics)
    watch: MetricWatch | None = getattr(rollout, "metric_watch", None)
    if not bounds:
        return
    before = watch.judged if watch else {}
    if troubles is None:
        troubles = {name: unpacked(kept["trouble"]) for name, kept in before.items() if kept.get("trouble")}
    judged = _judged(rollout, bounds, now, watch.counts_from if watch else None, troubles)
    if judged == before:
        return
    MetricWatch.objects.bulk_create([MetricWatch(rollout=rollout)], ignore_conflicts=True)
    MetricWatch.objects.filter(rollout=rollout).update(judged=judged)
    watch = watch or MetricWatch(rollout=rollout)
    watch.judged = judged
    rollout.metric_watch = watch


def as_of(rollout: Rollout, now: datetime) -> MetricWatch:
    """How they stood at a moment that is over, as far as their series is still kept; stored nowhere."""
    bounds = Bound.all_from(rollout.guard_metrics)
    return MetricWatch(judged=_judged(rollout, bounds, now, None, {}) if bounds else {})


def _judged(
    rollout: Rollout, bounds: Sequence[Bound], now: datetime, counts_from: datetime | None, troubles: Mapping[str, str]
) -> dict[str, Any]:
    phase = live_phase(rollout)
    since = phase.confirmed_at if phase else None
    found = _samples(rollout, bounds, now)
    told = {}
    for bound in bounds:
        stale = stale_after() if bound.query else None
        series, trouble = found.get(bound.name, []), troubles.get(bound.name, "")
        one = judge(bound, series, now, since=since, stale=stale, trouble=trouble)
        if one.at is None and series and since is not None:  # of before the step: shown, and never acts
            one = replace(judge(bound, series, now, stale=stale, trouble=trouble), hurt_since=None, hurt_until=None)
        if since is None:
            one = replace(one, hurt_since=None, hurt_until=None)
        elif counts_from is not None and counts_from > since:
            lately = judge(bound, series, now, since=counts_from, stale=stale)
            one = replace(one, hurt_since=lately.hurt_since, hurt_until=lately.hurt_until)
        if one != Judged():
            told[bound.name] = one.as_json()
    return told


def _samples(rollout: Rollout, bounds: Sequence[Bound], now: datetime) -> dict[str, list[Sample]]:
    """What is needed to judge them, in order; of those that are told the newest value at least."""
    since = min(needed_since(bound, now) - (timedelta(0) if bound.query else TOLD_LASTS) for bound in bounds)
    rows = MetricSample.objects.filter(rollout=rollout, name__in=[bound.name for bound in bounds], at__lte=now)
    rows = rows.filter(at__gte=since).order_by("-at")[: MOST * len(bounds)]
    needed = {bound.name: needed_since(bound, now) if bound.query else since for bound in bounds}
    found: dict[str, list[Sample]] = {}
    for name, at, value, baseline in rows.values_list("name", "at", "value", "baseline"):
        if at >= needed[name]:
            found.setdefault(name, []).append(Sample(at, tidied(value), tidied(baseline)))
    return {name: series[::-1] for name, series in found.items()}


def tidied(value: float | None) -> Number | None:
    """A whole number as it was told: the column has fractions only."""
    return int(value) if value is not None and value.is_integer() else value


@dataclass(frozen=True, slots=True)
class Point:
    """What a series was in one stretch of a picture: its mean, least and most, and the baseline's mean."""

    at: datetime
    value: float | None
    least: float | None
    most: float | None
    baseline: float | None


def pictured(rollout: Rollout, since: datetime, until: datetime, *, points: int = 220) -> dict[str, list[Point]]:
    """Each series as so many points at most, by name; one query, whatever the number of values."""
    first = int(since.timestamp()) // 60
    width = max(1, int((until - since).total_seconds() // 60) // points)
    rows = (
        MetricSample.objects.filter(rollout=rollout, at__gte=since, at__lte=until)
        .order_by()
        .annotate(place=(F("minute") - first) / width)
        .values("name", "place")
        .annotate(mean=Avg("value"), least=Min("value"), most=Max("value"), beside=Avg("baseline"), newest=Max("at"))
        .order_by("name", "place")
    )
    found: dict[str, list[Point]] = {}
    for row in rows:
        begin = datetime.fromtimestamp((first + row["place"] * width) * 60, UTC)
        at = row["newest"] if width == 1 else begin + timedelta(minutes=width / 2)
        found.setdefault(row["name"], []).append(
            Point(min(max(at, since), until), row["mean"], row["least"], row["most"], row["beside"])
        )
    return found
