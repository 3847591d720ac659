"""A time axis for pictures: moments to units of the picture, labels at whole days or hours of the viewer's clock.

Charts that stand below one another share one axis, so that a moment is at the same place in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext as _

from ...rules.ticks import ticks


def number(value: float) -> str:
    """A coordinate as SVG takes it, whatever language the page speaks: one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    words: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From ``since`` at ``left`` to ``until`` at ``right``."""

    since: datetime
    until: datetime
    left: float
    right: float

    def x(self, moment: datetime) -> float:
        share = (moment - self.since) / (self.until - self.since)
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def at(self, moment: datetime) -> str:
        return number(self.x(moment))

    def labels(self, most: int = 8) -> tuple[Label, ...]:
        found = ticks(self.since, self.until, get_current_timezone(), most)
        months = len(found) > 1 and found[1][0] - found[0][0] > timedelta(days=27)
        return tuple(
            Label(
                self.at(moment), _said(moment, within, months), "end" if self.x(moment) > self.right - 16 else "middle"
            )
            for moment, within in found
        )


def _said(moment: datetime, within_a_day: bool, months: bool) -> str:
    return date_format(localtime(moment), "H:i" if within_a_day else "M Y" if months else _("j M"))
