"""Where a value stands in a picture: one linear scale for moments and for shares, whatever the picture's units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scale:
    """From ``least`` at ``begin`` to ``most`` at ``end``; values are of one kind whose differences can be divided."""

    least: Any
    most: Any
    begin: float
    end: float

    def __call__(self, value: Any) -> float:
        """What lies outside stands at the edge; without any length everything stands at the begin."""
        length = self.most - self.least
        share = float((value - self.least) / length) if length else 0.0
        return self.begin + min(max(share, 0.0), 1.0) * (self.end - self.begin)

    def at(self, value: Any) -> str:
        return number(self(value))

    def shows(self, value: Any) -> bool:
        return bool(self.least <= value < self.most)

    def stretch(self, start: Any, end: Any, least: float = 0.0) -> tuple[float, float]:
        """Where a stretch begins and how wide it is, at the least so wide that it is seen."""
        begin = self(start)
        return begin, max(self(end) - begin, least)


def number(value: float) -> str:
    """A coordinate as SVG takes it, whatever language the page speaks: one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def percent(share: float) -> str:
    """A place in per cent of the width, as SVG takes it."""
    return f"{share:.2f}%"
