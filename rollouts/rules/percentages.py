"""Percentages of actors: exact thousandths, as GitLab takes and keeps them (``POST /features``; flipper's gate)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from .phrases import invalid

FULL = Decimal(100)
NOTHING = Decimal(0)
#: The least percentage that lets anybody in: the gate looks at thousandths.
LEAST = Decimal("0.001")


def as_percentage(value: Any, name: str) -> Decimal:
    """A percentage of 0 to 100 from a number or a text. Raises ``ValueError`` naming it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise invalid("{name} is {value}, not a percentage", name=name, value=repr(value))
    try:
        percentage = Decimal(str(value))
    except InvalidOperation:
        raise invalid("{name} is {value}, not a percentage", name=name, value=repr(value)) from None
    if not percentage.is_finite() or not NOTHING <= percentage <= FULL:
        raise invalid("{name} is {value}, not between 0 and 100", name=name, value=repr(value))
    return plain(percentage)


def as_step(value: Any) -> Decimal:
    """A percentage that a ramp may stand at, from a number or a text. Raises ``ValueError`` with the cure."""
    try:
        percentage = as_percentage(value, "")
        if percentage < LEAST or percentage != percentage.quantize(LEAST):
            raise ValueError
    except ValueError:
        shown = str(value)[:50]
        raise invalid(
            "{step} is no percentage from 0.001 to 100 with three decimals at most. Correct it.", step=shown
        ) from None
    return percentage


def plain(value: Decimal) -> Decimal:
    """The same number as it is written: «25», «0.1», without zeros behind and without powers of ten."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def plain_number(value: Decimal) -> int | float:
    """A decimal as JSON shows it: whole numbers without a point."""
    return int(value) if value == int(value) else float(value)


def share_of(percentage: Decimal) -> Decimal:
    """A percentage as a share, 0 to 1."""
    return Decimal(percentage) / 100
