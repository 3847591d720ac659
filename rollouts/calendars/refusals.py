"""Why a calendar is not read."""

from __future__ import annotations

import unicodedata

from ..rules.phrases import say, shorten
from .limits import CPU_SECONDS


class CalendarRefused(ValueError):
    """Why a calendar is not read, in words: what, where, and the cure."""


def cleaned(text: object) -> str:
    """On one line, without what can't be seen (control characters, marks that turn the direction of writing)."""
    return " ".join("".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in str(text)).split())


def shown(text: object) -> str:
    return shorten(cleaned(str(text)[:200]))


def too_much() -> CalendarRefused:
    """Where nobody knows which event it was."""
    return CalendarRefused(
        say(
            "the calendar takes too long (more than {seconds} seconds) or too much memory. Export a shorter span, "
            "or fewer events.",
            seconds=CPU_SECONDS,
        )
    )
