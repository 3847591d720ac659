"""A figure over time, judged: what it is over the plan's window, and for how long it was beyond without a gap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import fsum
from typing import Any

from .metrics import Bound, Number
from .phrases import packed


@dataclass(frozen=True, slots=True)
class Sample:
    """The figure at a moment, of the candidate and beside it of the baseline, each None where nobody knows."""

    at: datetime
    value: Number | None
    baseline: Number | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What ``metrics.Metric`` says of it; ``count`` is the smaller number where both sides are compared."""

    value: Number | None = None
    baseline: Number | None = None
    count: int = 0
    at: datetime | None = None
    hurt_since: datetime | None = None
    hurt_until: datetime | None = None
    trouble: str = ""

    def as_json(self) -> dict[str, Any]:
        moments = {name: getattr(self, name) for name in ("at", "hurt_since", "hurt_until")}
        return {
            "value": self.value,
            "baseline": self.baseline,
            "count": self.count,
            **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
            "trouble": packed(self.trouble) if self.trouble else "",
        }


def judge(
    bound: Bound,
    samples: Sequence[Sample],
    now: datetime,
    *,
    since: datetime | None = None,
    stale: timedelta | None = None,
    trouble: str = "",
) -> Judged:
    """``samples`` in order. Only those from ``since`` on count: what was before the present step says nothing of it.

    ``stale``: a value that is older says nothing of now, and two that are further apart do not stand in a row; None
    for values that are told, which hold until the next. What is yet to come is left out.
    """
    known = [one for one in samples if one.at <= now and (since is None or one.at >= since) and one.value is not None]
    if not known or (stale is not None and now - known[-1].at > stale):
        return Judged(trouble=trouble)
    times = [one.at for one in known]
    newest = _over(bound, known, times, len(known) - 1)
    since_then = until = None
    for place in range(len(known) - 1, -1, -1):
        if not _is_beyond(bound, newest if place == len(known) - 1 else _over(bound, known, times, place)):
            break
        if stale is not None and since_then is not None and since_then - times[place] > stale:
            break
        since_then = times[place]
        until = until or times[place]
        if until - since_then >= bound.hurting:
            break
    value, baseline, count = newest
    return Judged(value, baseline, count, times[-1], since_then, until, trouble)


_Over = tuple[Number | None, Number | None, int]


def _over(bound: Bound, known: Sequence[Sample], times: Sequence[datetime], place: int) -> _Over:
    """The mean of the window that ends with the value at this place, of both sides, and how many values."""
    first = place if not bound.window else bisect_right(times, times[place] - bound.window_length)
    part = known[min(first, place) : place + 1]
    values = [one.value for one in part if one.value is not None]
    beside = [one.baseline for one in part if one.baseline is not None]
    count = min(len(values), len(beside)) if bound.is_beside else len(values)
    return _mean(values), _mean(beside), count


def _mean(values: Sequence[Number]) -> Number | None:
    if len(values) < 2:
        return values[0] if values else None
    return fsum(values) / len(values)


def _is_beyond(bound: Bound, over: _Over) -> bool:
    value, baseline, count = over
    if value is None or count < bound.samples or (bound.is_beside and baseline is None):
        return False
    return not bound.is_kept_by(value, baseline)


def needed_since(bound: Bound, now: datetime) -> datetime:
    """From when on values are asked for to judge one figure now."""
    return now - bound.window_length - bound.hurting - timedelta(minutes=1)
