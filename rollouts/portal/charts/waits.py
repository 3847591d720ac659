"""Bars of how long: each as a share of the longest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ...rules.waits import SPENT_WORDS
from ...services.waits import Month, Wait
from .scale import percent


@dataclass(frozen=True, slots=True)
class LengthBar:
    """``name`` is told once where it is the same as above; ``width`` in per cent."""

    name: str
    words: str
    length: timedelta
    width: str
    count: int


def of_waits(waits: Sequence[Wait]) -> tuple[LengthBar, ...]:
    widths = _widths(wait.length for wait in waits)
    names = [wait.phase for wait in waits]
    return tuple(
        LengthBar(
            "" if number and names[number - 1] == wait.phase else wait.phase,
            SPENT_WORDS[wait.what],
            wait.length,
            width,
            wait.rollouts,
        )
        for number, (wait, width) in enumerate(zip(waits, widths, strict=True))
    )


def of_months(months: Sequence[Month]) -> tuple[LengthBar, ...]:
    widths = _widths(month.lead for month in months)
    return tuple(
        LengthBar(month.month, "", month.lead, width, month.count) for month, width in zip(months, widths, strict=True)
    )


def _widths(lengths: Iterable[timedelta]) -> list[str]:
    known = list(lengths)
    longest = max(known, default=timedelta(0))
    return [percent(100 * (length / longest)) if longest else percent(0) for length in known]
