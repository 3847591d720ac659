"""What stands under a picture over time: labels at whole days or hours of the reader's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext as _

from ..presenters.datetimes import day_and_clock
from .scale import Scale
from .ticks import ticks


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    words: str
    anchor: str = "middle"


def labels(x: Scale, most: int = 8) -> tuple[Label, ...]:
    """So many at most; the last one stands before its tick where it would be cut off."""
    found = ticks(x.least, x.most, get_current_timezone(), most)
    months = len(found) > 1 and found[1][0] - found[0][0] > timedelta(days=27)
    return tuple(
        Label(x.at(moment), _words(moment, within, months), "end" if x(moment) > x.end - 16 else "middle")
        for moment, within in found
    )


def ends(x: Scale, *, middle: bool = False) -> tuple[Label, ...]:
    """Begin and end to the minute, and the middle where there is room for a day between."""
    labels = [Label(x.at(x.least), day_and_clock(x.least), "start"), Label(x.at(x.most), day_and_clock(x.most), "end")]
    if middle and x.most - x.least > timedelta(days=2):
        between = x.least + (x.most - x.least) / 2
        labels.insert(1, Label(x.at(between), day_and_clock(between)))
    return tuple(labels)


def _words(moment: datetime, within_a_day: bool, months: bool) -> str:
    return date_format(localtime(moment), "H:i" if within_a_day else "M Y" if months else _("j M"))
