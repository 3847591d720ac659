"""Why a calendar is not read."""

from __future__ import annotations

import unicodedata

from ..rules.wording import shorten


class CalendarRefused(ValueError):
    """Why a calendar is not read, in words: what, where, and the cure."""


def cleaned(text: object) -> str:
    """On one line, without what can't be seen (control characters, marks that turn the direction of writing)."""
    return " ".join("".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in str(text)).split())


def shown(text: object) -> str:
    return shorten(cleaned(str(text)[:200]))
