"""Durations as people write them in a plan: 15m, 24h, 1d12h, 2w, 0."""

from __future__ import annotations

import re
from datetime import timedelta

from .phrases import invalid

LONGEST = timedelta(days=366)
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_PATTERN = re.compile("".join(f"(?:([0-9]{{1,8}}){unit})?" for unit, _ in _UNITS) + r"\Z")


def parse_duration(value: object) -> timedelta:
    """Read a duration. Raises ``ValueError`` that says how to write it."""
    if value == "0" or (isinstance(value, int) and value == 0 and value is not False):
        return timedelta(0)
    if isinstance(value, int) and not isinstance(value, bool):
        raise invalid(
            "{value} of what? Write the unit: {value}m for minutes, {value}h for hours, {value}d for days.", value=value
        )
    match = _PATTERN.match(value) if isinstance(value, str) and value else None
    if not match:
        raise invalid("write a duration such as 15m, 24h, 1d12h or 2w.")
    seconds = sum(int(count) * size for count, (_, size) in zip(match.groups(), _UNITS, strict=True) if count)
    if seconds > LONGEST.total_seconds():
        raise invalid("{value} is longer than a year. Write a shorter one.", value=value)
    return timedelta(seconds=seconds)


def short(span: timedelta) -> str:
    """The shortest way to write a duration (whole seconds): 2w, 1d12h, 15m, 0."""
    left = int(span.total_seconds())
    if left == 0:
        return "0"
    units = _UNITS if left % 604_800 == 0 else _UNITS[1:]
    parts = []
    for unit, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
