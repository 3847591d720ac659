"""Moments in words, on the reader's clock."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _


def day_and_clock(moment: datetime) -> str:
    """«9 Nov 12:12»: where the page says elsewhere which zone that is."""
    return date_format(localtime(moment), _("j M H:i"))


def with_zone(moment: datetime) -> str:
    """«9 Nov 12:12 CET»: for sentences that stand alone, such as those about a picture."""
    return date_format(localtime(moment), _("j M H:i T"))
